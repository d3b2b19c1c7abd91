"""TensorFlow's start: quiet import, GPU memory growth, determinism, and which device trains."""

import contextlib
import os
import re
import sys
import tempfile

# What TensorFlow prints at every start, on every machine without a GPU.
NOISE = re.compile(
    r"before absl::InitializeLog|oneDNN custom operations|Could not find cuda drivers|"
    r"optimized to use available CPU instructions|To enable the following instructions|"
    r"failed call to cuInit|^\s*$"
)


@contextlib.contextmanager
def quiet():
    """Keep what native code writes to stderr, and afterwards print it without the NOISE."""
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


def set_up(deterministic=False):
    """Import TensorFlow without its start-up noise and ready its devices. Returns a description.

    deterministic: every op then gives the same bits for the same input, on a CPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    keras_home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull  # else TensorFlow's import makes a folder in the user's home
    with quiet():
        import tensorflow as tf

        del os.environ["KERAS_HOME"]
        if keras_home is not None:
            os.environ["KERAS_HOME"] = keras_home
        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)  # share it with other programs
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        tf.zeros([])  # starts the devices
    if gpus:
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name)
        return f"GPU: {name}" + (f" (the first of {len(gpus)})" if len(gpus) > 1 else "")
    return f"CPU with {os.cpu_count()} cores (TensorFlow sees no GPU)"


def fast_bfloat16():
    """Whether the device that trains multiplies in bfloat16: AVX512-BF16 or AMX, or a GPU from Ampere on."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    try:
        with open("/proc/cpuinfo") as file:
            return re.search(r"\b(avx512_bf16|amx_bf16)\b", file.read()) is not None
    except OSError:  # not Linux
        return False
