"""Aligning a folder of photos: what is left to do, progress, and how it ended."""

import contextlib
import os
import threading

from alignment import inputs, workers
from alignment.outputs import write_inspection_sheet
from alignment.report import Report, row_of
from cli.interruption import Interruption
from cli.machine import check_processor, check_shared_memory
from cli.progress import Progress
from errors import printable
from photos.containers import may_be_container


def align_folder(settings, inspect=None):
    """Align what is left to do, and print progress and outcome. Returns the exit code.

    settings: an AlignSettings
    inspect: path of a grid of faces to write at the end, or None

    A signal ends it in good order. Raises UserError.
    """
    check_processor()
    check_shared_memory()
    photos = inputs.Input(settings)
    os.makedirs(settings.output, exist_ok=True)
    report = Report(settings)
    progress = Progress("aligning", done=report.counts.total())
    threading.Thread(target=count, args=(photos, progress), daemon=True).start()
    skipped = photos.skipped

    def skip(path, reason):
        if reason in ("hidden", "no ending") or reason.startswith("."):
            skipped[f"container {path}" if may_be_container(path) else reason] += 1
        elif inputs.in_shard(path, settings.shard) and path not in report.done:
            report.add([row_of(path, outcome="unreadable", reason=reason)])

    missing = (photo for photo in photos.of_shard(skip) if photo[0] not in report.done)
    failed = []
    with Interruption() as interruption:
        aligned = workers.align_all(settings, missing, report.ignores_case, lambda: interruption.signal)
        for rows in aligned:
            failed += [row for row in rows if row["outcome"] == workers.FAILED]
            report.add([row for row in rows if row["outcome"] != workers.FAILED])
            progress.text = in_words(report.counts)
            progress.advance(report.counts.total() - progress.done)
    progress.close()
    say_what_became(settings, report, progress, skipped, failed)
    if interruption.signal:
        print("interrupted; the same command continues from here")
    elif inspect and report.counts["face"]:
        write_inspection_sheet(settings.output, settings.size, inspect)
        print(f"a sheet of the faces: {inspect}")
    if interruption.signal or failed:
        return interruption.exit_code or 1
    if report.counts["face"] or settings.shard:
        return 0
    print("no face was found in any photo: are the faces large enough? --upsample 2 finds smaller ones, in a new folder"
          if report.counts.total() else f"there are no photos in {settings.input}")  # fmt: skip
    return 2


def say_what_became(settings, report, progress, skipped, failed):
    """Print the outcomes, those of this run, and what is left. failed: rows of photos that could not be read now."""
    total, now = report.counts.total(), report.counts.total() - progress.before
    print(f"{in_words(report.counts)} of {total:,} photos in {settings.input}")
    if now:
        print(f"{now:,} of them now, in {progress.took():.0f} s: {now / max(progress.took(), 1e-9):.1f} photos/s")
    if skipped:
        print("not looked at: " + ", ".join(f"{what} ({n:,})" for what, n in skipped.most_common(8)))
    print(f"report: {report.path}")
    if failed:
        such_as = f"{printable(failed[0]['input'])} ({failed[0]['reason']})"
        print(f"warning: {len(failed):,} photos could not be read now, such as {such_as}; the same command tries again")


def count(photos, progress):
    """Count the photos of the input, for the time left. Runs in a thread beside the alignment."""
    with contextlib.suppress(OSError):  # which the alignment meets too
        progress.total = photos.count()


def in_words(counts):
    """The outcomes and how many photos had each, in words."""
    parts = [f"{counts['face']:,} faces", f"{counts['no face']:,} without a face"]
    return ", ".join(parts + [f"{counts[key]:,} {key}" for key in ("skipped", "unreadable") if counts[key]])
