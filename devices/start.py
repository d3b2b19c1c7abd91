"""Starting TensorFlow: quiet import, GPU memory growth, determinism, and which devices train."""

import collections
import contextlib
import json
import os
import re
import signal
import sys
import tempfile

from devices import gpu_help
from errors import UserError

# What TensorFlow prints at every start, on every machine without a GPU.
NOISE = re.compile(
    r"before absl::InitializeLog|oneDNN custom operations|Could not find cuda drivers|"
    r"optimized to use available CPU instructions|To enable the following instructions|"
    r"failed call to cuInit|^\s*$"
)


@contextlib.contextmanager
def quiet():
    """Hold back what native code writes to stderr, then print it without the NOISE."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            kept.seek(0)
            for line in kept.read().decode(errors="replace").splitlines():
                if not NOISE.search(line):
                    print(line, file=sys.stderr)


@contextlib.contextmanager
def light_keras():
    """Keep Keras, which TensorFlow imports, from making folders in the user's home and from loading matplotlib.

    Loading matplotlib, where it is installed, takes half a second or more.
    """
    no_home, no_plots = "KERAS_HOME" not in os.environ, "matplotlib" not in sys.modules
    if no_home:
        os.environ["KERAS_HOME"] = os.devnull
    if no_plots:
        sys.modules["matplotlib"] = None  # an import fails, as if it were not installed
    try:
        yield
    finally:
        if no_home:
            del os.environ["KERAS_HOME"]
        if no_plots:
            del sys.modules["matplotlib"]


def set_up(deterministic=False, names=None, cluster=None, xla=False):
    """Import TensorFlow without its start-up noise and prepare its devices -> (strategy, description).

    deterministic: every op gives the same bits for the same input
    names: a number of GPUs, or names such as GPU:0,GPU:2 or CPU:0,CPU:1 (logical devices, for a trial);
        None: all GPUs, or the CPU
    cluster: the text of TF_CONFIG, for several machines
    xla: whether XLA will compile, for which a GPU needs more files

    The strategy is None for one device. Raises UserError for devices or files that are missing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if cluster else "2")  # 3: we report errors ourselves
    tasks, me = _read_cluster(cluster) if cluster else (None, None)
    with quiet():
        with light_keras():
            import tensorflow as tf
        gpus = _choose(names, tf.config.list_physical_devices("GPU"))
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    warn_of_cards(gpus)
    if xla and gpus:
        gpu_help.check_libdevice()
    with quiet():
        if not tasks:
            tf.zeros([])  # starts the devices
    if tasks:
        if others := ", ".join(tasks[:me] + tasks[me + 1 :]):
            print(f"machine {me + 1} of {len(tasks)}, {tasks[me]}; waiting for {others} (Ctrl-C ends it)", flush=True)
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own would wait for TensorFlow
        try:
            with quiet():
                strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise UserError(
                f"TF_CONFIG: {tasks[me]} can't be used: is the port taken, or is it another machine's name?"
            ) from error
        signal.signal(signal.SIGINT, before)
    elif len(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")) > 1:
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    else:
        strategy = None
    return strategy, _describe(gpus, strategy, tasks)


def warn_of_cards(gpus):
    """Print what to do about cards that this TensorFlow has no kernels for. They are used all the same."""
    import tensorflow as tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    cards = {(detail["device_name"], detail["compute_capability"]) for detail in details if len(detail) > 1}
    for card in sorted(cards):
        if warning := gpu_help.card_warning(*card, tf.sysconfig.get_build_info()):
            print(warning, flush=True)


def _choose(names, gpus):
    """Make the devices that --devices names visible -> the GPUs among them. Raises UserError."""
    import tensorflow as tf

    if names is None:
        chosen = gpus
    elif names.isdigit():
        if int(names) > max(len(gpus), 1):
            there = f"{len(gpus)} GPUs here" if gpus else "no GPU here; for a trial on the processor, give CPU:0,CPU:1"
            raise UserError(f"--devices {names}: {there}")
        chosen = gpus[: int(names)]
    else:
        kinds, numbers = zip(*(name.upper().split(":") for name in names.split(",")))
        missing = [number for number in numbers if kinds[0] == "GPU" and int(number) >= len(gpus)]
        if missing:
            raise UserError(f"--devices {names}: there is no GPU:{missing[0]} here ({len(gpus)} GPUs)")
        chosen = [gpus[int(number)] for number in numbers] if kinds[0] == "GPU" else []
        if kinds[0] == "CPU":
            logical = [tf.config.LogicalDeviceConfiguration() for _ in numbers]
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
    if chosen != gpus:
        tf.config.set_visible_devices(chosen, "GPU")
    for gpu in chosen:
        tf.config.experimental.set_memory_growth(gpu, True)  # share it with other programs
    return chosen


def _read_cluster(text):
    """TF_CONFIG -> (addresses of the machines, the chief first; the index of this one). Raises UserError."""
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        addresses = [*jobs.get("chief", []), *jobs["worker"]]
        me = int(task["index"]) + (len(jobs.get("chief", [])) if task["type"] == "worker" else 0)
        if not set(jobs) <= {"chief", "worker"} or task["type"] not in jobs or not 0 <= me < len(addresses):
            raise ValueError
        return addresses, me
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise UserError(f"TF_CONFIG {text}: must look like {example}; unset it to train on one machine") from error


def _describe(gpus, strategy, tasks):
    """The devices that train, in words."""
    import tensorflow as tf

    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [detail.get("device_name", gpu.name) for gpu, detail in zip(gpus, details)]
        counts = collections.Counter(names)
        here = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
        here = f"{'GPUs' if len(gpus) > 1 else 'GPU'}: {here}"
    else:
        here = f"CPU with {os.cpu_count()} cores"
        if not tf.config.list_physical_devices("GPU"):
            reason = gpu_help.why_no_gpu(tf.sysconfig.get_build_info())
            here += f" (TensorFlow sees no GPU{': ' + reason if reason else ''})"
        if strategy and not tasks:
            here = f"{strategy.num_replicas_in_sync} logical devices of a {here}"
    return here + (f", and {len(tasks) - 1} more machines" if tasks and tasks[1:] else "")


def fast_bfloat16():
    """Whether bfloat16 is the faster precision: on a CPU with AVX512-BF16 or AMX.

    Not on a GPU: from Ampere on, float32 runs in TF32 there, and at the default batch size it was the faster one
    (docs/speed.md).
    """
    import tensorflow as tf

    import kernels

    if tf.config.get_visible_devices("GPU"):
        return False
    return bool(kernels.cpu_flags() & {"avx512_bf16", "amx_bf16"})
