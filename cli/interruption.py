"""SIGINT (Ctrl-C), SIGTERM and SIGHUP (a terminal that is gone), which end work in good order."""

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While it is entered, the first signal is only noted, as `signal`; a second one of its kind ends the process.

    The handler raises nothing, so no line of the work is left half done. SIGHUP stays ignored where it is, as
    under nohup.

    message: what is written to standard error at once, where that is still there
    """

    def __init__(self, message=""):
        self.message, self.signal = message, 0

    def __enter__(self):
        handled = [number for number in SIGNALS if number != signal.SIGHUP or not is_ignored(number)]
        self.before = {number: signal.signal(number, self._note) for number in handled}
        return self

    def _note(self, number, _frame):
        self.signal = self.signal or number
        signal.signal(number, self.before[number])
        with contextlib.suppress(OSError):  # print may be busy with the line that was interrupted
            os.write(2, f"\n{self.message}\n".encode() if self.message else b"\n")

    @property
    def exit_code(self):
        """The exit code that the signal asks for; 0 without one."""
        return 128 + self.signal if self.signal else 0

    def signal_after(self, _step):
        """The signal that ends the training after this step, or 0."""
        return self.signal

    def __exit__(self, *_error):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def is_ignored(number):
    """Whether a signal is ignored."""
    return signal.getsignal(number) == signal.SIG_IGN


def leave_signals_to_parent():
    """Prepare a worker process: what a terminal sends to all is its parent's affair, and it ends with that.

    SIGTERM ends it: multiprocessing ends workers so.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
