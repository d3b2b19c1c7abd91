"""Several machines in one training: they find each other, check that they agree, and end together.

Nobody with one machine needs to read this.
"""

import contextlib
import json
import os
import signal
import zlib

import tensorflow as tf

from cli.interruption import Interruption
from errors import PeerError, UserError


def read_cluster(text):
    """TF_CONFIG -> (addresses of the machines, the chief first; the index of this one). Raises UserError."""
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        addresses = [*jobs.get("chief", []), *jobs["worker"]]
        me = int(task["index"]) + (len(jobs.get("chief", [])) if task["type"] == "worker" else 0)
        if not set(jobs) <= {"chief", "worker"} or task["type"] not in jobs or not 0 <= me < len(addresses):
            raise ValueError
        return addresses, me
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise UserError(f"TF_CONFIG {text}: must look like {example}; unset it to train on one machine") from error


def join(tasks, me):
    """Wait for all machines -> a strategy. tasks, me: as read_cluster returns them. Raises UserError."""
    if others := ", ".join(tasks[:me] + tasks[me + 1 :]):
        print(f"machine {me + 1} of {len(tasks)}, {tasks[me]}; waiting for {others} (Ctrl-C ends it)", flush=True)
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own would wait for TensorFlow
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise UserError(
            f"TF_CONFIG: {tasks[me]} can't be used: is the port taken, or is it another machine's name?"
        ) from error
    signal.signal(signal.SIGINT, before)
    return strategy


@contextlib.contextmanager
def joined(replicas):
    """Train together: only the first machine prints, and the end of one ends all. Raises PeerError."""
    try:
        with open(os.devnull, "w") as silence, contextlib.ExitStack() as stack:
            if not replicas.is_first:
                stack.enter_context(contextlib.redirect_stdout(silence))
            yield
    except tf.errors.ResourceExhaustedError:  # this machine's own memory
        raise
    except tf.errors.OpError as error:
        raise PeerError(
            "another machine's part of this training has ended, so this one ends too; its own message says why. "
            "The same commands, on any number of machines, continue from the last checkpoint"
        ) from error


def check_agreement(facts, replicas):
    """Raise UserError unless all machines have the same facts, {what: its value}."""
    for what, fact in facts.items():
        if len(set(replicas.gather_number(zlib.crc32(repr(fact).encode(errors="replace"))))) > 1:
            raise UserError(
                f"the machines differ in their {what}: give all the same flags, the same images, and a "
                "--checkpoint_dir that they share"
            )


class SharedInterruption(Interruption):
    """A signal to one machine, which ends the training of all after the same step: one at which losses are logged."""

    def __init__(self, message, replicas, should_log):
        super().__init__(message)
        self.replicas, self.should_log = replicas, should_log

    def signal_after(self, step):
        """The signal that ends the training after this step, or 0. All machines must call it."""
        return int(self.replicas.gather_number(self.signal).max()) if self.should_log(step) else 0
