"""SIGINT (Ctrl-C) and SIGTERM, which end a training after the current batch."""

import os
import signal


class Interruption:
    """While it is entered, the first SIGINT or SIGTERM is only noted; a second one ends the process as usual."""

    def __enter__(self):
        self.signal = 0
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, number, _frame):
        self.signal = number
        os.write(2, b"\nfinishing this batch, then saving\n")  # print may be busy with the line that was interrupted
        signal.signal(number, self.before[number])

    def signal_after(self, _step):
        """The signal that ends the training after this step, or 0."""
        return self.signal

    def __exit__(self, *_error):
        for number, handler in self.before.items():
            signal.signal(number, handler)
