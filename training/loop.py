"""One training run: open the data, restore the run, then train batch after batch until the last epoch is done."""

import contextlib
import dataclasses
import functools
import math

from cli.interruption import Interruption
from cli.machine import make_folder
from devices import choice, machines
from devices.replicas import Replicas
from photos import holdout
from photos.dataset import ImageData
from runs import gallery, resume
from runs.files import HELD_OUT, folders_written, latest_steps, read_json, read_settings
from runs.loading import settings_of
from runs.network import YOUNG, find_network
from training.logs import RunLog
from training.state import Follower, Run

FEW = 1000  # images, below which there is a warning
STOPPING = "finishing this batch, then saving"


def train(config, device="", strategy=None, evaluate=None):
    """Train as `config` (a TrainSettings) says, from the state of its checkpoint folder.

    device: a description of the device, to print
    strategy: a tf.distribute strategy where several devices train, or None
    evaluate: a function that measures how good a DCGAN is -> {name: number}, for --evaluate_every

    Writes checkpoints, sample grids and logs into the folders that config names, and prints what it
    does. Returns the exit code: 0 when all epochs are done, 130 or 143 after SIGINT or SIGTERM (it
    then finishes the batch and saves).

    Raises UserError before any work for what can't run, and later, after saving, for too many broken
    files; NotFiniteError for a loss or a weight that is not finite; SaveError or OSError when the disk
    is full; PeerError when another machine's part has ended.
    """
    if config.precision == "auto":
        config = dataclasses.replace(config, precision="bfloat16" if choice.fast_bfloat16() else "float32")
    xla, why = choice.use_xla(config.xla, config.deterministic, strategy)
    config = dataclasses.replace(config, xla=xla or config.xla)
    replicas = Replicas(config.batch_size, strategy, config.xla)
    with contextlib.nullcontext() if replicas.alone else machines.joined(replicas):
        data = open_data(config)
        for line in [*data.describe(), *describe_devices(config, device, replicas, why)]:
            print(line)
        run = open_run(config, data, replicas)
        last = config.epoch * data.batches_per_epoch
        if run.position >= last:
            done = run.position // data.batches_per_epoch
            print(f"nothing to do: {done} epochs are done; a larger --epoch, such as {done + 5}, continues the run")
            return 0
        if config.lr_decay and run.step:
            factor = rate_factor(config.lr_decay, run.position, last)
            print(f"learning rates: {factor:.0%} of their values here, 0 at the end of --epoch {config.epoch}")
        for line in outlook(config, len(data.photos), data.batches_per_epoch):
            print(line)
        with RunLog(run, last, config.log_dir if replicas.is_first else None, reals=run.record()) as log:
            signal = train_batches(run, log, data, replicas, evaluate)
        return log.farewell(stopped_by=signal)


def train_batches(run, log, data, replicas, evaluate=None):
    """Train until the last epoch is done or a signal comes, and save. Returns the signal, or 0."""
    config, last = run.config, log.last
    should_log = every(config.log_every, first=1)
    should_sample = every(config.sample_every)
    should_save = every(config.checkpoint_every)
    should_evaluate = every(config.evaluate_every) if evaluate else lambda step: False
    shared = None if replicas.alone else machines.SharedInterruption(STOPPING, replicas, should_log)
    with shared or Interruption(STOPPING) as interruption, run.saving_on_error():
        if should_evaluate(run.step):
            log.evaluation(run.evaluate(evaluate))  # which a killed run may not have come to
        rate = functools.partial(rate_factor, config.lr_decay, last=last)
        for inputs in replicas.inputs(run.dcgan, data, run.position, last, run.step - run.position, rate):
            # model.DCGAN.update: D, then G twice
            losses, outputs = replicas.train_step(run.dcgan, *inputs)
            run.advance()
            log.progress.advance()

            done = run.position == last
            signal = 0 if done else interruption.signal_after(run.step)
            ends = done or signal
            save = should_save(run.step) or should_evaluate(run.step) or ends
            if should_log(run.step) or should_sample(run.step) or save:
                losses = {name: float(value) for name, value in losses.items()}
                run.check_finite(losses)
            if should_log(run.step) or ends:
                log.losses(losses, replicas.gather(outputs))
            if should_sample(run.step) or done:
                log.samples(run.sample())
            if save:
                log.wait()  # a checkpoint's grid is there before it
                run.save()
            if should_evaluate(run.step) and not signal:
                log.evaluation(run.evaluate(evaluate))
            if ends:
                return signal


def every(n, first=0):
    """A function that says whether something is due: at the steps first, first + n, ... (first = 0: 0, n, ...)."""
    return lambda step: step % n == first % n


def rate_factor(lr_decay, position, last):
    """Factor of the learning rates at a position: 1, then falling to 0 over the last share `lr_decay` of the run."""
    return 1.0 if lr_decay is None else min(1.0, (last - position) / (lr_decay * last))


def open_data(config):
    """The images that config names, without those that a run has written among them, or that are held out."""
    leave_out = [*config.outputs().values(), *folders_written(config.checkpoint_dir)]
    before = read_json(config.checkpoint_dir, HELD_OUT, list)
    split = functools.partial(holdout.split, hold_out=config.hold_out, partition=config.partition, before=before)
    return ImageData(**config.keywords_of(ImageData), leave_out=leave_out, split=split)


def open_run(config, data, replicas):
    """This machine's view of the run in the checkpoint folder. Raises UserError, also where several machines differ."""
    saved, initial = read_settings(config.checkpoint_dir), None
    if config.init_from and latest_steps(config.checkpoint_dir):
        print(f"--init_from {config.init_from}: not read again; the run here goes on from its own checkpoint")
    elif config.init_from:
        initial = find_network(config.init_from, flag="--init_from")
    config = resume.with_listed_widths(config, saved or (initial and settings_of(initial)))
    resume.check_settings(config, saved, data.photos)
    resume.check_folders(config, saved)
    if replicas.is_first:
        for name, folder in config.outputs().items():
            make_folder(f"--{name}", folder)
    run = (Run if replicas.is_first else Follower)(config, data, replicas.strategy, saved, initial)
    if replicas.is_first:
        gallery.remove_scraps(config.sample_dir)
    if not replicas.alone:
        own = {"dataset", "cache", "devices", "xla", *config.outputs()}  # may differ from machine to machine
        flags = [(name, value) for name, value in dataclasses.asdict(config).items() if name not in own]
        facts = {"flags": flags, "images of --dataset": data.names.digest(), "checkpoints": run.step}
        machines.check_agreement(facts, replicas)
    return run


def outlook(config, images, batches_per_epoch):
    """Yield lines that say how many batches there will be, and where these or the images are few, what helps."""
    total = config.epoch * batches_per_epoch
    yield f"{total:,} batches in all, in {config.epoch:,} {'epoch' if config.epoch == 1 else 'epochs'}"
    if config.init_from:
        return
    helps = "--init_from DIR, with the checkpoint folder of a trained network"
    if images < FEW:
        yield f"warning: {images:,} images are few: a DCGAN needs thousands to draw varied faces; what helps: {helps}"
    if total < YOUNG:
        yield (
            f"warning: {total:,} batches from scratch end in blurred patches; faces take some hundreds, good ones "
            f"thousands; what helps: --epoch {math.ceil(YOUNG / batches_per_epoch)} or more, or {helps}"
        )


def describe_devices(config, device, replicas, why):
    """Yield lines that say what trains, in which precision, and whether XLA compiles it, or why not."""
    yield f"training in {config.precision} on {device}"
    if config.xla:
        yield "XLA compiles the update, so the first batch takes longer, up to half a minute"
    elif why:
        yield f"not compiled by XLA: {why}"
    if replicas.number > 1:
        yield f"{replicas.number} replicas, each with {replicas.share} of every batch's {config.batch_size} images"
    if config.precision == "bfloat16" and choice.slow_bfloat16():
        yield "on this device, expect bfloat16 to be slower than float32"
    if config.precision == "float32" and choice.fast_bfloat16():
        yield "it multiplies bfloat16 in hardware: --precision bfloat16 takes about half the time"
