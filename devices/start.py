"""Starting TensorFlow without its noise."""

import contextlib
import os
import re
import signal
import sys

from cli.program import Later

machine = Later("cli.machine")

# What TensorFlow prints at every start, on every machine without a GPU.
NOISE = re.compile(
    r"before absl::InitializeLog|oneDNN custom operations|Could not find cuda drivers|"
    r"optimized to use available CPU instructions|To enable the following instructions|"
    r"failed call to cuInit|^\s*$"
)


@contextlib.contextmanager
def quiet():
    """Pass on what native code writes to stderr, but for the NOISE.

    A process of its own does, so that the last words of one that aborts are heard.
    """
    sys.stderr.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(writer)
            _pass_on(reader)
        finally:
            os._exit(0)
    saved = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    os.close(reader)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        with contextlib.suppress(ChildProcessError):  # where SIGCHLD is ignored, nobody waits for children
            os.waitpid(child, 0)


def _pass_on(reader):
    """Copy the lines from a pipe to stderr until it is closed, without the NOISE."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError), open(reader, errors="replace") as lines:
        for line in lines:
            if not NOISE.search(line):
                os.write(2, line.encode(errors="replace"))


@contextlib.contextmanager
def without_keras():
    """Keep TensorFlow from importing Keras, which is needed for nothing here but evaluate.py --inception.

    That would take a quarter of TensorFlow's start. Keras can be imported later. TensorFlow's own old copy of it is
    kept from making folders in the user's home.
    """
    no_home, absent = "KERAS_HOME" not in os.environ, "keras" not in sys.modules
    if no_home:
        os.environ["KERAS_HOME"] = os.devnull
    if absent:
        sys.modules["keras"] = None  # an import fails, as if it were not installed, which TensorFlow allows for
    try:
        yield
    finally:
        if no_home:
            del os.environ["KERAS_HOME"]
        if absent:
            del sys.modules["keras"]


def set_up(deterministic=False, names=None, cluster=None, xla=False):
    """Import TensorFlow without its start-up noise and prepare its devices -> (strategy, description).

    deterministic: every op gives the same bits for the same input
    names: a number of GPUs, or names such as GPU:0,GPU:2 or CPU:0,CPU:1 (logical devices, for a trial);
        None: all GPUs, or the CPU
    cluster: the text of TF_CONFIG, for several machines
    xla: whether XLA compiles, for which a GPU needs more files; None: where it can

    The strategy is None for one device. Raises UserError for devices or files that are missing.
    """
    machine.check_processor()
    flags = os.environ.get("XLA_FLAGS", "")
    names_a_file = flags.strip() and not flags.lstrip().startswith("-")  # which XLA then reads, and nothing else
    if xla is not False and "triton_gemm" not in flags and not names_a_file:
        # Else XLA tries hundreds of Triton's kernels for each product of matrices, for two minutes
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_enable_triton_gemm=false".strip()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if cluster else "2")  # 3: we report errors ourselves
    with quiet(), without_keras():
        from devices import choice  # which imports TensorFlow

        return choice.choose(deterministic, names, cluster, xla)
