"""Which devices compute: one, several of this machine, or those of several machines."""

import collections

import tensorflow as tf

import kernels
from cli.machine import cores
from devices import gpu_help, machines
from errors import UserError


def choose(deterministic, names, cluster, xla):
    """Prepare the devices as devices.start.set_up says -> (strategy, description). Raises UserError."""
    tasks, me = machines.read_cluster(cluster) if cluster else (None, None)
    gpus = make_visible(names, tf.config.list_physical_devices("GPU"))
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    warn_of_cards(gpus)
    if xla and gpus and (missing := gpu_help.why_no_xla()):
        raise UserError(f"--xla: {missing}; or leave --xla out")
    if tasks:
        return machines.join(tasks, me), describe(gpus, None, tasks)
    tf.zeros([])  # starts the devices
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices]) if len(devices) > 1 else None
    return strategy, describe(gpus, strategy)


def make_visible(names, gpus):
    """Make the devices that --devices names visible -> the GPUs among them. Raises UserError."""
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


def warn_of_cards(gpus):
    """Print what to do about cards that this TensorFlow has no kernels for. They are used all the same."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    cards = {(detail["device_name"], detail["compute_capability"]) for detail in details if len(detail) > 1}
    for card in sorted(cards):
        if warning := gpu_help.card_warning(*card, tf.sysconfig.get_build_info()):
            print(warning, flush=True)


def describe(gpus, strategy, tasks=None):
    """The devices that train, in words."""
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [detail.get("device_name", gpu.name) for gpu, detail in zip(gpus, details)]
        counts = collections.Counter(names)
        here = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
        here = f"{'GPUs' if len(gpus) > 1 else 'GPU'}: {here}"
    else:
        here = f"CPU with {cores()} cores"
        if not tf.config.list_physical_devices("GPU"):
            reason = gpu_help.why_no_gpu(tf.sysconfig.get_build_info())
            here += f" (TensorFlow sees no GPU{': ' + reason if reason else ''})"
        if strategy and not tasks:
            here = f"{strategy.num_replicas_in_sync} logical devices of a {here}"
    return here + (f", and {len(tasks) - 1} more machines" if tasks and tasks[1:] else "")


def use_xla(asked, deterministic, strategy):
    """Whether XLA compiles the update, and why not, in words, where that is news -> (bool, str or None).

    asked: --xla, --no_xla (False), or None: on one GPU, where it can work
    """
    if asked is not None or not tf.config.get_visible_devices("GPU"):
        return bool(asked), None
    if strategy:
        return False, "it works on one device only"
    if deterministic:
        return False, "--deterministic, since it chooses its kernels by their speed"
    missing = gpu_help.why_no_xla()
    return not missing, missing


def fast_bfloat16():
    """Whether bfloat16 is known to be faster and as good: on a CPU with AVX512-BF16 or AMX.

    On a GPU with XLA it is faster too, but what it does to the faces has not been measured there.
    """
    return not tf.config.get_visible_devices("GPU") and bool(kernels.cpu_flags() & {"avx512_bf16", "amx_bf16"})


def slow_bfloat16():
    """Whether bfloat16 is the slower precision: on a CPU that does not multiply it in hardware."""
    return not tf.config.get_visible_devices("GPU") and not fast_bfloat16()
