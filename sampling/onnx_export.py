"""The generator as an ONNX file, for programs without TensorFlow."""

import importlib.util

import numpy as np

import utils
from cli.program import Later
from errors import UserError
from ops import BN_EPSILON

onnx = Later("onnx")  # which only those install who write such files
OPSET, IR_VERSION = 17, 8  # which onnxruntime reads from version 1.12 (2022) on


def export_onnx(dcgan, path):
    """Write the generator: z [N, z_dim] float32 -> images [N, image_size, image_size, c_dim] uint8.

    It computes in float32, whatever the training's precision, with the averaged weights where there are
    some. Raises UserError if the package onnx is missing.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError(f"--export {path}: needs the package onnx; type: pip install onnx")
    graph, helper, types = Graph(), onnx.helper, onnx.TensorProto
    add_generator(graph, dcgan.sampler)
    size = dcgan.image_size
    z = helper.make_tensor_value_info("z", types.FLOAT, ["N", dcgan.z_dim])
    images = helper.make_tensor_value_info("images", types.UINT8, ["N", size, size, dcgan.c_dim])
    whole = helper.make_graph(graph.nodes, "generator", [z], [images], graph.weights)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(whole, opset_imports=[opset], ir_version=IR_VERSION, producer_name="DCGAN faces")
    onnx.checker.check_model(model)
    with utils.whole_file(path) as file:
        file.write(model.SerializeToString())


class Graph:
    """The nodes and weights of an ONNX graph, as they are added."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, values):
        """Add an array -> its name."""
        self.weights.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        """Add a node by the names of its inputs and its output -> the latter."""
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output


def add_generator(graph, generator):
    """Add the layers of a model.Generator, from z to images as bytes."""
    node, weight, h0 = graph.node, graph.weight, generator.h0
    h = node("Gemm", ["z", weight("g_h0_lin/Matrix", h0.matrix.numpy()), weight("bias", h0.bias.numpy())], "h0")
    h = node("Reshape", [h, weight("shape", np.int64([-1, 4, 4, generator.width0]))], "h0_maps")
    h = node("Transpose", [h], "h0_planes", perm=[0, 3, 1, 2])  # ONNX keeps channels before height and width
    for i, (norm, conv) in enumerate(zip(generator.norms, generator.convs)):
        parts = dict(gamma=norm.gamma, beta=norm.beta, mean=norm.moving_mean, variance=norm.moving_variance)
        values = [weight(f"g_bn{i}/{name}", variable.numpy()) for name, variable in parts.items()]
        h = node("BatchNormalization", [h, *values], f"bn{i}", epsilon=BN_EPSILON)
        h = node("Relu", [h], f"relu{i}")
        kernel = weight(f"g_h{i + 1}/w", conv.w.numpy().transpose(3, 2, 0, 1))
        biases = weight(f"g_h{i + 1}/biases", conv.biases.numpy())
        # Pads: what TensorFlow's SAME means for a 5x5 kernel of stride 2, at top, left, bottom, right
        h = node("ConvTranspose", [h, kernel, biases], f"h{i + 1}", strides=[2, 2], pads=[1, 1, 2, 2])
    h = node("Add", [node("Tanh", [h], "tanh"), weight("one", np.float32(1))], "from_0")
    h = node("Round", [node("Mul", [h, weight("half", np.float32(127.5))], "levels")], "rounded")
    h = node("Clip", [h, weight("low", np.float32(0)), weight("high", np.float32(255))], "clipped")
    node("Transpose", [node("Cast", [h], "bytes", to=onnx.TensorProto.UINT8)], "images", perm=[0, 2, 3, 1])
