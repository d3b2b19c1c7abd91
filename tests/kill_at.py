"""Run train-dcgan.py and end it by SIGKILL just before its n-th change to a file or folder.

    python kill_at.py N FOLDER ARGUMENTS...

Counts what Python opens to write, renames, makes and removes below FOLDER (the audit events of it).
"""

import os
import runpy
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

left, folder = int(sys.argv[1]), sys.argv[2]
sys.path.insert(0, ROOT)
sys.argv = [os.path.join(ROOT, "train-dcgan.py"), *sys.argv[3:]]


def count(event, arguments):
    """Audit hook: the last of the counted events does not come to pass."""
    global left
    changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
    )
    if changes and str(arguments[0]).startswith(folder):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(count)
runpy.run_path(sys.argv[0], run_name="__main__")
