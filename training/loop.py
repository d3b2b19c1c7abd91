"""The life of a training run: resume, the loop, samples, logs, checkpoints, interruption."""

import dataclasses
import glob
import json
import math
import os
import shlex
import shutil
import signal
import sys
import tempfile
import zlib

import numpy as np
import tensorflow as tf

import utils
from errors import NumbersError, PeerError, UserError
from model import DCGAN
from training import checkpointing, devices
from training.dataset import ImageFolder
from training.progress import Progress, Summaries, Watch
from training.replicas import Replicas

SAMPLES = 64  # images in a sample grid: 8x8, as in the original
PICTURES = ("train_*.png", "real.png")  # what goes into --sample_dir


def train(config, device="", strategy=None):
    """Train as `config` (a TrainConfig) says, from where its checkpoint folder stands.

    Writes checkpoints, sample grids and logs into the folders that config names, and prints what
    it does. Returns the exit code: 0 when all epochs are done, 130 or 143 after SIGINT or SIGTERM
    (the batch finished, everything saved). Raises UserError before any work for what can't run,
    and later, after saving, where too many files turn out broken; NumbersError where a loss or a
    weight is not finite; SaveError or OSError where the disk takes no more; PeerError where another
    machine's part has ended. strategy: that of tf.distribute, where several devices train.
    """
    replicas = Replicas(config.batch_size, strategy)
    if config.xla and replicas.number > 1:
        raise UserError("--xla: is for one device; leave it out, or give --devices 1")
    if not replicas.chief:  # which speaks for all
        sys.stdout = open(os.devnull, "w")
    try:
        return run_batches(config, device, replicas)
    except tf.errors.OpError as error:
        if replicas.alone or isinstance(error, tf.errors.ResourceExhaustedError):  # of this machine's own memory
            raise
        raise PeerError(
            "another machine's part of this training has ended, so this one ends too; its own message says why. "
            "The same commands, on as many machines as you like, go on from the last checkpoint"
        ) from error


def run_batches(config, device, replicas):
    """As `train`, on those replicas."""
    data = open_data(config)
    for line in data.describe():
        print(line)
    print(f"training in {config.precision} on {device}")
    if replicas.number > 1:
        print(f"{replicas.number} replicas, each with {replicas.share} of every batch's {config.batch_size} images")
    if config.precision == "bfloat16" and not devices.fast_bfloat16():
        print("this processor has no bfloat16 instructions: expect it to be slower than float32")

    run = Run(config, data, replicas)
    stop = config.epoch * data.batches_per_epoch
    if run.position >= stop:
        done = run.position // data.batches_per_epoch
        print(f"nothing to do: {done} epochs are done; a larger --epoch, such as {done + 5}, goes on")
        return 0
    run.begin()

    progress = Progress(run.position, stop, data.batches_per_epoch, config.batch_size)
    summaries = Summaries(config.log_dir if replicas.chief else None, run.step)
    watch = Watch(progress.say)
    interrupted = 0
    with Interruption() as interruption:
        try:
            for images in data.batches(run.position, stop, replicas.rows, replicas.spread):
                z = replicas.spread(run.dcgan.draw_z(config.batch_size, run.step)[replicas.rows])
                losses, outputs = replicas.run(run.dcgan.update, images, z)
                run.advance()
                progress.advance()
                log = run.step % config.log_every == 1 % config.log_every
                interrupted = interruption.signal  # read once: what comes later is for the next batch
                if not replicas.alone:  # all stop at the same batch
                    interrupted = int(replicas.ask(interrupted).max()) if log else 0
                last = run.position == stop or interrupted
                sample = run.step % config.sample_every == 0 or run.position == stop
                save = run.step % config.checkpoint_every == 0 or last
                if log or sample or save:
                    losses = {name: float(value) for name, value in replicas.first_of(losses).items()}
                    run.check_numbers(losses)
                if log or last:
                    summaries.scalars(run.step, losses, replicas.gather(outputs), progress.log(losses))
                    watch.losses(run.step, losses)
                if sample and replicas.chief:
                    images = run.sample()
                    summaries.images(run.step, run.save_samples(images))
                    watch.samples(run.step, images)
                if save and replicas.chief:
                    run.save()
                if last:
                    break
        except NumbersError:
            raise
        except (UserError, OSError):  # bad data, a full disk: what was trained is not lost
            if replicas.chief and run.step:
                run.check_numbers({})
                run.checkpoints.save(run.step)  # with the broken files that were known before
            raise
        finally:
            progress.close()
            summaries.close()
    if data.bad:  # those that this machine met
        print(data.bad_report(), file=sys.stdout if replicas.chief else sys.stderr)
    return run.report_end(interrupted if run.position < stop else 0)


def open_data(config):
    """The images that config names."""
    return ImageFolder(
        config.dataset,
        config.image_size,
        config.c_dim,
        config.batch_size,
        config.seed,
        config.train_size,
        config.crop,
        config.flip,
        config.cache,
        config.max_bad,
        leave_out=[*config.outputs().values(), *written_before(config.checkpoint_dir)],
    )


def written_before(checkpoint_dir):
    """The folders that a run has written its samples and logs to: nothing in them is data."""
    saved = checkpointing.read_settings(checkpoint_dir) or {}
    return [os.path.join(checkpoint_dir, folder) for folder in saved.get("folders", [])]


class Run:
    """What a resume needs: the model with its optimizers, the fixed z of the samples, the position.

    Built, it is restored from the checkpoint folder, or new. `step` counts the batches trained,
    `position` those of the data: equal, unless the data's size changed between two runs.
    """

    def __init__(self, config, data, replicas):
        self.config, self.data, self.batches_per_epoch = config, data, data.batches_per_epoch
        self.replicas, self.last_samples = replicas, None
        self.saved = checkpointing.read_settings(config.checkpoint_dir)
        self.check()
        if config.init_from and os.path.realpath(config.init_from) == os.path.realpath(config.checkpoint_dir):
            raise UserError(f"--init_from {config.init_from}: must be another folder than --checkpoint_dir")
        with replicas.strategy.scope():
            self.dcgan = DCGAN(**config.model_keywords())
        rng = np.random.default_rng([config.seed, 2])
        sample_z = rng.uniform(-1, 1, [SAMPLES, config.z_dim])
        self.sample_z = tf.Variable(sample_z, dtype=tf.float32, trainable=False)
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.idx = tf.Variable(0, dtype=tf.int64, trainable=False)
        with tf.device("CPU:0"):  # {path: reason} of the files that turned out broken, as JSON
            self.bad = tf.Variable("{}", dtype=tf.string, trainable=False)
        self.checkpoints = checkpointing.Checkpoints(
            config.checkpoint_dir,
            config.max_to_keep,
            read_only=not replicas.chief,
            dcgan=self.dcgan,
            sample_z=self.sample_z,
            epoch=self.epoch,
            idx=self.idx,
            bad=self.bad,
        )
        for pattern in PICTURES if replicas.chief else ():  # what a run that was killed left half written
            for path in glob.glob(os.path.join(glob.escape(config.sample_dir), f"{pattern}.partial")):
                os.remove(path)
        self.step = self.checkpoints.restore(config.step)
        present = set(data.paths)
        bad = json.loads(self.bad.numpy())
        data.bad |= {path: reason for path, reason in bad.items() if path in present}
        data.check_bad()
        self.weights = weights = [v for v in self.dcgan.variables if v.dtype.is_floating]
        self.finite = tf.function(lambda: tf.stack([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights]))
        # Where the folder holds fewer images than it did, an epoch may end before the batch that was next
        idx = min(int(self.idx), self.batches_per_epoch)
        self.position = int(self.epoch) * self.batches_per_epoch + idx
        if self.step:
            epoch, idx = divmod(self.position, self.batches_per_epoch)
            path = self.checkpoints.path(self.step)
            print(f"resuming from {path}: epoch {epoch}, batch {idx} of {self.batches_per_epoch}")
            if data.bad:
                print(f"passed over as before: {data.bad_report()}")
        elif config.init_from:
            prefix = checkpointing.load_weights(self.dcgan, config.init_from)
            print(f"a new run, seed {config.seed}, from the weights of {prefix}; the optimizers start anew")
        else:
            again = ", for the last one ended before its first checkpoint" if self.saved else ""
            print(f"a new run, seed {config.seed}{again}")

    def check(self):
        """Refuse to mix this run with another one; print what changed since its last part."""
        config, saved = self.config, self.saved
        if saved:
            defining, allowed = config.compare(saved)
            if defining:
                raise UserError(
                    f"{config.checkpoint_dir} holds a run with other settings:\n  "
                    + "\n  ".join(defining)
                    + "\ngive the same to go on with it, or start afresh with other folders:"
                    + " --checkpoint_dir, --sample_dir and --log_dir"
                )
            before = checkpointing.read_json(config.checkpoint_dir, checkpointing.IMAGES, list)
            if before is not None and before != self.data.paths:
                allowed.append(f"--dataset: {difference(before, self.data.paths)}; the order is another from here on")
            for line in allowed:
                print(f"changed since the last run: {line}")
        elif checkpointing.latest_steps(config.checkpoint_dir):
            raise UserError(
                f"--checkpoint_dir {config.checkpoint_dir}: holds checkpoints but no {checkpointing.SETTINGS}; "
                "use another folder"
            )
        for name, patterns in (("sample_dir", PICTURES), ("log_dir", ["events.out.tfevents.*"])):
            folder = getattr(config, name)
            own = saved and self.relative(folder) in saved.get("folders", [])
            found = [path for pattern in patterns for path in glob.glob(os.path.join(glob.escape(folder), pattern))]
            if found and not own:
                raise UserError(f"--{name} {folder}: holds another run's files; name another folder or move them")
        for name, folder in config.outputs().items() if self.replicas.chief else ():
            make_folder(f"--{name}", folder)

    def relative(self, folder):
        """A folder's path from the checkpoints, which stays true when both are moved."""
        return os.path.relpath(folder, self.config.checkpoint_dir)

    def begin(self):
        """Keep the settings, and of a new run a grid of real images to compare the samples with."""
        self.agree()
        if not self.replicas.chief:
            return
        config, saved = self.config, self.saved or {}
        folders = {self.relative(config.sample_dir), self.relative(config.log_dir), *saved.get("folders", [])}
        settings = dataclasses.asdict(config)
        del settings["step"], settings["init_from"]  # of this part of the run alone
        settings |= dict(dataset=os.path.abspath(config.dataset), folders=sorted(folders))
        checkpointing.write_json(config.checkpoint_dir, checkpointing.IMAGES, self.data.paths)
        checkpointing.write_json(config.checkpoint_dir, checkpointing.SETTINGS, settings)
        if not self.step:
            reals = np.stack([self.data.image(index) for index in self.data.order(0).flat[:SAMPLES]])
            utils.save_image(utils.merge(reals), os.path.join(config.sample_dir, "real.png"))

    def agree(self):
        """Raise UserError where the machines do not see the same flags, images and checkpoints."""
        own = {"dataset", "cache", "devices", *self.config.outputs()}  # may differ, for the folder of one data set may
        flags = [(name, value) for name, value in dataclasses.asdict(self.config).items() if name not in own]
        facts = {"flags": flags, "images below --dataset": self.data.paths, "checkpoints": self.step}
        for what, fact in facts.items() if not self.replicas.alone else ():
            if len(set(self.replicas.ask(zlib.crc32(repr(fact).encode(errors="replace"))))) > 1:
                raise UserError(
                    f"the machines differ in their {what}: give all the same flags, the same images, and a "
                    "--checkpoint_dir that they share"
                )

    def advance(self):
        """One batch more."""
        self.step += 1
        self.position += 1
        epoch, idx = divmod(self.position, self.batches_per_epoch)
        self.epoch.assign(epoch)
        self.idx.assign(idx)

    def check_numbers(self, losses):
        """Raise NumbersError unless all losses and weights are finite numbers."""
        wrong = [f"{name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        wrong += [f"{weight.name} is not finite" for weight, good in zip(self.weights, self.finite()) if not good]
        if not wrong:
            return
        kept = self.checkpoints.course
        advice = "a lower --learning_rate, such as 0.0001" + (
            ", or --precision float32" if self.config.precision != "float32" else ""
        )
        if kept:
            earlier = f", or with --step {kept[-2]} from the one before" if kept[1:] else ""
            how = f"the last good checkpoint is {self.checkpoints.path(kept[-1])}; the same command with {advice}, "
            how += f"goes on from there{earlier}"
        else:
            how = f"there is no checkpoint yet; start again with {advice}"
        more = f" and {len(wrong) - 3} more" if wrong[3:] else ""
        raise NumbersError(f"numbers gone bad by step {self.step:,}: {', '.join(wrong[:3])}{more}; {how}")

    def save(self):
        """Write a checkpoint of this step."""
        self.bad.assign(json.dumps(self.data.bad, sort_keys=True))
        self.checkpoints.save(self.step)

    def sample(self):
        """G(sample_z), uint8 [SAMPLES, H, W, C]."""
        return utils.inverse_transform(self.dcgan.sample(self.sample_z))

    def save_samples(self, images):
        """Write the grid of what `sample` gave under the batch just trained. Returns it, uint8 [H, W, C]."""
        grid = utils.merge(images)
        epoch, idx = divmod(self.position - 1, self.batches_per_epoch)
        self.last_samples = os.path.join(self.config.sample_dir, f"train_{epoch:02d}_{idx:04d}.png")
        utils.save_image(grid, self.last_samples)
        return grid

    def report_end(self, stopped_by):
        """Say how it ended and what to type next. Returns the exit code."""
        if stopped_by:
            print(f"stopped by {signal.Signals(stopped_by).name} after step {self.step}, and saved.")
            command = "The same command without --step" if self.config.step else "The same command"
            print(f"{command} goes on from here.")
            return 128 + stopped_by
        print(f"done: {self.config.epoch} epochs, {self.step:,} batches")
        print(f"the last samples: {self.last_samples}")
        print(f"{tensorboard()} --logdir {shlex.quote(self.config.log_dir)} --samples_per_plugin images=200")
        return 0


def difference(before, now):
    """In words, what is gone and what is new between two lists of files."""
    gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    parts = []
    for paths, what in (gone, "gone"), (new, "new"):
        if paths:
            shown = ", ".join(paths[:3]) + (", …" if paths[3:] else "")
            parts.append(f"{len(paths):,} {'file is' if len(paths) == 1 else 'files are'} {what} ({shown})")
    return f"{len(before):,} images before, {len(now):,} now: " + ", ".join(parts)


def make_folder(flag, folder):
    """Make a folder that can be written to. Raises UserError, naming the flag."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{flag} {folder}: can't be written to ({error.strerror.lower()})") from error


def tensorboard():
    """The command as it can be typed here: inside an environment by its name, else by its path."""
    if shutil.which("tensorboard"):
        return "tensorboard"
    return shlex.quote(os.path.relpath(os.path.join(os.path.dirname(sys.executable), "tensorboard")))


class Interruption:
    """Within it, the first SIGINT or SIGTERM sets `signal`; a second one acts as ever."""

    def __enter__(self):
        self.signal = 0
        self.before = {s: signal.signal(s, self.handle) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def handle(self, number, _frame):
        self.signal = number
        signal.signal(number, self.before[number])

    def __exit__(self, *_error):
        for number, handler in self.before.items():
            signal.signal(number, handler)
