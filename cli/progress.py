"""How far work has come: the one display that all scripts use."""

import sys
import time

from tqdm import tqdm

MINUTE = 60  # seconds between two lines, where there is no terminal
BAR = "{desc} {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}<{remaining}{postfix}]"
UNKNOWN = "{desc} {n} [{elapsed}{postfix}]"  # while the total is not known


def duration(seconds):
    """Seconds in words: 45 s, 12 min, 1 h 50 min."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """Work that counts to a total: on a terminal a bar with the time left, elsewhere a line per minute.

    what: the work, in a word or two
    total: None while it is not known; it may be set later
    done: how much of it was done before
    stays: whether the bar stays when it is closed
    every: seconds between two lines

    `text`, which may be set, says how it goes in a few words.
    """

    def __init__(self, what, total=None, done=0, stays=False, every=MINUTE):
        self.what, self.total, self.done, self.before = what, total, done, done
        self.text, self.every = "", every
        self.began = self.told = time.monotonic()  # a clock that is never set
        self.bar = tqdm(
            total=total, initial=done, desc=what, dynamic_ncols=True, file=sys.stdout, leave=stays,
            bar_format=BAR if total else UNKNOWN, disable=not sys.stdout.isatty(),
        )  # fmt: skip
        if not self.bar.disable:  # tqdm's own clock is the time of day
            self.bar._time, self.bar.start_t, self.bar.last_print_t = time.monotonic, self.began, self.began

    def advance(self, n=1):
        """Count n more."""
        self.done += n
        if self.bar.disable:
            if time.monotonic() - self.told > self.every:
                self.told = time.monotonic()
                self.say(self.line())
            return
        if self.total != self.bar.total:
            self.bar.total, self.bar.bar_format = self.total, BAR
        self.bar.set_postfix_str(self.text, refresh=False)
        self.bar.update(n)

    def name(self, what):
        """Call the work otherwise, such as by its part that is done now."""
        self.bar.set_description_str(what, refresh=False)

    def line(self):
        """The state in a line: how much is done, what `text` says, and the time left."""
        share = f"{self.done / self.total:.0%}" if self.total else f"{self.done:,}"
        left = f"about {duration(self.left())} left" if self.total else ""
        return f"{self.what}: " + ", ".join(filter(None, [share, self.text, left]))

    def took(self):
        """Seconds so far."""
        return time.monotonic() - self.began

    def rate(self):
        """How much is done per second."""
        return (self.done - self.before) / max(self.took(), 1e-9)

    def left(self):
        """Seconds that the rest of the total takes at that rate."""
        return (self.total - self.done) / max(self.rate(), 1e-9)

    def say(self, message):
        """Print a line without breaking the bar."""
        self.bar.write(message, file=sys.stdout)
        sys.stdout.flush()

    def close(self):
        """Take the bar away, or leave it as it is."""
        self.bar.close()
