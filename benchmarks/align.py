"""Time align_faces.py against bare calls of dlib and cv2 in the same number of processes, in turn.

    python -m benchmarks.align data/your-dataset/raw [--n 2000] [--rounds 3]

Each run is a whole process, imports and model loading included. Prints photos/s.
"""

import glob
import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks import timing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BARE = """
import glob, sys, cv2, dlib, numpy as np
sys.path.insert(0, {root!r})
from alignment import models, openface
cv2.setNumThreads(1)
detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(models.find_model())
mean = np.float32(openface.TEMPLATE)
mean = 64 * (mean - mean.min(0)) / (mean.max(0) - mean.min(0))
for i, path in enumerate(sorted(glob.glob({raw!r} + "/*"))[int(sys.argv[1])::int(sys.argv[2])]):
    rgb = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    boxes = detector(rgb, 1)
    if boxes:
        points = predictor(rgb, max(boxes, key=lambda box: box.area())).parts()
        three = np.float32([(points[k].x, points[k].y) for k in (39, 42, 57)])
        face = cv2.warpAffine(rgb, cv2.getAffineTransform(three, mean[[39, 42, 57]]), (64, 64))
        cv2.imwrite(f"{{sys.argv[3]}}/{{i}}-{{sys.argv[1]}}.png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
"""


def main():
    """Measure and print."""
    parser = timing.parser(__doc__, rounds=(3, "times each is run"))
    parser.add_argument("folder", help="folder of photos")
    parser.add_argument("--n", type=int, help="use the first N photos (default: all)")
    options = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(os.path.abspath(options.folder), "**", "*.[jp][pn]g"), recursive=True))
    paths = paths[: options.n]
    if not paths:
        parser.error(f"{options.folder}: no photos in it")
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(f"{top}/raw")
        for i, path in enumerate(paths):
            os.symlink(path, f"{top}/raw/{i:06d}.jpg")

        def ours(workers):
            script, out = os.path.join(ROOT, "align_faces.py"), tempfile.mkdtemp(dir=top)
            command = [sys.executable, script, f"{top}/raw", out, "--workers", str(workers)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

        def bare(workers):
            code, out = BARE.format(root=ROOT, raw=f"{top}/raw"), tempfile.mkdtemp(dir=top)
            commands = [[sys.executable, "-c", code, str(k), str(workers), out] for k in range(workers)]
            processes = [subprocess.Popen(command) for command in commands]
            codes = [process.wait() for process in processes]
            assert not any(codes)

        workers = os.cpu_count()
        work = {
            f"align_faces.py, {workers} workers": lambda: ours(workers),
            f"bare calls, {workers} processes": lambda: bare(workers),
            "align_faces.py, 1 worker": lambda: ours(1),
        }

        def report(name, seconds):
            print(f"{name}: {len(paths) / seconds:.1f} photos/s", flush=True)

        seconds = timing.alternate(work, options.rounds, warm_up=0, report=report)
    first, second, one = (statistics.median(len(paths) / s for s in values) for values in seconds.values())
    print(f"\n{len(paths):,} photos, medians of {options.rounds}")
    print(f"against bare calls: {first / second:.3f}, against one worker: {first / one:.3f}")


if __name__ == "__main__":
    main()
