"""Time from the command to the first batch, and memory there, for a folder of a million images.

    python benchmarks/many_files.py [--n 1000000]

The files are hard links to a few drawn faces, in a temporary folder. A folder of 1,000 is run before.
The image cache is off, so that the memory is that of the listing and the order.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import demo_faces

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


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="files (default: 1,000,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as top:
        demo_faces.write_faces(f"{top}/faces", 100)
        for n in (1000, options.n):
            for i in range(n):
                folder = f"{top}/{n}/person{i // 100:06d}"
                if i % 100 == 0:
                    os.makedirs(folder)
                os.link(f"{top}/faces/{i % 100:05d}.png", f"{folder}/{i:07d}.png")
            took, resident = first_batch(f"{top}/{n}", f"{top}/run{n}")
            print(f"{n:,} files: first batch after {took:.1f} s, {resident:,.0f} MB resident", flush=True)


if __name__ == "__main__":
    main()
