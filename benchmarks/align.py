"""Time align_faces.py against bare calls of dlib and cv2 in the same number of processes, in turn.

    python -m benchmarks.align data/your-dataset/raw [--n 2000] [--rounds 3]

Each run is a whole process, imports and model loading included. Prints photos/s.
"""

import argparse
import glob
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BARE = """
import sys, cv2, dlib, numpy as np
sys.path.insert(0, {root!r})
from alignment import models, openface
cv2.setNumThreads(1)
detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(models.find_model())
mean = np.float32(openface.TEMPLATE)
mean = 64 * (mean - mean.min(0)) / (mean.max(0) - mean.min(0))
faces = 0
for i, path in enumerate(open({listing!r}).read().splitlines()[int(sys.argv[1])::int(sys.argv[2])]):
    rgb = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    boxes = detector(rgb, 1)
    if boxes:
        points = predictor(rgb, max(boxes, key=lambda box: box.area())).parts()
        three = np.float32([(points[k].x, points[k].y) for k in (39, 42, 57)])
        face = cv2.warpAffine(rgb, cv2.getAffineTransform(three, mean[[39, 42, 57]]), (64, 64))
        cv2.imwrite(f"{{sys.argv[3]}}/{{i}}-{{sys.argv[1]}}.png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
"""


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder of photos")
    parser.add_argument("--n", type=int, help="use the first N photos (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="times each is run (default: 3)")
    options = parser.parse_args(arguments)
    workers = os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted(glob.glob(os.path.join(os.path.abspath(options.folder), "**", "*.[jp][pn]g"), recursive=True))
        paths = paths[: options.n]
        if not paths:
            parser.error(f"{options.folder}: no photos in it")
        os.mkdir(f"{folder}/raw")
        for i, path in enumerate(paths):
            os.symlink(path, f"{folder}/raw/{i:06d}.jpg")
        listing = f"{folder}/listing"
        with open(listing, "w") as file:
            file.write("\n".join(paths))
        numbers = itertools.count()

        def ours(workers):
            out = f"{folder}/out{next(numbers)}"
            script = os.path.join(ROOT, "align_faces.py")
            return [[sys.executable, script, f"{folder}/raw", out, "--workers", str(workers)]]

        def bare(workers):
            out = f"{folder}/out{next(numbers)}"
            os.mkdir(out)
            code = BARE.format(root=ROOT, listing=listing)
            return [[sys.executable, "-c", code, str(k), str(workers), out] for k in range(workers)]

        runs = {
            f"align_faces.py, {workers} workers": lambda: ours(workers),
            f"bare calls, {workers} processes": lambda: bare(workers),
            "align_faces.py, 1 worker": lambda: ours(1),
        }
        rates = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, commands in runs.items():
                began = time.time()
                processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands()]
                codes = [process.wait() for process in processes]
                assert not any(codes)
                rates[name].append(len(paths) / (time.time() - began))
                print(f"{name}: {rates[name][-1]:.1f} photos/s", flush=True)
    first, second, one = (statistics.median(rates[name]) for name in runs)
    print(f"\n{len(paths):,} photos, medians of {options.rounds}")
    print(f"against bare calls: {first / second:.3f}, against one worker: {first / one:.3f}")


if __name__ == "__main__":
    main()
