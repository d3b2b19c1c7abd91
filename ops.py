"""The layers of the article: `linear`, `conv2d`, `conv2d_transpose`, `batch_norm` and `lrelu`.

Each is a pure function of tensors. The four that have weights also come as a small `tf.Module`
(`Linear`, `Conv2D`, `Conv2DTranspose`, `BatchNorm`) that creates its variables when it is built,
under the names and with the initial values of the original ops.py. Images are NHWC.

x may be float32 or bfloat16, and what comes out is of its type; weights and statistics are float32.
"""

import zlib

import tensorflow as tf

KERNEL = 5  # 5x5 kernels, stride 2, SAME padding everywhere, as in the original's conv2d
STRIDE = 2
STDDEV = 0.02  # of initial weights: DCGAN paper, section 4; the original's default
BN_EPSILON = 1e-5  # the original's batch_norm(epsilon=1e-5, momentum=0.9)
BN_DECAY = 0.9
# Of a variable that every replica of a tf.distribute strategy keeps and moves by itself, all alike
LOCAL = dict(
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
)
LEAK = 0.2  # DCGAN paper, section 4; the original's lrelu


@tf.custom_gradient
def lrelu(x):
    """Leaky ReLU: x where x > 0, else 0.2 x. Any shape; same shape and dtype out.

    Its gradient looks at the sign of the output, which is x's: so x need not be kept, and TensorFlow
    fuses it into the convolution before it.
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
    return tf.nn.bias_add(_down(x, tf.cast(w, x.dtype)), tf.cast(biases, x.dtype))


def conv2d_transpose(x, w, biases):
    """Transposed convolution (fractionally strided) that doubles height and width.

    x [B, H, W, in], w [5, 5, out, in], biases [out] -> [B, 2H, 2W, out].
    """
    return tf.nn.bias_add(_up(x, tf.cast(w, x.dtype)), tf.cast(biases, x.dtype))


# The two convolutions are each other's gradient towards the input, with one weight gradient for both.


@tf.custom_gradient
def _down(x, w):
    """[B, 2H, 2W, in], [5, 5, in, out] -> [B, H, W, out]."""
    return tf.nn.conv2d(x, w, STRIDE, "SAME"), lambda dy: (_double(dy, w), _weight_gradient(x, dy))


@tf.custom_gradient
def _up(x, w):
    """[B, H, W, in], [5, 5, out, in] -> [B, 2H, 2W, out]."""
    return _double(x, w), lambda dy: (tf.nn.conv2d(dy, w, STRIDE, "SAME"), _weight_gradient(dy, x))


def _double(x, w):
    """The transposed convolution itself: x [B, H, W, in], w [5, 5, out, in] -> [B, 2H, 2W, out]."""
    batch, height, width, out = tf.shape(x)[0], x.shape[1] * STRIDE, x.shape[2] * STRIDE, w.shape[2]
    if out <= 4 and _on_cpu():  # images: oneDNN's kernel takes twice as long there
        return _double_by_phases(x, w)
    return tf.nn.conv2d_transpose(x, w, tf.stack([batch, height, width, out]), STRIDE, "SAME")


def _double_by_phases(x, w):
    """As _double, as a convolution of stride 1 that gives each pixel's 2x2 block as channels.

    Along one axis, SAME puts x[p] at y[2p - 1 + k] for tap k of w. So y[2p] has taps 3 and 1 of
    x[p - 1] and x[p], and y[2p + 1] has taps 4, 2 and 0 of x[p - 1], x[p] and x[p + 1].
    """
    w = tf.pad(w, [[0, 1], [0, 1], [0, 0], [0, 0]])  # tap 5 is zero
    taps = [[3, 1, 5], [4, 2, 0]]  # of each phase, at x[p - 1], x[p], x[p + 1]
    w = tf.gather(tf.gather(w, taps, axis=0), taps, axis=2)  # [2, 3, 2, 3, out, in]
    w = tf.reshape(tf.transpose(w, [1, 3, 5, 0, 2, 4]), [3, 3, x.shape[3], -1])  # [3, 3, in, 4 out]
    return tf.nn.depth_to_space(tf.nn.conv2d(x, w, 1, "SAME"), STRIDE)


def _weight_gradient(big, small):
    """Gradient of the weights between big [B, 2H, 2W, in] and small [B, H, W, out] -> [5, 5, in, out].

    Where maps are small, oneDNN's kernel for it is slow: 43 to 47 ms of bfloat16 for 8x8x256 by
    4x4x512 and a batch of 64 on two cores. A convolution that takes channels for images and images
    for channels does the same sums in 20 ms. Above 16x16 (float32: 8x8) the kernel is as good.
    """
    small_enough = 16 if big.dtype == tf.bfloat16 else 8
    if not (_on_cpu() and big.shape[1] <= small_enough):
        sizes = [KERNEL, KERNEL, big.shape[3], small.shape[3]]
        return tf.raw_ops.Conv2DBackpropFilter(
            input=big, filter_sizes=sizes, out_backprop=small, strides=[1, STRIDE, STRIDE, 1], padding="SAME"
        )
    big = tf.pad(big, [[0, 0], [1, 2], [1, 2], [0, 0]])  # as SAME does
    images, filters = tf.transpose(big, [3, 1, 2, 0]), tf.transpose(small, [1, 2, 0, 3])
    gradient = tf.nn.conv2d(images, filters, 1, "VALID", dilations=STRIDE)  # [in, 5 or 6, 5 or 6, out]
    return tf.transpose(gradient[:, :KERNEL, :KERNEL], [1, 2, 0, 3])


def _on_cpu():
    return not tf.config.list_logical_devices("GPU")


def batch_norm(x, gamma, beta, mean=None, variance=None):
    """Normalise x [B, H, W, C] per channel, then scale by gamma [C] and shift by beta [C].

    With mean and variance [C], uses them (inference). Without, uses the batch's own moments
    (training). Returns y [B, H, W, C], and the mean and the population variance [C] it used.

    Where several replicas share the batch, x is a slice of it, and the moments are the whole batch's.
    """
    training = mean is None
    if training and replicas() > 1:
        return _batch_norm_over_replicas(x, gamma, beta)
    y, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=[] if training else mean,
        variance=[] if training else variance,
        epsilon=BN_EPSILON,
        exponential_avg_factor=1.0,
        is_training=training,
    )
    if training:  # the fused kernel reports the sample variance (N-1); the original kept N
        n = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
        batch_variance *= (n - 1.0) / n
    return y, batch_mean, batch_variance


def _batch_norm_over_replicas(x, gamma, beta):
    """Training's batch_norm, of moments that the replicas put together, in one reduction forth and one back.

    Each puts its own moments into its own slot of a sum. (Means of squares, less the squared mean,
    would take less room, but rounding leaves nothing of a small variance.)
    """
    values = tf.cast(x, tf.float32)
    own = tf.one_hot(tf.distribute.get_replica_context().replica_id_in_sync_group, replicas())
    slots = own[:, None, None] * tf.stack(tf.nn.moments(values, [0, 1, 2]))
    means, variances = tf.unstack(mean_over_replicas(slots), axis=1)  # [replicas, C] each, divided by replicas
    mean = tf.reduce_sum(means, 0)
    variance = tf.reduce_sum(variances, 0) + tf.reduce_mean(tf.square(replicas() * means - mean), 0)
    y = (values - mean) * (gamma * tf.math.rsqrt(variance + BN_EPSILON)) + beta  # rounds as the fused kernel does
    return tf.cast(y, x.dtype), mean, variance


def replicas():
    """How many replicas share the batch: 1 unless within a tf.distribute strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def mean_over_replicas(tensors):
    """The mean over all replicas, of a tensor or each tensor of a list. Differentiable."""
    if replicas() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


def _seed(seed, name):
    """Seed pair of a variable's initial values: a function of the run's seed and its name alone."""
    return [seed, zlib.crc32(name.encode())]


class Linear(tf.Module):
    """Fully connected layer: [B, in_dim] -> [B, out_dim]. Matrix normal(0, 0.02), bias 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            weights = tf.random.stateless_normal([in_dim, out_dim], _seed(seed, scope), 0, STDDEV)
            self.matrix = tf.Variable(weights, name="Matrix")
            self.bias = tf.Variable(tf.zeros([out_dim]), name="bias")

    def __call__(self, x):
        return linear(x, self.matrix, self.bias)


class Conv2D(tf.Module):
    """Convolution [B, H, W, in_dim] -> [B, H/2, W/2, out_dim]. w truncated normal, biases 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            shape = [KERNEL, KERNEL, in_dim, out_dim]
            weights = tf.random.stateless_truncated_normal(shape, _seed(seed, scope), 0, STDDEV)
            self.w = tf.Variable(weights, name="w")
            self.biases = tf.Variable(tf.zeros([out_dim]), name="biases")

    def __call__(self, x):
        return conv2d(x, self.w, self.biases)


class Conv2DTranspose(tf.Module):
    """Transposed convolution [B, H, W, in_dim] -> [B, 2H, 2W, out_dim]. w normal, biases 0."""

    def __init__(self, in_dim, out_dim, seed=0, name=None):
        super().__init__(name=name)
        with self.name_scope as scope:
            shape = [KERNEL, KERNEL, out_dim, in_dim]
            weights = tf.random.stateless_normal(shape, _seed(seed, scope), 0, STDDEV)
            self.w = tf.Variable(weights, name="w")
            self.biases = tf.Variable(tf.zeros([out_dim]), name="biases")

    def __call__(self, x):
        return conv2d_transpose(x, self.w, self.biases)


class BatchNorm(tf.Module):
    """Batch normalisation over [B, H, W, dim], with moving averages for inference.

    A training call normalises by the batch's own moments and moves the averages by 1 - 0.9.
    `passes` says how many of the original's forward passes the call stands for: 2 moves them as
    two passes over the same batch would (a decay of 0.9 ** 2).
    """

    def __init__(self, dim, name=None):
        super().__init__(name=name)
        with self.name_scope:
            self.beta = tf.Variable(tf.zeros([dim]), name="beta")
            self.gamma = tf.Variable(tf.ones([dim]), name="gamma")
            self.moving_mean = tf.Variable(tf.zeros([dim]), name="moving_mean", **LOCAL)
            self.moving_variance = tf.Variable(tf.ones([dim]), name="moving_variance", **LOCAL)

    def __call__(self, x, training, passes=1):
        if not training:
            mean, variance = self.moving_mean, self.moving_variance
            return batch_norm(x, self.gamma, self.beta, mean, variance)[0]
        y, mean, variance = batch_norm(x, self.gamma, self.beta)
        rate = 1 - BN_DECAY**passes
        self.moving_mean.assign_sub(rate * (self.moving_mean - mean))
        self.moving_variance.assign_sub(rate * (self.moving_variance - variance))
        return y
