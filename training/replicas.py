"""The devices, of one machine or of several, that share each batch: tf.distribute, as this program uses it."""

import numpy as np
import tensorflow as tf

from errors import UserError


class Replicas:
    """The replicas of a tf.distribute strategy, each of which trains on its slice of every batch.

    Slices are in the order in which one device would see the batch. Without a strategy there is one
    replica, TensorFlow's default, and nothing here costs anything.

    `number`: replicas in all; `chief`: whether this process writes the files; `alone`: whether there
    is no other; `rows`: the slice of a batch that this process reads.

    Raises UserError for a batch that can't be shared out evenly.
    """

    def __init__(self, batch_size, strategy=None):
        self.strategy = strategy = strategy or tf.distribute.get_strategy()
        self.number = strategy.num_replicas_in_sync
        if batch_size % self.number:
            raise UserError(
                f"--batch_size {batch_size}: does not divide over {self.number} devices; "
                f"give a multiple of {self.number}, or fewer --devices"
            )
        ids = [int(number) for number in strategy.experimental_local_results(strategy.run(_replica_id))]
        self.alone, self.chief = len(ids) == self.number, ids[0] == 0
        self.share = batch_size // self.number
        self.rows = slice(ids[0] * self.share, (ids[-1] + 1) * self.share)
        self.first = ids[0]

    def spread(self, rows):
        """The rows of this process' replicas, an array or tensor, as each replica's own on its device."""
        if self.number == 1:
            return tf.convert_to_tensor(rows)

        def slice_of(context):
            k = context.replica_id_in_sync_group - self.first
            with tf.device(self.strategy.extended.worker_devices[k]):
                return tf.identity(rows[k * self.share : (k + 1) * self.share])

        return self.strategy.experimental_distribute_values_from_function(slice_of)

    def run(self, function, *arguments):
        """Call function on every replica, with its own part of what `spread` gave."""
        return self.strategy.run(function, arguments)

    def first_of(self, values):
        """Of a structure of values that are equal on all replicas, this process' first."""
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], values)

    def gather(self, values):
        """Every replica's rows of a structure of values, in the order of the batch. All processes call it."""
        return values if self.number == 1 else self.first_of(self._all_gather(values))

    @tf.function(autograph=False)  # strategy.gather would trace anew at each call
    def _all_gather(self, values):
        def gather(rows):
            rows = tf.nest.map_structure(tf.identity, rows)  # on the replica's device, which all_gather looks at
            return tf.distribute.get_replica_context().all_gather(rows, axis=0)

        return self.strategy.run(gather, (values,))

    def ask(self, number):
        """What each replica's process says, a whole number, in the replicas' order -> int64 array."""
        rows = np.full([self.rows.stop - self.rows.start], number, np.int64)
        return np.asarray(self.gather(self.spread(rows)))[:: self.share]


@tf.function(autograph=False)
def _replica_id():
    return tf.identity(tf.distribute.get_replica_context().replica_id_in_sync_group)
