"""Several machines in one training: they check that they agree, end together, and only the first one writes and speaks.

Nobody with one machine needs to read this.
"""

import contextlib
import dataclasses
import os
import sys
import zlib

import tensorflow as tf

from cli.interruption import Interruption
from errors import PeerError, UserError
from training.state import Run


@contextlib.contextmanager
def joined(replicas):
    """Train together: only the first machine prints, and the end of one ends all. Raises PeerError."""
    with contextlib.ExitStack() as stack:
        if not replicas.is_first:
            silence = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(silence))
        try:
            yield
        except tf.errors.OpError as error:
            if replicas.alone or isinstance(error, tf.errors.ResourceExhaustedError):  # this machine's own memory
                raise
            raise PeerError(
                "another machine's part of this training has ended, so this one ends too; its own message says why. "
                "The same commands, on any number of machines, continue from the last checkpoint"
            ) from error


def open_run(config, data, replicas):
    """This machine's view of the run. Raises UserError, also if the machines differ in flags, images or checkpoints."""
    run = (Run if replicas.is_first else Follower).open(config, data, replicas.strategy)
    if not replicas.alone:
        check_agreement(run, replicas)
    return run


def check_agreement(run, replicas):
    """Raise UserError unless all machines have the same flags, images and checkpoints."""
    own = {"dataset", "cache", "devices", *run.config.outputs()}  # may differ from machine to machine
    flags = [(name, value) for name, value in dataclasses.asdict(run.config).items() if name not in own]
    facts = {"flags": flags, "images of --dataset": run.data.names.digest(), "checkpoints": run.step}
    for what, fact in facts.items():
        if len(set(replicas.gather_number(zlib.crc32(repr(fact).encode(errors="replace"))))) > 1:
            raise UserError(
                f"the machines differ in their {what}: give all the same flags, the same images, and a "
                "--checkpoint_dir that they share"
            )


class Follower(Run):
    """The run as the other machines see it: the same training, but no files."""

    read_only = True

    def _do_nothing(self, *_arguments):
        pass

    make_folders = remove_scraps = record = write_grid = evaluate = _do_nothing

    def save(self):
        """Only check the weights. Raises NotFiniteError."""
        self.check_finite()

    def report_end(self, stopped_by):
        """Name this machine's broken files, which the first machine may not have met. Returns the exit code."""
        if self.data.bad:
            print(self.data.bad_report(), file=sys.stderr)
        return super().report_end(stopped_by)


class SharedInterruption(Interruption):
    """A signal to one machine, which ends the training of all after the same step: one at which losses are logged."""

    def __init__(self, replicas, should_log):
        self.replicas, self.should_log = replicas, should_log

    def signal_after(self, step):
        """The signal that ends the training after this step, or 0. All machines must call it."""
        return int(self.replicas.gather_number(self.signal).max()) if self.should_log(step) else 0


def interruption(replicas, should_log):
    """The Interruption of one machine, or of several."""
    return Interruption() if replicas.alone else SharedInterruption(replicas, should_log)
