"""What a person sees of a run: a progress bar or plain lines, and TensorBoard's logs."""

import contextlib
import sys
import time

import tensorflow as tf
from tqdm import tqdm

from errors import SaveError


def duration(seconds):
    """Seconds in words: 45 s, 12 min, 1 h 50 min."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Progress:
    """A bar with losses and images/s on a terminal, else lines in the article's form."""

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
        """One more batch is done."""
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
            self.say(f"about {duration(each * (self.stop - self.position))} to go at {each:.2f} s a batch")
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

    def say(self, message):
        """Print a line without breaking the bar."""
        self.bar.write(message, file=sys.stdout)
        sys.stdout.flush()

    def close(self):
        """Leave the bar as it stands."""
        self.bar.close()


class Watch:
    """Warns, once of each, of a discriminator that has won and of a generator that draws one picture.

    say: a function that prints a message. The bounds are ours: a healthy d_loss stays near 1, and
    pixels of healthy samples vary by some 50 levels of 255.
    """

    LONG = 500  # batches

    def __init__(self, say):
        self.say, self.since, self.warned = say, {}, set()

    def losses(self, step, losses):
        """Look at the losses of a step."""
        what = f"d_loss has been near zero for {self.LONG} batches: the discriminator has won, and"
        self._note("d_loss", step, losses["d_loss"] < 0.05, f"{what} the generator learns little from it")
        what = f"g_loss has been near zero for {self.LONG} batches: the discriminator takes all for real, and"
        self._note("g_loss", step, losses["g_loss"] < 0.05, f"{what} the generator learns nothing from it")

    def samples(self, step, images):
        """Look at the samples of a step, uint8 [N, H, W, C]."""
        alike = float(images.std(axis=0).mean()) < 2
        self._note("alike", step, alike, f"all samples have been alike for {self.LONG} batches: the generator is dead")

    def _note(self, name, step, dead, message):
        since = self.since.setdefault(name, step) if dead else self.since.pop(name, step)
        if dead and step - since >= self.LONG and name not in self.warned:
            self.warned.add(name)
            self.say(
                f"warning: {message}. If the samples get no better, stop and go back with --step to a checkpoint "
                "from before, with --g_steps 3 or --d_learning_rate 0.0001"
            )


class Summaries:
    """TensorBoard's logs, under the original's tags. Raises SaveError where they can't be written."""

    def __init__(self, log_dir, step):
        """log_dir: None writes nothing. step: batches already trained; what a process that was killed logged after
        it is superseded."""
        self.log_dir = log_dir
        if log_dir is None:
            self.writer = tf.summary.create_noop_writer()
            return
        with self.writing(), tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(log_dir) as writer:
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            writer.add_session_log(start, step + 1)  # TensorBoard drops earlier events from this step on
        self.writer = tf.summary.create_file_writer(log_dir)

    @contextlib.contextmanager
    def writing(self):
        """TensorFlow's errors in words."""
        try:
            yield
        except tf.errors.OpError as error:
            raise SaveError(f"--log_dir {self.log_dir}: can't be written to ({SaveError.reason(error)})") from error

    def scalars(self, step, losses, outputs, images_per_second):
        """Losses, D's mean probabilities, rate; histograms of z, D(x) (d) and D(G(z)) (d_)."""
        names = {"d_real": "D(x)", "d_fake": "D(G(z))"}
        with self.writing(), self.writer.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(names.get(name, name), value)
            tf.summary.scalar("images_per_second", images_per_second)
            for name, values in outputs.items():
                tf.summary.histogram(name, values)
            self.writer.flush()

    def images(self, step, grid):
        """The sample grid, uint8 [H, W, C]."""
        with self.writing(), self.writer.as_default(step):
            tf.summary.image("G", grid[None])
            self.writer.flush()

    def close(self):
        """Let go of the file. Nothing is pending."""
        with contextlib.suppress(tf.errors.OpError):  # an error of before, once more
            self.writer.close()
