#!/usr/bin/env python3
"""Cut faces out of photos, aligned as OpenFace aligns them, ready for train-dcgan.py.

    ./align_faces.py data/your-dataset/raw data/your-dataset/aligned

Takes a folder of photos, at any depth, or a .tsv file of MS-Celeb-1M, and fills one flat folder with
64x64 PNGs, one for each photo in which a face is found. The photos are not touched. The same command
again does what is missing. report.csv in the output folder tells what became of each photo.
"""

import argparse
import collections
import os
import re
import signal
import sys
import threading
import time

import cli

cli.check_python()

from alignment import openface  # noqa: E402
from alignment.openface import LANDMARKS, AlignDlib  # noqa: E402  (AlignDlib: for those who import it from here)
from errors import UserError  # noqa: E402


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("input", help="folder of photos, or a .tsv file of MS-Celeb-1M")
    add("output", help="folder for the aligned faces")
    add("--size", type=cli.whole(8, 1024), default=64, metavar="N", help="height and width in pixels (default: 64)")
    add(
        "--landmarks",
        choices=list(LANDMARKS),
        default="innerEyesAndBottomLip",
        help="the three that are moved to their mean places (default: innerEyesAndBottomLip)",
    )
    add("--skipMulti", action="store_true", help="leave out photos with more than one face")
    add(
        "--upsample",
        type=cli.whole(0, 4),
        default=1,
        metavar="N",
        help="doublings before detection; 2 finds smaller faces (default: 1)",
    )
    add(
        "--min_size",
        type=cli.whole(0),
        default=0,
        metavar="N",
        help="leave out faces of fewer pixels a side (default: 0)",
    )
    add("--predictor", metavar="PATH", help="a 68-landmark model of your own")
    add("--workers", type=cli.whole(1), default=cores(), metavar="N", help="processes (default: one a core)")
    add(
        "--shard",
        type=shard,
        default=(1, 1),
        metavar="K/N",
        help="only the K-th of N parts, for N machines on one output folder",
    )
    add("--retry", action="store_true", help="look again at photos without a face: none found, skipped or unreadable")
    add("--inspect", metavar="FILE", help="write a grid of 64 of the faces to look at, a PNG")
    return parser


def cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def shard(text):
    """Parser of K/N -> (K, N)."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text}: must be K/N with K from 1 to N, such as 3/16")
    return int(match[1]), int(match[2])


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError."""
    if not os.path.exists(options.input):
        raise UserError(f"{options.input}: no such folder or file")
    if os.path.isfile(options.input) and not options.input.lower().endswith(".tsv"):
        raise UserError(f"{options.input}: neither a folder nor a .tsv file of MS-Celeb-1M")
    if os.path.realpath(options.input) == os.path.realpath(options.output):
        raise UserError(f"{options.output}: the output must be another folder than the input")
    if options.inspect:
        inspect, name = os.path.realpath(options.inspect), f"--inspect {options.inspect}"
        if any(
            os.path.commonpath([inspect, folder]) == folder
            for folder in map(os.path.realpath, (options.input, options.output))
        ):
            raise UserError(f"{name}: must lie outside the input and the output, among no photos and no faces")
        if not inspect.lower().endswith(".png"):
            raise UserError(f"{name}: must end in .png")
        if not os.path.isdir(os.path.dirname(inspect)):
            raise UserError(f"{name}: no such folder")
    if options.predictor and not os.path.isfile(options.predictor):
        raise UserError(f"--predictor {options.predictor}: no such file")
    if options.predictor:
        AlignDlib(options.predictor)  # so that what is wrong with the model is told first
    else:
        openface.find_model()


def count(options, progress):
    """Count the photos of the input, for the time left. Runs beside the aligning."""
    from alignment import workers

    if os.path.isdir(options.input):
        progress.bar.total = sum(1 for _ in workers.find(options))


class Progress:
    """A bar with what became of the photos, or on no terminal a line each minute."""

    def __init__(self, counts):
        from tqdm import tqdm

        self.counts, self.before, self.began = counts, counts.total(), time.time()
        self.told = self.began
        self.terminal = sys.stdout.isatty()
        self.bar = tqdm(
            initial=self.before, unit=" photos", dynamic_ncols=True, file=sys.stdout, disable=not self.terminal
        )
        self.bar.total = None

    def show(self):
        """Bring up to date."""
        self.bar.n = self.counts.total()
        self.bar.set_postfix_str(self.text(), refresh=False)
        self.bar.update(0)
        if not self.terminal and time.time() - self.told > 60:
            self.told = time.time()
            total, left = f" of {self.bar.total:,}" if self.bar.total else "", ""
            if self.bar.total:
                left = f", {(self.bar.total - self.counts.total()) / self.rate() / 60:.0f} min to go"
            print(f"{self.counts.total():,}{total} photos: {self.text()}, {self.rate():.0f} photos/s{left}")

    def text(self):
        """The counts in words."""
        names = {"face": "faces", "no face": "without a face"}
        parts = [f"{self.counts[key]:,} {names.get(key, key)}" for key in ("face", "no face")]
        parts += [f"{self.counts[key]:,} {key}" for key in ("skipped", "unreadable") if self.counts[key]]
        return ", ".join(parts)

    def rate(self):
        """Photos a second, in this run."""
        return (self.counts.total() - self.before) / max(time.time() - self.began, 1e-9)


def align(options):
    """Align what is still to do, as options say. Returns the exit code."""
    from alignment import workers

    report = workers.Report(options)
    progress = Progress(report.counts)
    threading.Thread(target=count, args=(options, progress), daemon=True).start()
    passed_over = collections.Counter()

    def skip(path, reason):
        if reason == "hidden" or reason.startswith(".") or reason == "no ending":
            passed_over[reason] += 1
        elif workers.in_shard(path, options.shard) and path not in report.done:
            report.add([dict.fromkeys(workers.COLUMNS, "") | dict(input=path, outcome="unreadable", reason=reason)])

    missing = (photo for photo in workers.find(options, skip) if photo[0] not in report.done)
    code = 0
    try:
        for rows in workers.align_all(options, missing):
            report.add(rows)
            progress.show()
    except KeyboardInterrupt as interruption:
        code = interruption.args[0]
    progress.bar.close()

    total, took = report.counts.total(), time.time() - progress.began
    print(f"{progress.text()} of {total:,} photos" + ("" if code else f" in {options.input}"))
    if total > progress.before:
        print(f"{total - progress.before:,} of them now, in {took:.0f} s: {progress.rate():.1f} photos/s")
    if passed_over:
        print("not looked at: " + ", ".join(f"{n:,} {what}" for what, n in passed_over.most_common(8)))
    print(f"report: {report.path}")
    if code:
        print("interrupted; the same command goes on from here")
    elif options.inspect and report.counts["face"]:
        workers.inspection_sheet(options)
        print(f"look at them: {options.inspect}")
    return code


def interrupt(number, _frame):
    """Stop in good order, with an exit code of its own for each signal."""
    raise KeyboardInterrupt(128 + number)


def main(arguments):
    """Align. Returns the exit code."""
    options = flags().parse_args(arguments)
    check(options)
    os.makedirs(options.output, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    return align(options)


if __name__ == "__main__":
    cli.run(main)
