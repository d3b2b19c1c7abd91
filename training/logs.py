"""What a run logs while it trains: to the screen and to TensorBoard, with warnings."""

import dataclasses

import utils
from cli.progress import Progress
from runs.summaries import Summaries


class RunLog:
    """Everything that a run shows while it trains: progress, TensorBoard's logs, warnings.

    run: a training.state.Run, at its first batch
    last: the position at which it ends
    """

    def __init__(self, run, last):
        self.run = run
        self.progress = Progress(run.position, last, run.batches_per_epoch, run.config.batch_size)
        self.summaries = Summaries(None if run.read_only else run.config.log_dir, run.step)
        self.watch = Watch(self.progress.say)
        if not run.read_only:
            self.summaries.start(run.step, dataclasses.asdict(run.config), run.reals)

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

    def evaluation(self, numbers):
        """Log what Run.evaluate returned."""
        if numbers:
            self.summaries.evaluation(self.run.step, numbers)
            shown = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
            self.progress.leave_out()
            self.progress.say(f"evaluation at step {self.run.step:,}: {shown}")

    def samples(self, images):
        """Log what Run.sample returned."""
        self.summaries.images(self.run.step, utils.merge(images))
        self.watch.samples(self.run.step, images)


class Watch:
    """Warns, once each, when one network has won or when the generator draws only one picture.

    say: a function that prints a message. The thresholds are ours: a healthy d_loss starts near 1, and
    the pixels of healthy samples vary by some 50 levels of 255.
    """

    LONG = 500  # batches

    def __init__(self, say):
        self.say, self.since, self.warned = say, {}, set()

    def losses(self, step, losses):
        """Check the losses of a step."""
        what = f"d_loss has been near zero for {self.LONG} batches: the discriminator has won, and"
        self._check("d_loss", step, losses["d_loss"] < 0.05, f"{what} the generator learns little from it")
        what = f"g_loss has been near zero for {self.LONG} batches: the discriminator takes every image for real, and"
        self._check("g_loss", step, losses["g_loss"] < 0.05, f"{what} the generator learns nothing from it")

    def samples(self, step, images):
        """Check the samples of a step, uint8 [N, H, W, C]."""
        alike = float(images.std(axis=0).mean()) < 2
        self._check("alike", step, alike, f"all samples have been alike for {self.LONG} batches: the generator is dead")

    def _check(self, name, step, dead, message):
        since = self.since.setdefault(name, step) if dead else self.since.pop(name, step)
        if dead and step - since >= self.LONG and name not in self.warned:
            self.warned.add(name)
            self.say(
                f"warning: {message}. If the samples do not improve, stop, and go back to an earlier checkpoint with "
                "--step, and with --g_steps 3 or --d_learning_rate 0.0001"
            )
