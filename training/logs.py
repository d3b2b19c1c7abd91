"""What a run logs: losses, histograms and sample grids for TensorBoard, beside what progress.py shows."""

import contextlib
import os
import shlex
import shutil
import sys

import tensorflow as tf

import utils
from errors import SaveError, short_reason
from training.progress import Progress, Watch


class RunLog:
    """Everything that a run shows while it trains: progress, TensorBoard's logs, warnings.

    run: a training.run.Run, at its first batch
    last: the position at which it ends
    """

    def __init__(self, run, last):
        self.run = run
        self.progress = Progress(run.position, last, run.batches_per_epoch, run.config.batch_size)
        self.summaries = Summaries(None if run.read_only else run.config.log_dir, run.step)
        self.watch = Watch(self.progress.say)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.progress.close()
        self.summaries.close()

    def advance(self):
        """Count one more batch."""
        self.progress.advance()

    def losses(self, losses, outputs):
        """Log the losses and outputs of the batch just trained, as DCGAN.update returns them. Raises NotFiniteError."""
        losses = {name: float(value) for name, value in losses.items()}
        self.run.check_finite(losses)
        self.summaries.scalars(self.run.step, losses, outputs, images_per_second=self.progress.log(losses))
        self.watch.losses(self.run.step, losses)

    def samples(self, images):
        """Log what Run.sample returned."""
        self.summaries.images(self.run.step, utils.merge(images))
        self.watch.samples(self.run.step, images)


class Summaries:
    """TensorBoard's logs, with the original's tags. Raises SaveError if they can't be written."""

    def __init__(self, log_dir, step):
        """log_dir: None writes nothing. step: batches already trained; later events of a killed process are dropped."""
        self.log_dir = log_dir
        if log_dir is None:
            self.writer = tf.summary.create_noop_writer()
            return
        with self._writing(), tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(log_dir) as writer:
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            writer.add_session_log(start, step + 1)  # TensorBoard drops earlier events from this step on
        self.writer = tf.summary.create_file_writer(log_dir)

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except tf.errors.OpError as error:
            raise SaveError(f"--log_dir {self.log_dir}: can't be written to ({short_reason(error)})") from error

    def scalars(self, step, losses, outputs, images_per_second):
        """Write losses, D's mean probabilities and the rate, and histograms of z, D(x) (d) and D(G(z)) (d_)."""
        names = {"d_real": "D(x)", "d_fake": "D(G(z))"}
        with self._writing(), self.writer.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(names.get(name, name), value)
            tf.summary.scalar("images_per_second", images_per_second)
            for name, values in outputs.items():
                tf.summary.histogram(name, values)
            self.writer.flush()

    def images(self, step, grid):
        """Write the sample grid, uint8 [H, W, C]."""
        with self._writing(), self.writer.as_default(step):
            tf.summary.image("G", grid[None])
            self.writer.flush()

    def close(self):
        """Close the file. Every write has been flushed."""
        with contextlib.suppress(tf.errors.OpError):  # an earlier error, once more
            self.writer.close()


def tensorboard_command(log_dir):
    """The command that shows the logs, as it can be typed here: by its name in an environment, else by its path."""
    program = "tensorboard"
    if not shutil.which(program):
        program = shlex.quote(os.path.relpath(os.path.join(os.path.dirname(sys.executable), program)))
    return f"{program} --logdir {shlex.quote(log_dir)} --samples_per_plugin images=200"
