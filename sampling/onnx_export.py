"""The generator as an ONNX file, for programs without TensorFlow."""

import numpy as np

import utils
from errors import UserError
from ops import BN_EPSILON

OPSET, IR_VERSION = 17, 8  # which onnxruntime reads from version 1.12 (2022) on


def export_onnx(dcgan, path):
    """Write the generator: z [N, z_dim] float32 -> images [N, image_size, image_size, c_dim] uint8.

    It computes in float32, whatever the training's precision, with the averaged weights where there are
    some. Raises UserError if the package onnx is missing.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise UserError(f"--export {path}: needs the package onnx; type: pip install onnx") from error
    nodes, weights = [], []

    def weight(name, values):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    generator = dcgan.sampler
    h0 = generator.h0
    h = node("Gemm", ["z", weight("g_h0_lin/Matrix", h0.matrix.numpy()), weight("bias", h0.bias.numpy())], "h0")
    h = node("Reshape", [h, weight("shape", np.int64([-1, 4, 4, generator.width0]))], "h0_maps")
    h = node("Transpose", [h], "h0_planes", perm=[0, 3, 1, 2])  # ONNX keeps channels before height and width
    for i, (norm, conv) in enumerate(zip(generator.norms, generator.convs)):
        parts = dict(gamma=norm.gamma, beta=norm.beta, mean=norm.moving_mean, variance=norm.moving_variance)
        values = [weight(f"g_bn{i}/{name}", variable.numpy()) for name, variable in parts.items()]
        h = node("BatchNormalization", [h, *values], f"bn{i}", epsilon=BN_EPSILON)
        h = node("Relu", [h], f"relu{i}")
        kernel = weight(f"g_h{i + 1}/w", conv.w.numpy().transpose(3, 2, 0, 1))
        # Pads: what TensorFlow's SAME means for a 5x5 kernel of stride 2, at top, left, bottom, right
        h = node("ConvTranspose", [h, kernel, weight(f"g_h{i + 1}/biases", conv.biases.numpy())], f"h{i + 1}",
                 strides=[2, 2], pads=[1, 1, 2, 2])  # fmt: skip
    h = node("Tanh", [h], "tanh")
    h = node(
        "Mul", [node("Add", [h, weight("one", np.float32(1))], "from_0"), weight("half", np.float32(127.5))], "levels"
    )
    h = node(
        "Clip",
        [node("Round", [h], "rounded"), weight("low", np.float32(0)), weight("high", np.float32(255))],
        "clipped",
    )
    h = node("Transpose", [node("Cast", [h], "bytes", to=TensorProto.UINT8)], "images", perm=[0, 2, 3, 1])
    size, c_dim = dcgan.image_size, dcgan.c_dim
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", dcgan.z_dim])
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", size, size, c_dim])
    graph = helper.make_graph(nodes, "generator", [z], [images], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name="DCGAN faces")  # fmt: skip
    onnx.checker.check_model(model)
    with utils.whole_file(path) as file:
        file.write(model.SerializeToString())
