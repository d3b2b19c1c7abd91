"""The two convolutions of ops.py with their gradients, each in the form that is fastest on the device.

Each convolution is the other's gradient for the input, and both share one weight gradient. The forms
compute the same sums:

- the library's own convolution (oneDNN's on a CPU, cuDNN's on a GPU)
- a product of matrices: what each position sees, as rows, times the weights
- a convolution of 2x2 blocks of pixels, as channels, with 3x3 kernels and stride 1

On a CPU, some of oneDNN's kernels are slow. The times below are those of a batch of 64, 8x8x256 by 4x4x512,
in bfloat16, on two cores of an AMD EPYC with AVX512-BF16 and of an Intel Xeon with AMX.

On a GPU, XLA takes cuDNN's convolutions, but for two kinds of layers. It does not recognise the gradients of
those between 8x8 and 4x4 maps, since it swaps the operands where the kernel is larger than the map, and takes a
kernel that is up to a hundred times slower. And cuDNN's take twice as long as need be where there are only the 3
channels of an image.
"""

import contextlib
import functools
import re

import tensorflow as tf

KERNEL = 5  # 5x5 kernels, stride 2, SAME padding everywhere, as in the original's conv2d
STRIDE = 2
SMALL = 8  # height of the larger map, up to which products of matrices are faster
IMAGE = 4  # channels of an image, at most

_for_xla = False  # whether XLA will compile what is traced


@contextlib.contextmanager
def for_xla(compiles=True):
    """Choose the forms for XLA in what is traced within, where `compiles` is true."""
    global _for_xla
    before, _for_xla = _for_xla, compiles
    try:
        yield
    finally:
        _for_xla = before


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
    if _multiplies(x.shape[1]):  # on a CPU with AMX: 6 ms instead of 12
        return _product(_patches(x), w, x.shape[1] // STRIDE, x.shape[2] // STRIDE)
    if x.shape[3] <= IMAGE and _on_gpu_by_xla():
        return tf.nn.conv2d(tf.nn.space_to_depth(x, STRIDE), _in_blocks(w), 1, "SAME")
    return tf.nn.conv2d(x, w, STRIDE, "SAME")


def _upsample(x, w):
    """The transposed convolution without its gradient: x [B, H, W, in], w [5, 5, out, in] -> [B, 2H, 2W, out]."""
    batch, height, width, out = tf.shape(x)[0], x.shape[1] * STRIDE, x.shape[2] * STRIDE, w.shape[2]
    multiplies, is_image = _multiplies(height), out <= IMAGE
    if is_image and _on_cpu():  # oneDNN's kernel takes twice as long there
        return _upsample_by_blocks(x, w)
    if multiplies and _on_cpu():  # 9 ms instead of 19
        return _upsample_by_product(x, w)
    if multiplies or (is_image and _on_gpu_by_xla()):
        return _upsample_by_blocks(x, w, multiplies)
    return tf.nn.conv2d_transpose(x, w, tf.stack([batch, height, width, out]), STRIDE, "SAME")


def _upsample_by_blocks(x, w, multiplies=False):
    """_upsample as a convolution of stride 1, or a product, that gives each pixel's 2x2 block as channels.

    Along one axis, SAME puts x[p] at y[2p - 1 + k] for tap k of w. So y[2p] has taps 3 and 1 of
    x[p - 1] and x[p], and y[2p + 1] has taps 4, 2 and 0 of x[p - 1], x[p] and x[p + 1]. That is _in_blocks
    turned around.
    """
    w = tf.transpose(_in_blocks(w)[::-1, ::-1], [0, 1, 3, 2])  # [3, 3, in, 4 out]
    y = _product(_patches(x, 3, 1), w, *x.shape[1:3]) if multiplies else tf.nn.conv2d(x, w, 1, "SAME")
    return tf.nn.depth_to_space(y, STRIDE)


def _in_blocks(w):
    """Weights [5, 5, in, out] of stride 2 -> [3, 3, 4 in, out], which do the same on 2x2 blocks as channels."""
    w = tf.pad(w, [[1, 0], [1, 0], [0, 0], [0, 0]])  # x[2p - 2], which tap -1 would see
    w = tf.reshape(w, [3, STRIDE, 3, STRIDE, *w.shape[2:]])
    return tf.reshape(tf.transpose(w, [0, 2, 1, 3, 4, 5]), [3, 3, -1, w.shape[5]])


def _out_of_blocks(w):
    """The inverse of _in_blocks."""
    w = tf.reshape(w, [3, 3, STRIDE, STRIDE, -1, w.shape[3]])
    w = tf.transpose(w, [0, 2, 1, 3, 4, 5])
    return tf.reshape(w, [KERNEL + 1, KERNEL + 1, *w.shape[4:]])[1:, 1:]


def _upsample_by_product(x, w):
    """_upsample as a product of matrices: what each pixel of x adds to 5x5 pixels of y. The rest is sums."""
    out = w.shape[2]
    taps = tf.matmul(tf.reshape(x, [-1, x.shape[3]]), tf.reshape(w, [-1, x.shape[3]]), transpose_b=True)
    rows = _add_taps(tf.reshape(taps, [-1, x.shape[1], x.shape[2], KERNEL, KERNEL * out]))
    columns = _add_taps(tf.reshape(rows, [-1, x.shape[2], 1, KERNEL, out]))
    return tf.reshape(columns, [-1, x.shape[1] * STRIDE, x.shape[2] * STRIDE, out])


def _add_taps(taps):
    """taps [N, H, M, 5, C] -> y [N, 2H, M, C]: y[2p - 1 + k] gets taps[p, k], as in _upsample_by_blocks."""
    down = tf.pad(taps[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    up = tf.pad(taps[:, 1:, :, 0], [[0, 0], [0, 1], [0, 0], [0, 0]])
    even = down[:, :, :, 3] + taps[:, :, :, 1]
    odd = down[:, :, :, 4] + taps[:, :, :, 2] + up
    return tf.reshape(tf.stack([even, odd], 2), [-1, taps.shape[1] * STRIDE, *taps.shape[2::2]])


def _weight_gradient(big, small):
    """Gradient of the weights between big [B, 2H, 2W, in] and small [B, H, W, out] -> [5, 5, in, out]."""
    sizes, height = [KERNEL, KERNEL, big.shape[3], small.shape[3]], big.shape[1]
    is_middle = SMALL < height <= 2 * SMALL and big.dtype == tf.bfloat16
    multiplies = _multiplies(height) or (_on_cpu() and height <= SMALL) or (is_middle and _has_amx())
    if multiplies:  # on a CPU 18 ms, with AMX 7, instead of 43
        gradient = tf.matmul(_patches(big), tf.reshape(small, [-1, small.shape[3]]), transpose_a=True)
        return tf.reshape(gradient, sizes)
    if _on_cpu() and is_middle:  # 16x16x128 by 8x8x256: 18 ms instead of 26
        return _weight_gradient_by_convolution(big, small)
    if big.shape[3] <= IMAGE and _on_gpu_by_xla():
        blocks = tf.nn.space_to_depth(big, STRIDE)
        return _out_of_blocks(_weight_gradient_of_library(blocks, small, 3, 1))
    return _weight_gradient_of_library(big, small, KERNEL, STRIDE)


def _weight_gradient_of_library(big, small, kernel, stride):
    return tf.raw_ops.Conv2DBackpropFilter(
        input=big,
        filter_sizes=[kernel, kernel, big.shape[3], small.shape[3]],
        out_backprop=small,
        strides=[1, stride, stride, 1],
        padding="SAME",
    )


def _weight_gradient_by_convolution(big, small):
    """_weight_gradient as a convolution that takes channels for images and images for channels."""
    images, filters = tf.transpose(_pad_as_same(big), [3, 1, 2, 0]), tf.transpose(small, [1, 2, 0, 3])
    gradient = tf.nn.conv2d(images, filters, 1, "VALID", dilations=STRIDE)  # [in, 5 or 6, 5 or 6, out]
    return tf.transpose(gradient[:, :KERNEL, :KERNEL], [1, 2, 0, 3])


def _patches(x, kernel=KERNEL, stride=STRIDE):
    """What each position of a convolution sees: x [B, H, W, C] -> [B * H/stride * W/stride, kernel * kernel * C]."""
    _, height, width, channels = x.shape
    more = kernel - stride  # pixels of padding along each axis
    rows, columns = (stride * tf.range(n // stride)[:, None] + tf.range(kernel) for n in (height, width))
    places = rows[:, None, :, None] * (width + more) + columns[:, None, :]  # [H, W, kernel, kernel]
    x = tf.reshape(_pad_as_same(x, more), [-1, (height + more) * (width + more), channels])
    return tf.reshape(tf.gather(x, tf.reshape(places, [-1]), axis=1), [-1, kernel * kernel * channels])


def _product(patches, w, height, width):
    """Patches times weights [kernel, kernel, in, out] -> [B, height, width, out]."""
    y = tf.matmul(patches, tf.reshape(w, [patches.shape[1], w.shape[3]]))
    return tf.reshape(y, [-1, height, width, w.shape[3]])


def _pad_as_same(x, more=KERNEL - STRIDE):
    return tf.pad(x, [[0, 0], [1, more - 1], [1, more - 1], [0, 0]])


def _multiplies(height):
    """Whether a convolution whose larger map has this height is a product. Gradients of weights are so more often."""
    return height <= SMALL and (_on_gpu_by_xla() or _has_amx())


def _on_gpu_by_xla():
    return _for_xla and not _on_cpu()


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
