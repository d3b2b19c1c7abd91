"""What is said of a GPU that cannot be used, with made-up driver folders and libraries."""

import glob
import os
import shutil

import pytest

from devices import gpu_help

BUILD = {
    "is_cuda_build": True,
    "cuda_version": "12.5.1",
    "cudnn_version": "9",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}
NAMES = [
    "cudart.so.12",
    "cublas.so.12",
    "cublasLt.so.12",
    "cufft.so.11",
    "cusolver.so.11",
    "cusparse.so.12",
    "cudnn.so.9",
]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a driver, version 550, and an empty folder for libraries."""
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n")
    monkeypatch.setattr(gpu_help, "DRIVERS", [str(tmp_path / "version")])
    (tmp_path / "nvidia" / "all" / "lib").mkdir(parents=True)
    monkeypatch.setattr(gpu_help.site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(gpu_help, "SYSTEM", [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def install(machine, *names):
    """Put libraries there: copies of one that loads."""
    import psutil

    library = glob.glob(os.path.join(os.path.dirname(psutil.__file__), "*.so"))[0]
    for name in names:
        shutil.copy(library, machine / "nvidia" / "all" / "lib" / f"lib{name}")


def test_a_machine_without_a_gpu_is_not_talked_to_about_gpus(monkeypatch):
    monkeypatch.setattr(gpu_help, "DRIVERS", ["/nowhere"])
    assert gpu_help.why_no_gpu(BUILD) is None


def test_missing_libraries_are_named_with_the_line_that_installs_them(machine):
    install(machine, *NAMES[1:-1])
    assert gpu_help.why_no_gpu(BUILD) == (
        "TensorFlow needs libcudart.so.12 (missing), libcudnn.so.9 (missing); "
        "type: pip install 'tensorflow[and-cuda]>=2.21,<2.22'"
    )


def test_a_library_of_another_version_or_a_broken_one_is_named(machine):
    install(machine, *NAMES[:-1], "cudnn.so.8")
    assert "libcudnn.so.9 (only libcudnn.so.8 is there)" in gpu_help.why_no_gpu(BUILD)
    (machine / "nvidia" / "all" / "lib" / "libcudnn.so.9").write_bytes(b"cut")
    assert "libcudnn.so.9 (there, but does not load)" in gpu_help.why_no_gpu(BUILD)


def test_with_all_libraries_the_driver_is_asked_for(machine):
    install(machine, *NAMES)
    assert "the driver does not answer: does nvidia-smi list the GPU?" in gpu_help.why_no_gpu(BUILD)


def test_hidden_gpus_and_a_tensorflow_without_cuda(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_help.why_no_gpu(BUILD) == "CUDA_VISIBLE_DEVICES hides all GPUs; type: unset CUDA_VISIBLE_DEVICES"
    assert "was built without CUDA" in gpu_help.why_no_gpu({"is_cuda_build": False})


@pytest.mark.parametrize("capability", [(6, 1), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0)])
def test_cards_with_kernels_are_not_warned_of(capability):
    assert gpu_help.card_warning("card", capability, BUILD) is None


@pytest.mark.parametrize("name, capability", [("NVIDIA GeForce RTX 5090", (12, 0)), ("Quadro M4000", (5, 2))])
def test_cards_without_kernels_are_named_with_what_helps(name, capability):
    said = gpu_help.card_warning(name, capability, BUILD)
    assert f"no kernels for {name} (compute capability {capability[0]}.{capability[1]}; it has 6.0, 7.0" in said
    assert "CUDA_ERROR_INVALID_PTX" in said and "--devices CPU:0" in said


def test_without_libdevice_xla_can_not_work_and_what_to_install_is_said(machine, monkeypatch):
    monkeypatch.chdir(machine)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if not glob.glob("/usr/local/cuda*/nvvm/libdevice/*"):
        assert gpu_help.why_no_xla().startswith("XLA needs libdevice.10.bc, and finds none; type: pip install")
    folder = machine / "cuda" / "nvvm" / "libdevice"
    folder.mkdir(parents=True)
    (folder / "libdevice.10.bc").touch()
    monkeypatch.setenv("XLA_FLAGS", f"--xla_gpu_cuda_data_dir={machine / 'cuda'}")
    assert gpu_help.why_no_xla() is None


def test_the_training_says_it(machine, tiny, monkeypatch):
    import tensorflow as tf

    from devices import start

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    assert "(TensorFlow sees no GPU: TensorFlow needs libcudart.so.12 (missing)" in start.set_up()[1]
