"""dlib's face recognition network in TensorFlow: the same numbers, ten times as fast on a CPU.

A ResNet of 29 convolutions (Davis King, dlib's example dnn_face_recognition_ex.cpp) that maps a face
to 128 numbers. dlib computes it without a fast matrix product, at 75 ms per face and core. Parameters
are read from dlib's own file, dlib_face_recognition_resnet_model_v1.dat.
"""

import re

import numpy as np
import tensorflow as tf

SIZE = 150  # height and width of what the network takes
MEAN = (122.782, 117.001, 104.298)  # of dlib's input layer, which then divides by 256
# Channels of the residual blocks, in order, and whether a block halves height and width
BLOCKS = [(32, False)] * 3 + [(64, True)] + [(64, False)] * 3 + [(128, True)] + [(128, False)] * 2
BLOCKS += [(256, True)] + [(256, False)] * 2 + [(256, True)]
BATCH = 64  # always, padded


class FaceNetwork:
    """features(faces): faces uint8 [N, 150, 150, 3], RGB -> float32 [N, 128]. path: dlib's file of parameters."""

    def __init__(self, path):
        with open(path, "rb") as file:
            layers = read_layers(file.read())
        fully_connected = layers.pop()
        self.fully_connected = tf.constant(fully_connected.reshape(256, 128))
        self.convolutions, channels = [], 3
        for parameters, affine in zip(layers[::2], layers[1::2]):
            gamma, beta = np.split(affine, 2)
            size = 7 if channels == 3 else 3
            weights, biases = np.split(parameters, [len(gamma) * channels * size * size])
            weights = weights.reshape(len(gamma), channels, size, size).transpose(2, 3, 1, 0)
            self.convolutions.append((tf.constant(weights * gamma), tf.constant(biases * gamma + beta)))
            channels = len(gamma)
        self.compiled = tf.function(self.forward, autograph=False)

    def features(self, faces):
        """The features of faces, BATCH at a time."""
        rows = []
        for start in range(0, len(faces), BATCH):
            part = np.asarray(faces[start : start + BATCH])
            padded = np.pad(part, [(0, BATCH - len(part)), (0, 0), (0, 0), (0, 0)])
            rows.append(self.compiled(tf.constant(padded)).numpy()[: len(part)])
        return np.concatenate(rows)

    def forward(self, faces):
        """The network on a batch."""
        convolutions = iter(self.convolutions)

        def convolve(x, stride=1):
            weights, biases = next(convolutions)
            x = tf.nn.conv2d(x, weights, stride, "SAME" if stride == 1 else "VALID")  # dlib pads where stride is 1
            return tf.nn.bias_add(x, biases)

        x = tf.nn.relu(convolve((tf.cast(faces, tf.float32) - MEAN) / 256, stride=2))
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for channels, halves in BLOCKS:
            y = convolve(tf.nn.relu(convolve(x, stride=2 if halves else 1)))
            x = tf.nn.avg_pool2d(x, 2, 2, "VALID") if halves else x
            height = max(x.shape[1], y.shape[1])  # dlib adds maps of different shapes as if padded with zeros
            x, y = (
                tf.pad(t, [[0, 0], [0, height - t.shape[1]], [0, height - t.shape[2]], [0, channels - t.shape[3]]])
                for t in (x, y)
            )
            x = tf.nn.relu(x + y)
        return tf.reduce_mean(x, [1, 2]) @ self.fully_connected


def read_layers(content):
    """The parameters in dlib's file, in the order of the layers: of each convolution, then of its affine layer; the
    fully connected layer last.

    After a layer's name comes a tensor: version 2, four sizes, then 32-bit floats. dlib writes a whole
    number as its length in bytes and the bytes.
    """
    layers = []
    for match in re.finditer(rb"\x05con_4|\x07affine_|\x04fc_2", content):
        start = match.end() if match[0] != b"\x04fc_2" else content.index(b"\x01\x02\x02\x00\x01\x01\x80", match.end())
        sizes, at = [], start
        for _ in range(5):
            length = content[at]
            sizes.append(int.from_bytes(content[at + 1 : at + 1 + length], "little"))
            at += 1 + length
        layers.append(np.frombuffer(content, "<f4", int(np.prod(sizes[1:])), at))
    return layers
