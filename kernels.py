"""The two convolutions of ops.py with their gradients, each in the form that is fastest on the device.

Each convolution is the other's gradient for the input, and both share one weight gradient. On a CPU, some
of oneDNN's kernels are slow, and other forms of the same sums are faster. The times below are those of a
batch of 64, 8x8x256 by 4x4x512, in bfloat16, on two cores of an AMD EPYC with AVX512-BF16 and of an Intel
Xeon with AMX.
"""

import functools
import re

import tensorflow as tf

KERNEL = 5  # 5x5 kernels, stride 2, SAME padding everywhere, as in the original's conv2d
STRIDE = 2
SMALL = 8  # height of the larger map, up to which products of matrices are faster


@tf.custom_gradient
def conv(x, w):
    """[B, 2H, 2W, in], [5, 5, in, out] -> [B, H, W, out]."""
    return _downsample(x, w), lambda dy: (_upsample(dy, w), _weight_gradient(x, dy))


@tf.custom_gradient
def transposed_conv(x, w):
    """[B, H, W, in], [5, 5, out, in] -> [B, 2H, 2W, out]."""
    return _upsample(x, w), lambda dy: (_downsample(dy, w), _weight_gradient(dy, x))


def _downsample(x, w):
    """The convolution without its gradient."""
    if x.shape[1] <= SMALL and _has_amx():  # 6 ms instead of 12
        y = tf.matmul(_patches(x), tf.reshape(w, [-1, w.shape[3]]))
        return tf.reshape(y, [-1, x.shape[1] // STRIDE, x.shape[2] // STRIDE, w.shape[3]])
    return tf.nn.conv2d(x, w, STRIDE, "SAME")


def _upsample(x, w):
    """The transposed convolution without its gradient: x [B, H, W, in], w [5, 5, out, in] -> [B, 2H, 2W, out]."""
    batch, height, width, out = tf.shape(x)[0], x.shape[1] * STRIDE, x.shape[2] * STRIDE, w.shape[2]
    if out <= 4 and _on_cpu():  # images: oneDNN's kernel takes twice as long there
        return _upsample_by_phases(x, w)
    if height <= SMALL and _has_amx():  # 9 ms instead of 19
        return _upsample_by_product(x, w)
    return tf.nn.conv2d_transpose(x, w, tf.stack([batch, height, width, out]), STRIDE, "SAME")


def _upsample_by_phases(x, w):
    """_upsample as a convolution of stride 1 that gives each pixel's 2x2 block as channels.

    Along one axis, SAME puts x[p] at y[2p - 1 + k] for tap k of w. So y[2p] has taps 3 and 1 of
    x[p - 1] and x[p], and y[2p + 1] has taps 4, 2 and 0 of x[p - 1], x[p] and x[p + 1].
    """
    w = tf.pad(w, [[0, 1], [0, 1], [0, 0], [0, 0]])  # tap 5 is zero
    taps = [[3, 1, 5], [4, 2, 0]]  # of each phase, at x[p - 1], x[p], x[p + 1]
    w = tf.gather(tf.gather(w, taps, axis=0), taps, axis=2)  # [2, 3, 2, 3, out, in]
    w = tf.reshape(tf.transpose(w, [1, 3, 5, 0, 2, 4]), [3, 3, x.shape[3], -1])  # [3, 3, in, 4 out]
    return tf.nn.depth_to_space(tf.nn.conv2d(x, w, 1, "SAME"), STRIDE)


def _upsample_by_product(x, w):
    """_upsample as a product of matrices: what each pixel of x adds to 5x5 pixels of y. The rest is sums."""
    out = w.shape[2]
    taps = tf.matmul(tf.reshape(x, [-1, x.shape[3]]), tf.reshape(w, [-1, x.shape[3]]), transpose_b=True)
    rows = _add_taps(tf.reshape(taps, [-1, x.shape[1], x.shape[2], KERNEL, KERNEL * out]))
    columns = _add_taps(tf.reshape(rows, [-1, x.shape[2], 1, KERNEL, out]))
    return tf.reshape(columns, [-1, x.shape[1] * STRIDE, x.shape[2] * STRIDE, out])


def _add_taps(taps):
    """taps [N, H, M, 5, C] -> y [N, 2H, M, C]: y[2p - 1 + k] gets taps[p, k], as in _upsample_by_phases."""
    down = tf.pad(taps[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    up = tf.pad(taps[:, 1:, :, 0], [[0, 0], [0, 1], [0, 0], [0, 0]])
    even = down[:, :, :, 3] + taps[:, :, :, 1]
    odd = down[:, :, :, 4] + taps[:, :, :, 2] + up
    return tf.reshape(tf.stack([even, odd], 2), [-1, taps.shape[1] * STRIDE, *taps.shape[2::2]])


def _weight_gradient(big, small):
    """Gradient of the weights between big [B, 2H, 2W, in] and small [B, H, W, out] -> [5, 5, in, out]."""
    sizes, height = [KERNEL, KERNEL, big.shape[3], small.shape[3]], big.shape[1]
    is_middle = SMALL < height <= 2 * SMALL and big.dtype == tf.bfloat16
    if (_on_cpu() and height <= SMALL) or (is_middle and _has_amx()):  # 18 ms, with AMX 7, instead of 43
        gradient = tf.matmul(_patches(big), tf.reshape(small, [-1, small.shape[3]]), transpose_a=True)
        return tf.reshape(gradient, sizes)
    if _on_cpu() and is_middle:  # 16x16x128 by 8x8x256: 18 ms instead of 26
        return _weight_gradient_by_convolution(big, small)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=big, filter_sizes=sizes, out_backprop=small, strides=[1, STRIDE, STRIDE, 1], padding="SAME"
    )


def _weight_gradient_by_convolution(big, small):
    """_weight_gradient as a convolution that takes channels for images and images for channels."""
    images, filters = tf.transpose(_pad_as_same(big), [3, 1, 2, 0]), tf.transpose(small, [1, 2, 0, 3])
    gradient = tf.nn.conv2d(images, filters, 1, "VALID", dilations=STRIDE)  # [in, 5 or 6, 5 or 6, out]
    return tf.transpose(gradient[:, :KERNEL, :KERNEL], [1, 2, 0, 3])


def _patches(x):
    """What each position of a convolution sees: x [B, 2H, 2W, C] -> [B * H * W, 5 * 5 * C]."""
    _, height, width, channels = x.shape
    rows, columns = (STRIDE * tf.range(n // STRIDE)[:, None] + tf.range(KERNEL) for n in (height, width))
    places = rows[:, None, :, None] * (width + 3) + columns[:, None, :]  # [H, W, 5, 5]
    x = tf.reshape(_pad_as_same(x), [-1, (height + 3) * (width + 3), channels])
    return tf.reshape(tf.gather(x, tf.reshape(places, [-1]), axis=1), [-1, KERNEL * KERNEL * channels])


def _pad_as_same(x):
    return tf.pad(x, [[0, 0], [1, 2], [1, 2], [0, 0]])


def _on_cpu():
    return not tf.config.list_logical_devices("GPU")


def _has_amx():
    return _on_cpu() and "amx_bf16" in cpu_flags()


@functools.cache
def cpu_flags():
    """What the processor can do, by Linux's names, such as avx512_bf16 or amx_bf16. Empty on other systems."""
    try:
        with open("/proc/cpuinfo") as file:
            return frozenset(re.search("^flags.*?:(.*)", file.read(), re.MULTILINE)[1].split())
    except (OSError, TypeError):  # TypeError: another kind of processor, which has no such line
        return frozenset()
