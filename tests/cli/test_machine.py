"""What a process may take of the machine, with made-up control groups, processors and folders."""

import multiprocessing
import types

import psutil
import pytest

from cli import machine
from errors import UserError

GB = 1 << 30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """make(membership, {file: content}): control groups in which this process is."""
    monkeypatch.setattr(machine, "CGROUPS", str(tmp_path / "cgroup"))
    monkeypatch.setattr(machine, "MEMBERSHIP", str(tmp_path / "membership"))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: types.SimpleNamespace(available=64 * GB))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _pid: set(range(16)), raising=False)

    def make(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, content in files.items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(str(content))

    return make


def test_memory_is_what_the_tightest_group_of_version_2_leaves(groups):
    files = {"memory.max": "max", "slurm/memory.max": 8 * GB, "slurm/memory.current": 7 * GB}
    files |= {"slurm/memory.stat": f"anon 1\ninactive_file {3 * GB}\nslab 5\n"}
    files |= {"slurm/job/memory.max": 32 * GB, "slurm/job/memory.current": GB}
    groups("0::/slurm/job\n", files)
    assert machine.free_memory() == 4 * GB  # 8 - 7 + 3 that files hold unused


def test_memory_of_version_1_is_read_too(groups):
    files = {"memory/docker/abc/memory.limit_in_bytes": 2 * GB, "memory/docker/abc/memory.usage_in_bytes": GB}
    files |= {"memory/memory.limit_in_bytes": 9223372036854771712, "memory/memory.usage_in_bytes": 5 * GB}
    groups("12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/\n", files)
    assert machine.free_memory() == GB


def test_cores_are_those_of_the_limits(groups):
    groups("0::/job\n", {"job/cpu.max": "250000 100000"})
    assert machine.cores() == 3
    groups("3:cpu,cpuacct:/job\n", {"cpu/job/cpu.cfs_quota_us": 200000, "cpu/job/cpu.cfs_period_us": 100000})
    assert machine.cores() == 2
    groups("0::/job\n", {"job/cpu.max": "max 100000"})
    assert machine.cores() == 16


def test_a_processor_without_avx_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", str(tmp_path / "cpuinfo"))
    (tmp_path / "cpuinfo").write_text("processor: 0\nflags\t\t: fpu sse4_2\n")
    with pytest.raises(UserError, match="no AVX instructions"):
        machine.check_processor()
    for content in ("flags\t\t: fpu avx sse\n", "Features: asimd\n"):  # the second: an Arm processor
        (tmp_path / "cpuinfo").write_text(content)
        machine.check_processor()


def test_a_machine_without_shared_memory_is_refused(monkeypatch):
    def refuse(*_arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(multiprocessing.get_context("spawn").__class__, "Lock", refuse)
    with pytest.raises(UserError, match=r"function not implemented.: they need a /dev/shm"):
        machine.check_shared_memory()
