"""Where the time of a training step goes: the dearest kinds of operation.

    python -m benchmarks.operations [--precision bfloat16] [--batch_size 64] [--dim 64]

Times are sums over the operations of a kind. Operations run side by side, so all together they exceed
the time of a step.
"""

import argparse
import collections
import glob
import tempfile

from devices import start

start.set_up()

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from model import DCGAN

SHOWN = 10
PRODUCTS = ("Conv", "MatMul")  # parts of the names of convolutions and matrix products


def profile(work, times=4):
    """Run `work` under TensorFlow's profiler -> {kind of operation: (ms, how many) of one run}, summed over threads."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(times):
            tf.nest.map_structure(np.asarray, work())
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        with open(glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0], "rb") as file:
            space.ParseFromString(file.read())
    total, count = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                kind = name.rpartition(":")[2].strip().removeprefix("_Mkl").removeprefix("Native")
                is_operation = ":" in name and "::" not in name  # as in "conv/Conv2D:Conv2D"
                if is_operation and not kind.startswith("__inference"):
                    total[kind] += event.duration_ps / 1e9 / times
                    count[kind] += 1 / times
    return {kind: (total[kind], round(count[kind])) for kind, _ in total.most_common()}


def report(dcgan, images):
    """Print the dearest kinds of operation of a training step on images."""
    for _ in range(2):  # compiles
        dcgan.train_step(images)
    kinds = profile(lambda: dcgan.train_step(images))
    total = sum(ms for ms, _ in kinds.values())
    products = sum(ms for kind, (ms, _) in kinds.items() if any(part in kind for part in PRODUCTS))
    print("\n| operations | ms per step | of all | how many |")
    print("|---|---|---|---|")
    for kind, (ms, count) in list(kinds.items())[:SHOWN]:
        print(f"| {kind} | {ms:.1f} | {ms / total:.1%} | {count} |")
    print(f"convolutions and matrix products: {products / total:.1%} of all")


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--batch_size", type=int, default=64, help="images per batch (default: 64)")
    parser.add_argument("--dim", type=int, default=64, help="gf_dim and df_dim (default: 64)")
    options = parser.parse_args(arguments)
    images = tf.random.uniform([options.batch_size, 64, 64, 3], -1, 1)
    report(DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=options.precision), images)


if __name__ == "__main__":
    main()
