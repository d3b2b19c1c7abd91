"""Time from the command to the first batch, and memory then, for a folder of a million images.

    python -m benchmarks.many_files [--n 1000000]

The files are hard links to a few drawn faces, in a temporary folder. A folder of 1,000 comes first. The
image cache is off, so the memory is that of the list of names and the order.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from photos import demo

TRAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "train-dcgan.py")


def first_batch(folder, run):
    """Seconds until the first batch is logged, and the process's resident MB then."""
    flags = [f"--{kind}_dir={run}/{kind}" for kind in ("checkpoint", "sample", "log")]
    command = [sys.executable, TRAIN, "--dataset", folder, "--cache", "off", "--gf_dim", "8", "--df_dim", "8", *flags]
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("Epoch:"):
            break
    took = time.time() - began
    with open(f"/proc/{process.pid}/status") as file:
        resident = next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))
    process.kill()
    process.wait()
    return took, resident


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="files (default: 1,000,000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir="data") as top:
        demo.write_faces(f"{top}/faces", 100)
        for turn, n in enumerate((1000, options.n)):
            for i in range(n):
                folder = f"{top}/{turn}/person{i // 100:06d}"
                if i % 100 == 0:
                    os.makedirs(folder)
                os.link(f"{top}/faces/{i % 100:05d}.png", f"{folder}/{i:07d}.png")
            took, resident = first_batch(f"{top}/{turn}", f"{top}/run{turn}")
            print(f"{n:,} files: first batch after {took:.1f} s, {resident:,.0f} MB resident", flush=True)


if __name__ == "__main__":
    main()
