"""One training run: open the data, restore the run, then train batch after batch until the last epoch is done."""

import contextlib
import dataclasses
import functools

import tensorflow as tf

from devices import start
from devices.replicas import Replicas
from errors import DeviceMemoryError
from photos import holdout
from photos.dataset import ImageData
from runs.files import HELD_OUT, folders_written, read_json
from training import peers
from training.logs import RunLog


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
    is full; DeviceMemoryError when a batch does not fit; PeerError when another machine's part has ended.
    """
    if config.precision == "auto":
        config = dataclasses.replace(config, precision="bfloat16" if start.fast_bfloat16() else "float32")
    replicas = Replicas(config.batch_size, strategy, config.xla)
    with peers.joined(replicas):
        data = open_data(config)
        for line in [*data.describe(), *describe_devices(config, device, replicas)]:
            print(line)
        run = peers.open_run(config, data, replicas)
        if run.position >= config.epoch * data.batches_per_epoch:
            done = run.position // data.batches_per_epoch
            print(f"nothing to do: {done} epochs are done; a larger --epoch, such as {done + 5}, continues the run")
            return 0
        run.record()
        run.report_start()
        with naming_the_batch_size(config):
            return run.report_end(stopped_by=train_batches(run, data, replicas, evaluate))


@contextlib.contextmanager
def naming_the_batch_size(config):
    """Say which --batch_size a device had too little memory for. Raises DeviceMemoryError."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise DeviceMemoryError(
            f"--batch_size {config.batch_size}: too large for the memory of the device; what helps: a smaller one, or "
            "more --devices. What was saved before is intact; another --batch_size begins a new run"
        ) from error


def train_batches(run, data, replicas, evaluate=None):
    """Train until the last epoch is done or a signal comes, and save. Returns the signal, or 0."""
    config, last = run.config, run.config.epoch * data.batches_per_epoch
    should_log = every(config.log_every, first=1)
    should_sample = every(config.sample_every)
    should_save = every(config.checkpoint_every)
    should_evaluate = every(config.evaluate_every) if evaluate else lambda step: False
    interruption = peers.interruption(replicas, should_log)
    with interruption, RunLog(run, last) as log, run.saving_on_error():
        if should_evaluate(run.step):
            log.evaluation(run.evaluate(evaluate))  # unless a killed run had done it
        for images in replicas.batches(data, run.position, last):
            # model.DCGAN.update: D, then G twice
            losses, outputs = replicas.train_step(run.dcgan, images, run.step, run.rate_factor())
            run.advance()
            log.advance()

            done = run.position == last
            signal = 0 if done else interruption.signal_after(run.step)
            if should_log(run.step) or done or signal:
                log.losses(losses, replicas.gather(outputs))
            if should_sample(run.step) or done:
                log.samples(run.sample())
            if should_save(run.step) or should_evaluate(run.step) or done or signal:
                run.save()
            if should_evaluate(run.step) and not signal:
                log.evaluation(run.evaluate(evaluate))
            if done or signal:
                return signal


def every(n, first=0):
    """A function that says whether something is due: at the steps first, first + n, ... (first = 0: n, 2n, ...)."""
    return lambda step: step % n == first % n


def open_data(config):
    """The images that config names, without those that a run has written among them, or that are held out."""
    leave_out = [*config.outputs().values(), *folders_written(config.checkpoint_dir)]
    before = read_json(config.checkpoint_dir, HELD_OUT, list)
    split = functools.partial(holdout.split, hold_out=config.hold_out, partition=config.partition, before=before)
    return ImageData(**config.keywords_of(ImageData), leave_out=leave_out, split=split)


def describe_devices(config, device, replicas):
    """Yield lines that say what trains, and in which precision."""
    yield f"training in {config.precision} on {device}"
    if replicas.number > 1:
        yield f"{replicas.number} replicas, each with {replicas.share} of every batch's {config.batch_size} images"
    if config.precision == "bfloat16" and not start.fast_bfloat16():
        yield "on this device, expect bfloat16 to be slower than float32; on a GPU it pays from --batch_size 1024 on"
    if config.precision == "float32" and start.fast_bfloat16():
        yield "it multiplies bfloat16 in hardware: --precision bfloat16 takes about half the time"
