"""What a run shows while it trains: on the screen, and in TensorBoard's logs; and what to type next."""

import dataclasses
import os
import shlex
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import utils
from cli.progress import MINUTE, Progress, duration
from runs.summaries import ABOUT, COMPARABLE, Summaries, tensorboard_command


class RunLog:
    """Everything that a run shows while it trains: where to look, progress, losses, samples, warnings, how it ended.

    run: a training.state.Run, at its first batch
    last: the position at which it ends
    log_dir: the folder of TensorBoard's logs, or None
    reals: a grid of real images, of a new run

    Raises SaveError if the logs can't be written.
    """

    def __init__(self, run, last, log_dir, reals=None):
        self.run, self.last, self.log_dir, config = run, last, log_dir, run.config
        print(f"samples: every {config.sample_every:,} batches in {config.sample_dir}, beside real.png")
        print(f"losses: {tensorboard_command(config.log_dir)}")
        print("then open http://localhost:6006/#custom_scalars, where d_loss and g_loss are in one chart")
        self.summaries = Summaries(log_dir, run.step)
        for numbers in run.evaluations.values():
            self.summaries.add_evaluation_charts(numbers.get("n", COMPARABLE))
        self.summaries.start(run.step, dataclasses.asdict(config), reals)
        self.progress = Progress("training", last, done=run.position, stays=True, every=10 * MINUTE)
        self.watch = Watch(self.progress.say, config)
        self.thread, self.writing = ThreadPoolExecutor(1), None
        self.restart_clock()
        self.estimated = False

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.thread.shutdown()
        self.progress.close()
        self.summaries.close()

    def restart_clock(self):
        """Count images per second from here."""
        self.logged_at, self.logged_position = time.monotonic(), self.run.position

    def losses(self, losses, outputs):
        """Log the losses, {name: number}, and the outputs, as DCGAN.update returns them, of the batch just trained."""
        run = self.run
        batches = run.position - self.logged_position
        each = (time.monotonic() - self.logged_at) / max(batches, 1)
        rate = run.config.batch_size / max(each, 1e-9)
        if run.position > self.progress.before + 4 and not self.estimated:  # the first batch compiles
            self.estimated = True
            self.progress.say(f"about {duration(each * (self.last - run.position))} left at {each:.2f} s per batch")
        epoch, idx = divmod(run.position - 1, run.batches_per_epoch)
        if self.progress.bar.disable:
            took = self.progress.took()
            print(
                f"Epoch: [{epoch:2d}] [{idx:4d}/{run.batches_per_epoch:4d}] time: {took:4.4f}, "
                f"d_loss: {losses['d_loss']:.8f}, g_loss: {losses['g_loss']:.8f}"
            )
        self.progress.name(f"Epoch [{epoch}/{run.config.epoch}]")  # from 0, as in the lines and file names
        self.progress.text = f"d_loss {losses['d_loss']:.3f} g_loss {losses['g_loss']:.3f} {rate:.0f} images/s"
        self.summaries.scalars(run.step, losses, outputs, images_per_second=rate)
        self.watch.losses(run.step, losses)
        self.restart_clock()

    def evaluation(self, numbers):
        """Log what Run.evaluate returned."""
        if numbers:
            drawn = {name: value for name, value in numbers.items() if name not in ABOUT}
            self.summaries.evaluation(self.run.step, drawn, numbers.get("n", COMPARABLE))
            shown = ", ".join(f"{name} {value:.3f}" for name, value in drawn.items())
            self.restart_clock()
            left = f"; about {duration(self.progress.left())} left" if self.progress.done > self.progress.before else ""
            self.progress.say(f"evaluation at step {self.run.step:,}: {shown}{left}")

    def samples(self, images):
        """Log what Run.sample returned, in a thread, since to encode a grid takes longer than many batches on a GPU.

        Raises what `wait` does, for the samples before.
        """
        self.wait()
        self.writing = self.thread.submit(self._samples, images, self.run.step, self.run.position)

    def _samples(self, images, step, position):
        self.run.write_grid(images, position)
        self.summaries.images(step, utils.merge(images))
        self.watch.samples(step, images)

    def wait(self):
        """Wait until the samples are written. Raises OSError or SaveError, if they can't be."""
        writing, self.writing = self.writing, None
        if writing:
            writing.result()

    def farewell(self, stopped_by):
        """Say how the run ended and what to type next. stopped_by: a signal, or 0. Returns the exit code."""
        run, config = self.run, self.run.config
        if run.data.bad or run.data.passing:  # of several machines, each one names those that it met
            print(run.data.bad_report(), file=sys.stdout if self.log_dir else sys.stderr)
        if stopped_by:
            print(f"stopped by {signal.Signals(stopped_by).name} after step {run.step}, and saved.")
            print(f"The same command{' without --step' if config.step else ''} continues from here.")
            return 128 + stopped_by
        print(f"done: {config.epoch} {'epoch' if config.epoch == 1 else 'epochs'}, {run.step:,} batches")
        if best := run.best_step():
            fdd = run.evaluations[best]["FDD"]
            print(f"lowest FDD: {fdd:.4f} at step {best:,}, kept; the other scripts take it with --step {best}")
        elif run.evaluations and not any(map(run.draws_faces, run.evaluations)):
            print("no checkpoint is kept as the best: dlib's detector finds faces in too few of their pictures")
        print(f"the last samples: {run.last_grid}; all of them: {os.path.join(config.sample_dir, 'index.html')}")
        print(f"losses: {tensorboard_command(config.log_dir)}")
        return 0


class Watch:
    """Warns, once each, when one network has won, or when the generator draws only one picture.

    say: a function that prints a message
    config: a TrainSettings

    What helps is what the tables of docs/evaluation.md support. The thresholds are ours: a healthy d_loss starts near
    1, and the pixels of healthy samples vary by some 50 levels of 255.
    """

    LONG = 500  # batches

    def __init__(self, say, config):
        self.say, self.since, self.warned = say, {}, set()
        folders = ["--dataset", config.dataset, "--checkpoint_dir", config.checkpoint_dir]
        self.measure = "to see whether FDD still falls: " + shlex.join(["./evaluate.py", *folders, "--steps", "all"])
        if config.evaluate_every:
            self.measure = "see whether FDD above still falls"
        self.remedy = "go back to an earlier checkpoint with --step, or start anew with another --seed"
        if is_weaker(config):
            self.remedy = "give D the width and the learning rate of G: a weaker D makes all faces alike"

    def losses(self, step, losses):
        """Check the losses of a step."""
        message = (
            f"d_loss has been near zero for {self.LONG} batches: the discriminator knows its photos. Late in a run, or "
            f"with few photos, that is normal; {self.measure}"
        )
        self._check("d_loss", step, losses["d_loss"] < 0.05, message)
        message = (
            f"warning: g_loss has been near zero for {self.LONG} batches: the discriminator takes every image for "
            f"real, and the generator learns nothing from it; {self.remedy}"
        )
        self._check("g_loss", step, losses["g_loss"] < 0.05, message)

    def samples(self, step, images):
        """Check the samples of a step, uint8 [N, H, W, C]."""
        alike = float(images.std(axis=0).mean()) < 2
        message = f"warning: all samples have been alike for {self.LONG} batches: the generator is dead; {self.remedy}"
        self._check("alike", step, alike, message)

    def _check(self, name, step, dead, message):
        if not dead:
            self.since.pop(name, None)
            return
        since = self.since.setdefault(name, step)
        if step - since >= self.LONG and name not in self.warned:
            self.warned.add(name)
            self.say(message)


def is_weaker(config):
    """Whether D is narrower than G or learns more slowly."""
    d_rate, g_rate = (rate or config.learning_rate for rate in (config.d_learning_rate, config.g_learning_rate))
    return np.mean(config.df_dim) < np.mean(config.gf_dim) or d_rate < g_rate
