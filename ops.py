"""The layers of the article: `linear`, `conv2d`, `conv2d_transpose`, `batch_norm` and `lrelu`.

Each is a pure function of tensors. The four that have weights also come as a small `tf.Module`
(`Linear`, `Conv2D`, `Conv2DTranspose`, `BatchNorm`) that creates its variables when it is built,
under the names and with the initial values of the original ops.py. Images are NHWC.
"""

import zlib

import tensorflow as tf

KERNEL = 5  # 5x5 kernels, stride 2, SAME padding everywhere, as in the original's conv2d
STRIDE = 2
STDDEV = 0.02  # of initial weights: DCGAN paper, section 4; the original's default
BN_EPSILON = 1e-5  # the original's batch_norm(epsilon=1e-5, momentum=0.9)
BN_DECAY = 0.9
LEAK = 0.2  # DCGAN paper, section 4; the original's lrelu


def lrelu(x):
    """Leaky ReLU: x where x > 0, else 0.2 x. Any shape; same shape and dtype out."""
    return tf.nn.leaky_relu(x, alpha=LEAK)


def linear(x, matrix, bias):
    """x [B, in] times matrix [in, out] plus bias [out] -> [B, out]."""
    return tf.nn.bias_add(tf.matmul(x, matrix), bias)


def conv2d(x, w, biases):
    """Strided convolution that halves height and width.

    x [B, H, W, in], w [5, 5, in, out], biases [out] -> [B, ceil(H/2), ceil(W/2), out].
    """
    return tf.nn.bias_add(tf.nn.conv2d(x, w, STRIDE, "SAME"), biases)


def conv2d_transpose(x, w, biases):
    """Transposed convolution (fractionally strided) that doubles height and width.

    x [B, H, W, in], w [5, 5, out, in], biases [out] -> [B, 2H, 2W, out].
    """
    batch, height, width = tf.shape(x)[0], x.shape[1] * STRIDE, x.shape[2] * STRIDE
    shape = tf.stack([batch, height, width, w.shape[2]])
    return tf.nn.bias_add(tf.nn.conv2d_transpose(x, w, shape, STRIDE, "SAME"), biases)


def batch_norm(x, gamma, beta, mean=None, variance=None):
    """Normalise x [B, H, W, C] per channel, then scale by gamma [C] and shift by beta [C].

    With mean and variance [C], uses them (inference). Without, uses the batch's own moments
    (training). Returns y [B, H, W, C], and the mean and the population variance [C] it used.
    """
    training = mean is None
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
            self.moving_mean = tf.Variable(tf.zeros([dim]), trainable=False, name="moving_mean")
            self.moving_variance = tf.Variable(tf.ones([dim]), trainable=False, name="moving_variance")

    def __call__(self, x, training, passes=1):
        if not training:
            mean, variance = self.moving_mean, self.moving_variance
            return batch_norm(x, self.gamma, self.beta, mean, variance)[0]
        y, mean, variance = batch_norm(x, self.gamma, self.beta)
        rate = 1 - BN_DECAY**passes
        self.moving_mean.assign_sub(rate * (self.moving_mean - mean))
        self.moving_variance.assign_sub(rate * (self.moving_variance - variance))
        return y
