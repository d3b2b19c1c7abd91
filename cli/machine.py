"""What this process may take of the machine: cores, memory, folders to write to."""

import contextlib
import math
import multiprocessing
import os
import re
import tempfile

import psutil

from errors import UserError

CGROUPS = "/sys/fs/cgroup"
MEMBERSHIP = "/proc/self/cgroup"
CPUINFO = "/proc/cpuinfo"


def cores():
    """How many cores this process may use: by its affinity, and by its control groups' limits of CPU time."""
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for group in groups("cpu"):
        limit = numbers(group, "cpu.max") or numbers(group, "cpu.cfs_quota_us") + numbers(group, "cpu.cfs_period_us")
        if len(limit) == 2 and limit[0] > 0:  # microseconds of CPU time per period, of all cores together
            number = min(number, math.ceil(limit[0] / limit[1]))
    return number


def free_memory():
    """Bytes that this process may still take: of the machine's memory, and below its control groups' limits.

    What a group holds of files that nobody has used for long is free too: the kernel drops it when memory is needed.
    """
    free = psutil.virtual_memory().available
    for group in groups("memory"):
        limit = numbers(group, "memory.max") or numbers(group, "memory.limit_in_bytes")
        used = numbers(group, "memory.current") or numbers(group, "memory.usage_in_bytes")
        if limit and used:
            unused_files = numbers(group, "memory.stat", r"^(?:total_)?inactive_file (\d+)$")
            free = min(free, max(limit[0] - used[0] + max(unused_files, default=0), 0))
    return free


def groups(controller):
    """Yield the folders of this process's control groups, versions 1 and 2, and of the groups above them."""
    with contextlib.suppress(OSError), open(MEMBERSHIP) as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if not controllers or controller in controllers.split(","):
                top = os.path.join(CGROUPS, controller) if controllers else CGROUPS
                while path.strip("/"):
                    yield top + path
                    path = os.path.dirname(path)
                yield top


def numbers(group, name, pattern=r"(-?\d+)"):
    """The whole numbers that a pattern finds in a file of a control group; none without the file, or for "max"."""
    try:
        with open(os.path.join(group, name)) as file:
            text = file.read()
    except OSError:
        return []
    return [] if text.startswith("max") else [int(number) for number in re.findall(pattern, text, re.MULTILINE)]


def check_processor():
    """Refuse a processor without AVX, for which TensorFlow and dlib are not built: they would end. Raises UserError."""
    try:
        with open(CPUINFO) as file:
            flags = re.search(r"^flags\s*:(.*)", file.read(), re.MULTILINE)
    except OSError:
        return
    if flags and "avx" not in flags[1].split():
        raise UserError(
            "this processor has no AVX instructions, for which TensorFlow and dlib are built; use another machine or, "
            "in a virtual one, a CPU model with AVX (QEMU: -cpu host)"
        )


def check_shared_memory():
    """Refuse a machine where processes can't share a lock, as without /dev/shm. Raises UserError."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:
        raise UserError(
            f"worker processes can't share a lock here ({error.strerror.lower()}): they need a /dev/shm that can be "
            "written to; type: mount -t tmpfs tmpfs /dev/shm, or start the container with --shm-size 64m"
        ) from error


def make_folder(flag, folder):
    """Make a folder that can be written to. Raises UserError, naming the flag."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{flag} {folder}: can't be written to ({error.strerror.lower()})") from error
