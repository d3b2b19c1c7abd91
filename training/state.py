"""What a run's checkpoints hold: the networks with their optimizers, the fixed z, the place in the data, bad files."""

import contextlib
import json
import math
import os

import numpy as np
import tensorflow as tf

import utils
from errors import NotFiniteError, UserError
from model import DCGAN
from runs import gallery, resume
from runs.checkpoints import Checkpoints
from runs.files import EVALUATIONS, read_json
from runs.loading import load_initial_weights

SAMPLES = 64  # images in a sample grid: 8x8, as in the original


class Run:
    """A run in its checkpoint folder, restored, or a new one.

    `step` is the number of batches trained so far, `position` the place in the data, in batches. The two
    are equal unless the number of images changed between two parts of the run.

    config: a TrainSettings
    data: the ImageData that it trains on
    strategy: of tf.distribute
    saved: the settings of the run's last part, None for a new run
    initial: the network.Network of --init_from, or None

    Locks the checkpoint folder, and prints which run it is. Raises UserError.
    """

    read_only = False  # a Follower's is True

    def __init__(self, config, data, strategy, saved=None, initial=None):
        self.config, self.data, self.batches_per_epoch = config, data, data.batches_per_epoch
        self.saved, self.last_grid = saved, None
        with strategy.scope():
            self.dcgan = DCGAN(**config.keywords_of(DCGAN))
        rng = np.random.default_rng([config.seed, 0, 2])  # [seed, n] is the key of picture n and of epoch n
        sample_z = rng.uniform(-1, 1, [SAMPLES, config.z_dim])
        self.sample_z = tf.Variable(sample_z, dtype=tf.float32, trainable=False)
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)  # set at each save, as idx is
        self.idx = tf.Variable(0, dtype=tf.int64, trainable=False)
        with tf.device("CPU:0"):  # {path: reason} of the broken files, as JSON
            self.bad = tf.Variable("{}", dtype=tf.string, trainable=False)
        parts = dict(dcgan=self.dcgan, sample_z=self.sample_z, epoch=self.epoch, idx=self.idx, bad=self.bad)
        self.checkpoints = Checkpoints(config.checkpoint_dir, config.max_to_keep, self.read_only, **parts)
        self.weights = weights = [v for v in self.dcgan.variables if v.dtype.is_floating]
        self.are_finite = tf.function(
            lambda: tf.stack([tf.reduce_all(tf.math.is_finite(w)) for w in weights]), jit_compile=config.xla or None
        )
        self.restore(initial)

    def restore(self, initial):
        """Restore the newest checkpoint or that of --step; without one, start from --init_from or anew."""
        config, data = self.config, self.data
        self.step = self.checkpoints.restore(config.step)
        evaluations = read_json(config.checkpoint_dir, EVALUATIONS, dict) or {}
        self.evaluations = {int(step): numbers for step, numbers in evaluations.items() if int(step) <= self.step}
        self.checkpoints.best = self.best_step()
        data.bad |= {name: reason for name, reason in json.loads(self.bad.numpy()).items() if name in data.names}
        data.check_bad()
        idx = min(int(self.idx), self.batches_per_epoch)  # the epoch may be shorter than it was
        self.position = int(self.epoch) * self.batches_per_epoch + idx
        if self.step:
            epoch, idx = divmod(self.position, self.batches_per_epoch)
            path = self.checkpoints.path(self.step)
            print(f"resuming from {path}: epoch {epoch}, batch {idx} of {self.batches_per_epoch}")
            later = [step for step in self.checkpoints.steps() if step > self.step]
            if config.step and later and not self.read_only:
                steps = ", ".join(map(str, later))
                print(f"warning: the next save removes the checkpoints of steps {steps}; copy them now to keep them")
            if data.bad:
                print(f"skipped as before: {data.bad_report()}")
        elif initial:
            load_initial_weights(self.dcgan, initial)
            whose = f"from the weights of {initial.prefix}; the optimizers start anew"
            print(f"a new run in {config.checkpoint_dir}, seed {config.seed}, {whose}")
        else:
            again = ", since the last one ended before its first checkpoint" if self.saved else ""
            print(f"a new run in {config.checkpoint_dir}, seed {config.seed}{again}")

    def record(self):
        """Write what a resume compares with, and for a new run a grid of real images, which it returns (else None)."""
        config, data = self.config, self.data
        resume.record(config, self.saved, data.photos, data.held_out)
        if self.step:
            return None
        reals = utils.merge(np.stack([data.image(index) for index in data.order(0).flat[:SAMPLES]]))
        utils.save_image(reals, os.path.join(config.sample_dir, "real.png"))
        return reals

    def advance(self):
        """Count one more batch."""
        self.step += 1
        self.position += 1

    def check_finite(self, losses=None):
        """Raise NotFiniteError unless all losses ({name: number}) and all weights are finite numbers."""
        wrong = [f"{name} is {value}" for name, value in (losses or {}).items() if not math.isfinite(value)]
        good = self.are_finite().numpy()
        wrong += [f"{weight.name} is not finite" for weight, fine in zip(self.weights, good) if not fine]
        if not wrong:
            return
        kept = self.checkpoints.history
        advice = "a lower --learning_rate, such as 0.0001"
        if self.config.precision != "float32":
            advice += ", or --precision float32"
        if kept:
            earlier = f", or from the one before with --step {kept[-2]}" if kept[1:] else ""
            how = f"the last good checkpoint is {self.checkpoints.path(kept[-1])}; the same command with {advice}, "
            how += f"continues from there{earlier}"
        else:
            how = f"there is no checkpoint yet; start again with {advice}"
        more = f" and {len(wrong) - 3} more" if wrong[3:] else ""
        raise NotFiniteError(f"not a finite number at step {self.step:,}: {', '.join(wrong[:3])}{more}; {how}")

    def save(self):
        """Write a checkpoint of this step. Raises SaveError."""
        self.bad.assign(json.dumps(self.data.bad, sort_keys=True))
        self._save_but_bad()

    def _save_but_bad(self):
        epoch, idx = divmod(self.position, self.batches_per_epoch)
        self.epoch.assign(epoch)
        self.idx.assign(idx)
        self.checkpoints.save(self.step)

    @contextlib.contextmanager
    def saving_on_error(self):
        """Save what was trained when bad data or a full disk ends the loop."""
        try:
            yield
        except NotFiniteError:
            raise
        except (UserError, OSError):
            if self.step:
                self.check_finite()
                self._save_but_bad()  # a resume would skip the files that broke just now
            raise

    def sample(self):
        """Draw G(sample_z) -> uint8 [SAMPLES, image_size, image_size, c_dim]."""
        return utils.inverse_transform(self.dcgan.sample(self.sample_z))

    def write_grid(self, images, position):
        """Write images as the grid of the batch trained last at a position. Raises OSError."""
        folder = self.config.sample_dir
        self.last_grid = gallery.grid_path(folder, *divmod(position - 1, self.batches_per_epoch))
        utils.save_image(utils.merge(images), self.last_grid)
        gallery.write_index(folder)

    def evaluate(self, measure):
        """Measure the network after this step -> measure(dcgan), kept in a file; None if that was done before."""
        if self.step in self.evaluations or not self.step:
            return None
        self.evaluations[self.step] = measure(self.dcgan)
        resume.write_json(self.config.checkpoint_dir, EVALUATIONS, self.evaluations)
        self.checkpoints.best = self.best_step()
        if self.checkpoints.saved:  # else later checkpoints stay until the first save, as a resume with --step says
            self.checkpoints.remove_others()
        return self.evaluations[self.step]

    def best_step(self):
        """The step with the lowest FDD of those whose checkpoint is there, or None."""
        there = [step for step in self.evaluations if step in self.checkpoints.history and self.draws_faces(step)]
        return min(there, key=lambda step: self.evaluations[step]["FDD"], default=None)

    def draws_faces(self, step):
        """Whether dlib's detector found a face in at least half as many pictures of a step as in real images."""
        numbers = self.evaluations[step]
        return numbers.get("face rate", 1) >= numbers.get("real face rate", 0) / 2


class Follower(Run):
    """The run as the other ones of several machines see it: the same training, but no files."""

    read_only = True

    def record(self):
        """Write nothing."""

    def write_grid(self, images, position):
        """Write nothing."""

    def evaluate(self, measure):
        """Leave it to the first machine."""
