"""The devices, of one machine or of several, that share each batch, through tf.distribute."""

import numpy as np
import tensorflow as tf

from errors import UserError

MOST_AHEAD = 500 * 10**6  # bytes of the batches that are made ahead for a GPU


class Replicas:
    """The replicas of a tf.distribute strategy. Each trains on its slice of every batch.

    The slices are in the order of the whole batch. Without a strategy there is one replica,
    TensorFlow's default, and nothing here costs time.

    number: replicas in all
    alone: whether this process has all of them
    is_first: whether this process has the first one; it writes the files
    local_rows: the slice of each batch that this process reads

    Raises UserError for a batch that can't be divided evenly, and for XLA on several replicas.
    """

    def __init__(self, batch_size, strategy=None, xla=False):
        self.strategy = strategy = strategy or tf.distribute.get_strategy()
        self.batch_size, self.number = batch_size, strategy.num_replicas_in_sync
        if batch_size % self.number:
            raise UserError(
                f"--batch_size {batch_size}: does not divide over {self.number} devices; "
                f"give a multiple of {self.number}, or fewer --devices"
            )
        if xla and self.number > 1:
            raise UserError("--xla: works on one device only; leave it out, or give --devices 1")
        ids = [int(number) for number in strategy.experimental_local_results(strategy.run(_replica_id))]
        self.alone, self.is_first, self.first_id = len(ids) == self.number, ids[0] == 0, ids[0]
        self.share = batch_size // self.number
        self.local_rows = slice(ids[0] * self.share, (ids[-1] + 1) * self.share)

    def inputs(self, dcgan, data, start, stop, offset=0, rate=lambda position: 1.0):
        """Yield what train_step takes, from position start to stop in data, an ImageData, on this process's devices.

        offset: the step less the position
        rate: a function of the position, the factor of the learning rates

        Threads make them ahead, for a GPU more of them: each copy waits until it has done what it was given before.
        """
        more = {}
        if tf.config.list_logical_devices("GPU"):
            batch_bytes = 4 * self.batch_size * data.image_size**2 * data.c_dim
            more["ahead"] = min(8, max(2, MOST_AHEAD // batch_bytes))

        def on_devices(images, position):
            z = dcgan.draw_z(self.batch_size, position + offset).numpy()[self.local_rows]
            return self.to_devices(images), self.to_devices(z), tf.constant(rate(position), tf.float32)

        return data.batches(start, stop, rows=self.local_rows, finish=on_devices, **more)

    def train_step(self, dcgan, images, z, rate):
        """Train on what `inputs` yields -> (losses, outputs) as DCGAN.update returns them.

        The outputs are each replica's own rows; `gather` collects them.
        """
        losses, outputs = self.strategy.run(dcgan.compiled_update, (images, z, rate))
        return self.first_of(losses), outputs

    def to_devices(self, rows):
        """Copy the rows of this process's replicas, an array or tensor, to each replica's device."""
        if self.number == 1:
            return tf.convert_to_tensor(rows)

        def slice_of(context):
            k = context.replica_id_in_sync_group - self.first_id
            with tf.device(self.strategy.extended.worker_devices[k]):
                return tf.identity(rows[k * self.share : (k + 1) * self.share])

        return self.strategy.experimental_distribute_values_from_function(slice_of)

    def first_of(self, values):
        """This process's first value of each in a structure of values that are equal on all replicas."""
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], values)

    def gather(self, values):
        """The rows of all replicas, in the order of the batch, of a structure of values. All processes must call it."""
        return values if self.number == 1 else self.first_of(self._all_gather(values))

    @tf.function(autograph=False)  # strategy.gather would trace anew at each call
    def _all_gather(self, values):
        def gather(rows):
            rows = tf.nest.map_structure(tf.identity, rows)  # on the replica's device, which all_gather looks at
            return tf.distribute.get_replica_context().all_gather(rows, axis=0)

        return self.strategy.run(gather, (values,))

    def gather_number(self, number):
        """One whole number from each replica's process, in the replicas' order -> int64 array."""
        rows = np.full([self.local_rows.stop - self.local_rows.start], number, np.int64)
        return np.asarray(self.gather(self.to_devices(rows)))[:: self.share]


@tf.function(autograph=False)
def _replica_id():
    return tf.identity(tf.distribute.get_replica_context().replica_id_in_sync_group)
