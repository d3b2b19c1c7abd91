"""A run: what a resume restores, and where it writes."""

import contextlib
import dataclasses
import glob
import json
import math
import os
import signal

import numpy as np
import tensorflow as tf

import utils
from errors import NotFiniteError, UserError
from model import DCGAN
from runs import gallery, resume
from runs.checkpoints import Checkpoints, find_initial_weights, load_initial_weights
from runs.files import EVALUATIONS, HELD_OUT, IDENTITY, IMAGES, SETTINGS, read_json, read_settings
from runs.identity import fingerprints, summary
from runs.summaries import tensorboard_command

SAMPLES = 64  # images in a sample grid: 8x8, as in the original


class Run:
    """The model with its optimizers, the fixed z of the samples, and the position in the data.

    `step` is the number of batches trained so far, `position` the place in the data, in batches. The two
    are equal unless the number of images changed between two parts of the run.
    """

    read_only = False  # peers.Follower's is True

    @classmethod
    def open(cls, config, data, strategy):
        """The run in the checkpoint folder, restored, or a new one. Prints which. Raises UserError."""
        saved = read_settings(config.checkpoint_dir)
        if saved or config.init_from:
            shapes = saved or find_initial_weights(config.init_from)[1]
            config = resume.with_listed_widths(config, shapes)
        resume.check_settings(config, saved, data.photos)
        resume.check_folders(config, saved)
        run = cls(config, data, saved)
        run.make_folders()
        run.build(strategy)
        run.remove_scraps()
        run.restore()
        return run

    def __init__(self, config, data, saved):
        self.config, self.data, self.batches_per_epoch = config, data, data.batches_per_epoch
        self.saved = saved  # the settings of the run's last part, None for a new run
        self.last_grid = None
        self.reals = None  # the grid of real images, of a new run

    def make_folders(self):
        """Make the output folders. Raises UserError for one that can't be written to."""
        for name, folder in self.config.outputs().items():
            resume.make_folder(f"--{name}", folder)

    def build(self, strategy):
        """Create everything that a checkpoint holds, with its initial values, and lock the checkpoint folder."""
        config = self.config
        with strategy.scope():
            self.dcgan = DCGAN(**config.keywords_of(DCGAN))
        sample_z = np.random.default_rng([config.seed, 2]).uniform(-1, 1, [SAMPLES, config.z_dim])
        self.sample_z = tf.Variable(sample_z, dtype=tf.float32, trainable=False)
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.idx = tf.Variable(0, dtype=tf.int64, trainable=False)
        with tf.device("CPU:0"):  # {path: reason} of the broken files, as JSON
            self.bad = tf.Variable("{}", dtype=tf.string, trainable=False)
        self.checkpoints = Checkpoints(
            config.checkpoint_dir,
            config.max_to_keep,
            read_only=self.read_only,
            dcgan=self.dcgan,
            sample_z=self.sample_z,
            epoch=self.epoch,
            idx=self.idx,
            bad=self.bad,
        )
        self.weights = weights = [v for v in self.dcgan.variables if v.dtype.is_floating]
        self.are_finite = tf.function(lambda: tf.stack([tf.reduce_all(tf.math.is_finite(w)) for w in weights]))

    def remove_scraps(self):
        """Remove half-written pictures of a killed run."""
        for pattern in (*resume.PICTURES, "index.html"):
            for path in glob.glob(os.path.join(glob.escape(self.config.sample_dir), f"{pattern}.partial")):
                os.remove(path)

    def restore(self):
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
            if config.lr_decay:
                factor, epochs = self.rate_factor(), config.epoch
                print(f"learning rates: {factor:.0%} of their values here, 0 at the end of --epoch {epochs}")
            if data.bad:
                print(f"skipped as before: {data.bad_report()}")
        elif config.init_from:
            prefix = load_initial_weights(self.dcgan, config.init_from)
            print(f"a new run in {config.checkpoint_dir}, seed {config.seed}, from the weights of {prefix}; "
                  "the optimizers start anew")  # fmt: skip
        else:
            again = ", since the last one ended before its first checkpoint" if self.saved else ""
            print(f"a new run in {config.checkpoint_dir}, seed {config.seed}{again}")

    def record(self):
        """Write the settings and, for a new run, a grid of real images to compare the samples with."""
        config = self.config
        folders = {resume.relative(config, folder) for folder in (config.sample_dir, config.log_dir)}
        folders |= set((self.saved or {}).get("folders", []))
        settings = dataclasses.asdict(config)
        del settings["step"], settings["init_from"]  # they apply to this part of the run only
        settings |= dict(dataset=os.path.abspath(config.dataset), folders=sorted(folders))
        files = {IDENTITY: fingerprints(self.data.photos), IMAGES: summary(self.data.names)}
        files |= {HELD_OUT: list(self.data.held_out)} if len(self.data.held_out) else {}
        for name, content in {**files, SETTINGS: settings}.items():  # the settings last: they say that all is there
            utils.write_text(os.path.join(config.checkpoint_dir, name), json.dumps(content, indent=1) + "\n")
        if not self.step:
            reals = np.stack([self.data.image(index) for index in self.data.order(0).flat[:SAMPLES]])
            self.reals = utils.merge(reals)
            utils.save_image(self.reals, os.path.join(config.sample_dir, "real.png"))

    def rate_factor(self):
        """Factor of the learning rates at this position: 1, or with --lr_decay falling to 0 at the end of the run."""
        share = self.config.lr_decay
        last = self.config.epoch * self.batches_per_epoch
        return 1.0 if share is None else min(1.0, (last - self.position) / (share * last))

    def advance(self):
        """Count one more batch."""
        self.step += 1
        self.position += 1
        epoch, idx = divmod(self.position, self.batches_per_epoch)
        self.epoch.assign(epoch)
        self.idx.assign(idx)

    def check_finite(self, losses=()):
        """Raise NotFiniteError unless all losses ({name: number}) and all weights are finite numbers."""
        wrong = [f"{name} is {value}" for name, value in dict(losses).items() if not math.isfinite(value)]
        wrong += [f"{weight.name} is not finite" for weight, good in zip(self.weights, self.are_finite()) if not good]
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
        """Write a checkpoint of this step. Raises NotFiniteError, SaveError."""
        self.check_finite()
        self.bad.assign(json.dumps(self.data.bad, sort_keys=True))
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
                if not self.read_only:
                    self.checkpoints.save(self.step)  # with the broken files that were known before
            raise

    def sample(self):
        """Draw G(sample_z), and write it as a grid under the name of the batch just trained.

        Returns uint8 [SAMPLES, image_size, image_size, c_dim]. Raises NotFiniteError, OSError.
        """
        self.check_finite()
        images = utils.inverse_transform(self.dcgan.sample(self.sample_z))
        epoch, idx = divmod(self.position - 1, self.batches_per_epoch)
        self.write_grid(images, os.path.join(self.config.sample_dir, f"train_{epoch:02d}_{idx:04d}.png"))
        return images

    def evaluate(self, evaluate):
        """Measure the network after this step -> evaluate(dcgan), kept in a file; None if that was done before."""
        if self.step in self.evaluations or not self.step:
            return None
        self.evaluations[self.step] = evaluate(self.dcgan)
        path = os.path.join(self.config.checkpoint_dir, EVALUATIONS)
        utils.write_text(path, json.dumps(self.evaluations, indent=1) + "\n")
        self.checkpoints.best = self.best_step()
        self.checkpoints.remove_others()
        return self.evaluations[self.step]

    def best_step(self):
        """The step with the lowest FDD of those whose checkpoint is there, or None."""
        there = [step for step in self.evaluations if step in self.checkpoints.history]
        return min(there, key=lambda step: self.evaluations[step]["FDD"], default=None)

    def write_grid(self, images, path):
        """Write images as a grid."""
        utils.save_image(utils.merge(images), path)
        gallery.write_index(self.config.sample_dir)
        self.last_grid = path

    def report_start(self):
        """Say where to look while it trains."""
        print(f"samples: every {self.config.sample_every:,} batches in {self.config.sample_dir}, beside real.png")
        print(f"losses: {tensorboard_command(self.config.log_dir)}")
        print("then open http://localhost:6006/#custom_scalars, where all losses are in one chart")

    def report_end(self, stopped_by):
        """Say how the run ended and what to type next. stopped_by: a signal, or 0. Returns the exit code."""
        if self.data.bad:
            print(self.data.bad_report())
        if stopped_by:
            print(f"stopped by {signal.Signals(stopped_by).name} after step {self.step}, and saved.")
            command = "The same command without --step" if self.config.step else "The same command"
            print(f"{command} continues from here.")
            return 128 + stopped_by
        print(f"done: {self.config.epoch} {'epoch' if self.config.epoch == 1 else 'epochs'}, {self.step:,} batches")
        if best := self.best_step():
            fdd = self.evaluations[best]["FDD"]
            print(f"lowest FDD: {fdd:.4f} at step {best:,}, kept; the other scripts take it with --step {best}")
        print(f"the last samples: {self.last_grid}; all of them: {os.path.join(self.config.sample_dir, 'index.html')}")
        print(f"losses: {tensorboard_command(self.config.log_dir)}")
        return 0
