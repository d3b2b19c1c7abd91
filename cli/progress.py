"""What a run shows on the screen: a progress bar or plain lines, and warnings."""

import sys
import time

from tqdm import tqdm


def duration(seconds):
    """Seconds in words: 45 s, 12 min, 1 h 50 min."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """On a terminal a bar with losses and images/s, elsewhere lines as the article prints them."""

    def __init__(self, start, stop, batches_per_epoch, batch_size):
        self.batches_per_epoch, self.batch_size = batches_per_epoch, batch_size
        self.start_time = self.log_time = time.time()
        self.start = self.log_position = self.position = start
        self.stop, self.estimated = stop, False
        terminal = sys.stdout.isatty()
        self.bar = tqdm(
            total=stop,
            initial=start,
            unit="batch",
            dynamic_ncols=True,
            file=sys.stdout,
            disable=not terminal,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n}/{total} [{elapsed}<{remaining}{postfix}]",
        )

    def advance(self):
        """Count one more batch."""
        if self.position % self.batches_per_epoch == 0 or self.position == self.start:
            epochs = self.stop // self.batches_per_epoch
            self.bar.set_description_str(f"Epoch {self.position // self.batches_per_epoch + 1}/{epochs}", False)
        self.position += 1
        self.bar.update()

    def log(self, losses):
        """Show the losses of the batch just done. Returns images/s since the last call."""
        now = time.time()
        rate = (self.position - self.log_position) * self.batch_size / (now - self.log_time)
        if self.position > self.start + 4 and not self.estimated:  # the first batch compiles
            self.estimated = True
            each = (now - self.log_time) / (self.position - self.log_position)
            self.say(f"about {duration(each * (self.stop - self.position))} left at {each:.2f} s per batch")
        self.log_time, self.log_position = now, self.position
        d_loss, g_loss = losses["d_loss"], losses["g_loss"]
        if self.bar.disable:
            epoch, idx = divmod(self.position - 1, self.batches_per_epoch)
            print(
                f"Epoch: [{epoch:2d}] [{idx:4d}/{self.batches_per_epoch:4d}] time: {now - self.start_time:4.4f}, "
                f"d_loss: {d_loss:.8f}, g_loss: {g_loss:.8f}",
                flush=True,
            )
        else:
            self.bar.set_postfix_str(f"d_loss {d_loss:.3f} g_loss {g_loss:.3f} {rate:.0f} images/s")
        return rate

    def leave_out(self):
        """Leave the time since the last `log` out of the images/s."""
        self.log_time, self.log_position = time.time(), self.position

    def say(self, message):
        """Print a line without breaking the bar."""
        self.bar.write(message, file=sys.stdout)
        sys.stdout.flush()

    def close(self):
        """Leave the bar as it is."""
        self.bar.close()


class Countdown:
    """Progress of work that counts to `total`: a bar with the time left on a terminal, elsewhere a line per minute."""

    def __init__(self, total, what):
        self.total, self.what, self.done = total, what, 0
        self.began = self.told = time.time()
        self.bar = tqdm(
            total=total,
            desc=what,
            dynamic_ncols=True,
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
            leave=False,
            bar_format="{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]",
        )

    def advance(self, n=1):
        """Count n more."""
        self.done += n
        self.bar.update(n)
        now = time.time()
        if self.bar.disable and self.done and now - self.told > 60:
            self.told = now
            left = (now - self.began) / self.done * (self.total - self.done)
            print(f"{self.what}: {self.done / self.total:.0%}, about {duration(left)} left", flush=True)

    def close(self):
        """Take the bar away."""
        self.bar.close()
