"""What keeps TensorFlow from a GPU, in words: missing libraries, hidden GPUs, a card without kernels."""

import contextlib
import ctypes
import glob
import os
import re
import site

# There where a driver is; the last is WSL's
DRIVERS = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"]
SYSTEM = ["/usr/local/cuda*/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
INSTALL = "pip install 'tensorflow[and-cuda]>=2.21,<2.22'"
LIBRARIES = ["cudart", "cublas", "cublasLt", "cusparse"]  # those whose version is CUDA's


def why_no_gpu(build):
    """Why TensorFlow sees no GPU, in a few words; None on a machine without one.

    build: tf.sysconfig.get_build_info()
    """
    if not any(map(os.path.exists, DRIVERS)):
        return None
    if not build.get("is_cuda_build"):
        return f"this TensorFlow was built without CUDA; type: {INSTALL}"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides all GPUs; type: unset CUDA_VISIBLE_DEVICES"
    cuda = build["cuda_version"].split(".")[0]
    wanted = dict.fromkeys(LIBRARIES, cuda) | {"cudnn": build["cudnn_version"].split(".")[0]}
    missing = [in_words(name, version) for name, version in wanted.items() if not loads(f"lib{name}.so.{version}")]
    if missing:
        return f"TensorFlow needs {', '.join(missing)}; type: {INSTALL}"
    return (
        "its libraries are there, but the driver does not answer: does nvidia-smi list the GPU? Is the driver new "
        f"enough for CUDA {cuda}? A container needs --gpus all"
    )


def package_folders():
    """Where pip installs packages."""
    return [*site.getsitepackages(), site.getusersitepackages()]


def folders():
    """Where CUDA's libraries may lie: pip's packages first, then the system."""
    packages = [os.path.join(top, "nvidia", "*", "lib") for top in package_folders()]
    return [folder for pattern in packages + SYSTEM for folder in sorted(glob.glob(pattern))]


def loads(name):
    """Whether a library can be loaded, as TensorFlow would."""
    paths = [os.path.join(folder, name) for folder in folders()]
    for path in [name, *filter(os.path.exists, paths)]:
        with contextlib.suppress(OSError):
            ctypes.CDLL(path)
            return True
    return False


def in_words(name, version):
    """A library that does not load, in words: missing, another version, or broken."""
    found = sorted({os.path.basename(path) for folder in folders() for path in glob.glob(f"{folder}/lib{name}.so.*")})
    wanted = f"lib{name}.so.{version}"
    if wanted in found:
        return f"{wanted} (there, but does not load)"
    return f"{wanted} (only {', '.join(found)} is there)" if found else f"{wanted} (missing)"


def card_warning(name, capability, build):
    """What to do about a card that TensorFlow has no kernels for, in words; None for other cards.

    capability: (major, minor)
    """
    kinds = [re.fullmatch(r"(sm|compute)_(\d+)(\d)", text) for text in build.get("cuda_compute_capabilities", [])]
    built = [(int(kind[2]), int(kind[3])) for kind in kinds if kind]
    if not built or any(major == capability[0] and minor <= capability[1] for major, minor in built):
        return None
    numbers = ", ".join(f"{major}.{minor}" for major, minor in built)
    return (
        f"warning: TensorFlow has no kernels for {name} (compute capability {capability[0]}.{capability[1]}; it has "
        f"{numbers}), so it translates them at the start, for minutes, and may fail with CUDA_ERROR_INVALID_PTX. "
        "What helps: NVIDIA's TensorFlow container, a TensorFlow built for this card, or --devices CPU:0"
    )


def why_no_xla():
    """Why XLA can't work here: it finds no libdevice, of which it needs functions such as tanh. None where it does."""
    flag = re.search(r"--xla_gpu_cuda_data_dir=(\S+)", os.environ.get("XLA_FLAGS", ""))
    tops = [flag[1]] if flag else []
    tops += [os.path.join(top, "nvidia", "cuda_nvcc") for top in package_folders()]
    tops += ["/usr/local/cuda*", "/opt/cuda", "./cuda_sdk_lib", "."]
    if any(glob.glob(os.path.join(top, "nvvm", "libdevice", "libdevice.10.bc")) for top in tops):
        return None
    return (
        "XLA needs libdevice.10.bc, and finds none; type: pip install 'nvidia-cuda-nvcc-cu12>=12.5,<13', "
        "or, where CUDA is elsewhere: export XLA_FLAGS=--xla_gpu_cuda_data_dir=/path/to/cuda"
    )
