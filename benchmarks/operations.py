"""Where the time of a training step goes: the dearest kinds of operation.

    python -m benchmarks.operations [--precision bfloat16] [--batch_size 64] [--dim 64]

Times are sums over the operations of a kind. Operations run side by side, so all together they exceed
the time of a step.
"""

import collections
import glob
import tempfile

from benchmarks import timing
from devices import start

start.set_up()

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.training import on_one_batch

SHOWN = 10
PRODUCTS = ("Conv", "MatMul")  # parts of the names of convolutions and matrix products


def profile(work, times=4):
    """Run `work` under TensorFlow's profiler -> {kind of operation: (ms, how many) of one run}, summed over threads."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(times):
            timing.clock(work)
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


def main():
    """Measure a training step, and print its dearest kinds of operation."""
    options = timing.parser(__doc__, precision=("bfloat16", "number format"), **timing.SIZE).parse_args()
    train = on_one_batch(options.batch_size, options.dim, options.precision)
    for _ in range(2):  # compiles
        train()
    kinds = profile(train)
    total = sum(ms for ms, _ in kinds.values())
    products = sum(ms for kind, (ms, _) in kinds.items() if any(part in kind for part in PRODUCTS))
    print("\n| operations | ms per step | of all | how many |")
    print("|---|---|---|---|")
    for kind, (ms, count) in list(kinds.items())[:SHOWN]:
        print(f"| {kind} | {ms:.1f} | {ms / total:.1%} | {count} |")
    print(f"convolutions and matrix products: {products / total:.1%} of all")


if __name__ == "__main__":
    main()
