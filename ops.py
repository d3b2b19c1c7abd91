"""The layers of the article: `linear`, `conv2d`, `conv2d_transpose`, `batch_norm` and `lrelu`.

Each is a pure function of tensors. The four with weights also come as a small `tf.Module` (`Linear`,
`Conv2D`, `Conv2DTranspose`, `BatchNorm`) that creates its variables when it is built, with the names
and initial values of the original ops.py. Images are NHWC.

x may be float32 or bfloat16, and the result has its type. Weights and statistics are float32.
"""

import zlib

import tensorflow as tf

import kernels
from kernels import KERNEL, for_xla  # noqa: F401, model.py takes it from here

STDDEV = 0.02  # of initial weights: DCGAN paper, section 4; the original's default
BN_EPSILON = 1e-5  # the original's batch_norm(epsilon=1e-5, momentum=0.9)
BN_DECAY = 0.9
LEAK = 0.2  # DCGAN paper, section 4; the original's lrelu
# A variable that each replica of a tf.distribute strategy keeps and updates by itself, with equal values on all
PER_REPLICA = dict(
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
)


@tf.custom_gradient
def lrelu(x):
    """Leaky ReLU: x where x > 0, else 0.2 x. Any shape; the result has the same shape and type.

    The gradient takes the sign from the output, which has x's sign. So x need not be kept, and
    TensorFlow fuses lrelu into the convolution before it.
    """
    y = tf.nn.leaky_relu(x, alpha=LEAK)
    return y, lambda dy: tf.raw_ops.LeakyReluGrad(gradients=dy, features=y, alpha=LEAK)


def linear(x, matrix, bias):
    """x [B, in] times matrix [in, out] plus bias [out] -> [B, out]."""
    return tf.nn.bias_add(tf.matmul(x, tf.cast(matrix, x.dtype)), tf.cast(bias, x.dtype))


def conv2d(x, w, biases):
    """Strided convolution that halves height and width.

    x [B, H, W, in] (H, W even), w [5, 5, in, out], biases [out] -> [B, H/2, W/2, out].
    """
    return tf.nn.bias_add(kernels.conv(x, tf.cast(w, x.dtype)), tf.cast(biases, x.dtype))


def conv2d_transpose(x, w, biases):
    """Transposed convolution (fractionally strided) that doubles height and width.

    x [B, H, W, in], w [5, 5, out, in], biases [out] -> [B, 2H, 2W, out].
    """
    return tf.nn.bias_add(kernels.transposed_conv(x, tf.cast(w, x.dtype)), tf.cast(biases, x.dtype))


def batch_norm(x, gamma, beta, mean=None, variance=None):
    """Normalise x [B, H, W, C] per channel, then scale by gamma [C] and shift by beta [C].

    With mean and variance [C], uses them (inference). Without, uses the batch's own moments
    (training). Returns y [B, H, W, C], and the mean and the population variance [C] that it used.

    Where several replicas share the batch, x is one replica's slice, and the moments are the whole batch's.
    """
    if mean is not None:
        # Not the fused kernel, whose gradient in inference mode, which completion takes, is not deterministic on GPUs
        scale = gamma * tf.math.rsqrt(variance + BN_EPSILON)
        y = tf.cast(x, tf.float32) * scale + (beta - mean * scale)
        return tf.cast(y, x.dtype), mean, variance
    if replicas() > 1:
        return _batch_norm_over_replicas(x, gamma, beta)
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=BN_EPSILON, is_training=True
    )
    n = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
    return y, mean, variance * (n - 1.0) / n  # the fused kernel reports the sample variance (N-1); the original kept N


class Linear(tf.Module):
    """Fully connected layer: [B, in_dim] -> [B, out_dim]. Initial Matrix normal(0, 0.02), bias 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            weights = tf.random.stateless_normal([in_dim, out_dim], _seed_pair(seed, scope), 0, STDDEV)
            self.matrix = tf.Variable(weights, name="Matrix")
            self.bias = tf.Variable(tf.zeros([out_dim]), name="bias")

    def __call__(self, x):
        return linear(x, self.matrix, self.bias)


class Conv2D(tf.Module):
    """Convolution [B, H, W, in_dim] -> [B, H/2, W/2, out_dim]. Initial w truncated normal(0, 0.02), biases 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            shape = [KERNEL, KERNEL, in_dim, out_dim]
            weights = tf.random.stateless_truncated_normal(shape, _seed_pair(seed, scope), 0, STDDEV)
            self.w = tf.Variable(weights, name="w")
            self.biases = tf.Variable(tf.zeros([out_dim]), name="biases")

    def __call__(self, x):
        return conv2d(x, self.w, self.biases)


class Conv2DTranspose(tf.Module):
    """Transposed convolution [B, H, W, in_dim] -> [B, 2H, 2W, out_dim]. Initial w normal(0, 0.02), biases 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            shape = [KERNEL, KERNEL, out_dim, in_dim]
            weights = tf.random.stateless_normal(shape, _seed_pair(seed, scope), 0, STDDEV)
            self.w = tf.Variable(weights, name="w")
            self.biases = tf.Variable(tf.zeros([out_dim]), name="biases")

    def __call__(self, x):
        return conv2d_transpose(x, self.w, self.biases)


class BatchNorm(tf.Module):
    """Batch normalisation over [B, H, W, dim], with moving averages for inference.

    A training call normalises by the batch's own moments and moves the averages by 1 - 0.9.
    `passes` says how many of the original's forward passes the call stands for: 2 moves them as two
    passes over the same batch would (a decay of 0.9 ** 2).
    """

    def __init__(self, dim, name=None):
        super().__init__(name=name)
        with self.name_scope:
            self.beta = tf.Variable(tf.zeros([dim]), name="beta")
            self.gamma = tf.Variable(tf.ones([dim]), name="gamma")
            self.moving_mean = tf.Variable(tf.zeros([dim]), name="moving_mean", **PER_REPLICA)
            self.moving_variance = tf.Variable(tf.ones([dim]), name="moving_variance", **PER_REPLICA)

    def __call__(self, x, training, passes=1):
        if not training:
            mean, variance = self.moving_mean, self.moving_variance
            return batch_norm(x, self.gamma, self.beta, mean, variance)[0]
        y, mean, variance = batch_norm(x, self.gamma, self.beta)
        rate = 1 - BN_DECAY**passes
        self.moving_mean.assign_sub(rate * (self.moving_mean - mean))
        self.moving_variance.assign_sub(rate * (self.moving_variance - variance))
        return y


def _seed_pair(seed, name):
    """Seed of a variable's initial values: a function of the run's seed and the variable's name alone."""
    return [seed, zlib.crc32(name.encode())]


# Several replicas


def replicas():
    """How many replicas share the batch: 1 outside a tf.distribute strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def mean_over_replicas(tensors):
    """The mean over all replicas of a tensor, or of each tensor in a list. Differentiable."""
    if replicas() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


def _batch_norm_over_replicas(x, gamma, beta):
    """Training's batch_norm with whole-batch moments: one all-reduce forward, one backward.

    Each replica adds its own moments to a slot of its own in a sum. (Means of squares less the
    squared mean would need less memory, but rounding destroys small variances.)
    """
    values = tf.cast(x, tf.float32)
    own = tf.one_hot(tf.distribute.get_replica_context().replica_id_in_sync_group, replicas())
    slots = own[:, None, None] * tf.stack(tf.nn.moments(values, [0, 1, 2]))
    means, variances = tf.unstack(mean_over_replicas(slots), axis=1)  # [replicas, C] each, divided by replicas
    mean = tf.reduce_sum(means, 0)
    variance = tf.reduce_sum(variances, 0) + tf.reduce_mean(tf.square(replicas() * means - mean), 0)
    y = (values - mean) * (gamma * tf.math.rsqrt(variance + BN_EPSILON)) + beta  # rounds as the fused kernel does
    return tf.cast(y, x.dtype), mean, variance
