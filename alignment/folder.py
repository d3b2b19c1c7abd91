"""Aligning a folder of photos: what is left to do, progress, and how it ended."""

import contextlib
import dataclasses
import os
import sys
import threading
import time

from tqdm import tqdm

from alignment import inputs, workers
from alignment.outputs import write_inspection_sheet
from alignment.report import Report, row_of
from photos.containers import may_be_container


def align_folder(settings, photos, inspect=None):
    """Align what is left to do, and print progress and outcome. Returns the exit code.

    settings: an AlignSettings
    photos: the inputs.Input of these settings
    inspect: path of a grid of faces to write at the end, or None

    A KeyboardInterrupt whose argument is an exit code ends it in good order. Raises UserError.
    """
    os.makedirs(settings.output, exist_ok=True)
    report = Report(settings)
    settings = dataclasses.replace(settings, ignores_case=report.ignores_case)
    progress = Progress(report.counts)
    threading.Thread(target=count, args=(photos, progress), daemon=True).start()
    skipped = photos.skipped

    def skip(path, reason):
        if reason in ("hidden", "no ending") or reason.startswith("."):
            skipped[f"container {path}" if may_be_container(path) else reason] += 1
        elif inputs.in_shard(path, settings.shard) and path not in report.done:
            report.add([row_of(path, outcome="unreadable", reason=reason)])

    missing = (photo for photo in photos.photos(skip) if photo[0] not in report.done)
    code = 0
    try:
        for rows in workers.align_all(settings, missing):
            report.add(rows)
            progress.show()
    except KeyboardInterrupt as interruption:
        code = interruption.args[0]
    progress.bar.close()

    total, took = report.counts.total(), time.time() - progress.began
    print(f"{progress.text()} of {total:,} photos" + ("" if code else f" in {settings.input}"))
    if total > progress.before:
        print(f"{total - progress.before:,} of them now, in {took:.0f} s: {progress.rate():.1f} photos/s")
    if skipped:
        print("not looked at: " + ", ".join(f"{what} ({n:,})" for what, n in skipped.most_common(8)))
    print(f"report: {report.path}")
    if code:
        print("interrupted; the same command continues from here")
    elif inspect and report.counts["face"]:
        write_inspection_sheet(settings.output, settings.size, inspect)
        print(f"a sheet of the faces: {inspect}")
    return code


def count(photos, progress):
    """Count the photos of the input, for the time left. Runs in a thread beside the alignment."""
    with contextlib.suppress(OSError):  # which the alignment meets too
        progress.bar.total = photos.count()


class Progress:
    """A bar with the outcomes so far on a terminal, elsewhere a line per minute."""

    def __init__(self, counts):
        self.counts, self.before, self.began = counts, counts.total(), time.time()
        self.told = self.began
        self.terminal = sys.stdout.isatty()
        self.bar = tqdm(
            initial=self.before, unit=" photos", dynamic_ncols=True, file=sys.stdout, disable=not self.terminal
        )
        self.bar.total = None

    def show(self):
        """Bring it up to date."""
        self.bar.n = self.counts.total()
        self.bar.set_postfix_str(self.text(), refresh=False)
        self.bar.update(0)
        if not self.terminal and time.time() - self.told > 60:
            self.told = time.time()
            total, left = f" of {self.bar.total:,}" if self.bar.total else "", ""
            if self.bar.total:
                left = f", {(self.bar.total - self.counts.total()) / self.rate() / 60:.0f} min left"
            print(f"{self.counts.total():,}{total} photos: {self.text()}, {self.rate():.0f} photos/s{left}")

    def text(self):
        """The counts in words."""
        names = {"face": "faces", "no face": "without a face"}
        parts = [f"{self.counts[key]:,} {names.get(key, key)}" for key in ("face", "no face")]
        parts += [f"{self.counts[key]:,} {key}" for key in ("skipped", "unreadable") if self.counts[key]]
        return ", ".join(parts)

    def rate(self):
        """Photos per second, in this run."""
        return (self.counts.total() - self.before) / max(time.time() - self.began, 1e-9)
