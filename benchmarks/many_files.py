"""Time from the command to the first batch, and memory then, for very many images; and how fast containers are read.

    python -m benchmarks.many_files [--n 1000000] [--kinds png,rec,zip,tar]
    python -m benchmarks.many_files --read

The images are a hundred drawn faces many times over: as files they are hard links, in .rec and .zip files
many names lead to one place, and .tar and .parquet files hold copies. A folder of 1,000 comes first. The
image cache is off, so the memory is that of the names, the places and the order.

--read: images per second from each container by one thread and by two, as a share of those from PNG files.
"""

import copy
import io
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks import timing
from cli.program import Later
from photos import collection, decoding, demo, records

pyarrow, parquet = Later("pyarrow"), Later("pyarrow.parquet")  # which may not be installed
TRAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "train-dcgan.py")
SHARD = 100_000  # images in a container
FACES = 100  # that are drawn
READ = 4000  # images of each container that --read reads
ROUNDS = 5


def write_png(folder, images, n):
    """A folder of 100 files for each hundred."""
    demo.write_faces(f"{folder}.faces", FACES)
    for i in range(n):
        person = f"{folder}/person{i // 100:06d}"
        os.makedirs(person, exist_ok=True)
        os.link(f"{folder}.faces/{i % FACES:05d}.png", f"{person}/{i:07d}.png")


def shards(folder, n, ending):
    """Make a folder. Yield the path of each of its shards, and the numbers of its images."""
    os.makedirs(folder)
    for start in range(0, n, SHARD):
        yield f"{folder}/{start // SHARD:05d}{ending}", range(start, min(start + SHARD, n))


def write_rec(folder, images, n):
    """Shards of FACES records each, at which all keys of the .idx point."""
    for path, numbers in shards(folder, n, ".rec"):
        positions = []
        with open(path, "wb") as file:
            for i, image in enumerate(images):
                positions.append(file.tell())
                payload = records.HEADER.pack(0, 0, i, 0) + image
                file.write(records.PART.pack(records.MAGIC, len(payload)) + payload + bytes(-len(payload) % 4))
        with open(path[: -len("rec")] + "idx", "w") as file:
            file.writelines(f"{i}\t{positions[i % FACES]}\n" for i in numbers)


def write_zip(folder, images, n):
    """Shards of FACES members each, at which all entries of the list of members point."""
    for path, numbers in shards(folder, n, ".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for i, image in enumerate(images):
                archive.writestr(f"{i:08d}.png", image)
            archive.filelist = [copy.copy(archive.filelist[i % FACES]) for i in numbers]
            for i, entry in zip(numbers, archive.filelist):
                entry.filename = f"faces/{i:08d}.png"


def write_tar(folder, images, n):
    """Shards with a copy of a face for each image."""
    for path, numbers in shards(folder, n, ".tar"):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for i in numbers:
                entry = tarfile.TarInfo(f"faces/{i:08d}.png")
                entry.size = len(images[i % FACES])
                archive.addfile(entry, io.BytesIO(images[i % FACES]))


def write_parquet(folder, images, n):
    """Shards of as many rows, as Hugging Face writes them."""
    for path, numbers in shards(folder, n, ".parquet"):
        rows = [{"bytes": images[i % FACES], "path": f"{i}.png"} for i in numbers]
        parquet.write_table(pyarrow.table({"image": rows}), path, row_group_size=1000)


WRITERS = {"png": write_png, "rec": write_rec, "zip": write_zip, "tar": write_tar, "parquet": write_parquet}


def first_batch(folder, run):
    """Seconds until the first batch is logged, and the process's most resident MB until then."""
    flags = [f"--{kind}_dir={run}/{kind}" for kind in ("checkpoint", "sample", "log")]
    command = [sys.executable, TRAIN, "--dataset", folder, "--cache", "off", "--gf_dim", "8", "--df_dim", "8", *flags]
    began = time.time()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if line.startswith("Epoch:"))
        took = time.time() - began
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        process.kill()
    return took, int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def reading(photos, threads):
    """A function by which threads decode READ photos, in a random order or, where that is slow, as stored."""
    order = np.arange(READ) if photos.in_order_only else np.random.default_rng(0).permutation(READ)

    def load(index):
        with photos.open(index) as file:
            decoding.load(file, 64, 3)

    def read():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(load, order))

    return read


def compare_reading(top, images):
    """Print the speed of each container beside that of PNG files, medians of alternating rounds."""
    for kind, write in WRITERS.items():
        write(f"{top}/{kind}", images, READ)
    found = {kind: collection.find(f"{top}/{kind}") for kind in WRITERS}
    for threads in (1, 2):
        work = {kind: reading(photos, threads) for kind, photos in found.items()}
        seconds = timing.alternate(work, ROUNDS, warm_up=0)
        for kind, these in seconds.items():
            rate = READ / statistics.median(these)
            share = statistics.median(png / this for png, this in zip(seconds["png"], these))
            print(f"{kind}, {threads} threads: {rate:,.0f} images/s, {share:.2f} of png", flush=True)


def main():
    """Measure and print."""
    parser = timing.parser(__doc__, n=(1_000_000, "images"), kinds=("png,rec,zip,tar", "forms"))
    parser.add_argument("--read", action="store_true", help="compare the speed of reading instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="data") as top:
        demo.write_faces(f"{top}/faces", FACES)
        images = [path.read_bytes() for path in pathlib.Path(top, "faces").iterdir()]
        if options.read:
            return compare_reading(top, images)
        for kind, n in [("png", 1000), *((kind, options.n) for kind in options.kinds.split(","))]:
            folder = f"{top}/{kind}{n}"
            WRITERS[kind](folder, images, n)
            took, resident = first_batch(folder, f"{top}/run")
            shutil.rmtree(folder)
            shutil.rmtree(f"{top}/run")
            print(f"{n:,} images as {kind}: first batch after {took:.1f} s, {resident:,.0f} MB resident", flush=True)


if __name__ == "__main__":
    main()
