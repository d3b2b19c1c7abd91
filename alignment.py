"""Aligning a folder of photos: names of outputs, shards, worker processes, and the report."""

import base64
import collections
import contextlib
import csv
import fcntl
import glob
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for

import numpy as np

import photos
import utils
from errors import UserError
from openface import LANDMARKS, AlignDlib


def output_name(relative):
    """Name of a photo's output, an injective and readable function of its path within the input.

    person/001.jpg -> person__001.jpg.png. A separator becomes two underscores; underscores beside a
    separator or another one are written %5F, and %, ~ and control characters likewise, so that no
    two paths meet. A name too long for a file system ends in ~ and a digest instead.
    """
    escaped = re.sub(r"[%~\x00-\x1f\x7f]", lambda match: f"%{ord(match[0]):02X}", relative.replace(os.sep, "/"))
    escaped = re.sub(r"(?<=[_/])_|_(?=[_/])", "%5F", escaped)
    name = escaped.replace("/", "__")
    if len(os.fsencode(name)) > 200:
        digest = hashlib.sha256(os.fsencode(relative)).hexdigest()[:32]
        name = os.fsencode(name)[:150].decode(errors="ignore") + "~" + digest
    return name + ".png"


def in_shard(relative, shard):
    """Whether a path belongs to shard (k, n), 1 <= k <= n, by a stable hash of the path."""
    k, n = shard
    return int.from_bytes(hashlib.sha256(os.fsencode(relative)).digest()[:8], "big") % n == k - 1


COLUMNS = ["input", "output", "outcome", "faces", "box", "reason"]  # of the report
BATCH = 8  # photos handed to a worker at once: some 0.2 s of its work


def find(folder, options, skipped=None):
    """Yield (path relative to folder, source) of each photo of the options' shard, as they are found.

    A source is what `read` takes: a path, or for a row of an MS-Celeb-1M .tsv file its base64 text.
    """
    skipped = collections.Counter() if skipped is None else skipped
    if os.path.isfile(folder):
        found = read_tsv(folder)
    else:
        paths = photos.walk_photos(folder, skipped, photos.RAW_ENDINGS, leave_out=options.output)
        found = ((path, os.path.join(folder, path)) for path in paths)
    return (photo for photo in found if in_shard(photo[0], options.shard))


def read_tsv(path):
    """Yield (name, base64 text) of each row of an MS-Celeb-1M file, streaming.

    The first column is the person's Freebase MID (m.0abc), the last one the JPEG. The name is
    <file>/<person>/<row, counted from 1>.jpg.
    """
    with open(path, "rb") as file:
        for row, line in enumerate(file, start=1):
            columns = line.rstrip(b"\r\n").split(b"\t")
            person = columns[0].decode(errors="replace").replace("/", "_")
            yield f"{os.path.basename(path)}/{person}/{row:08d}.jpg", columns[-1]


def read(source):
    """A photo's bytes, from a path or from base64 text. Raises PhotoError."""
    try:
        if isinstance(source, bytes):
            return base64.b64decode(source, validate=True)
        with open(source, "rb") as file:
            return file.read()
    except OSError as error:
        raise photos.PhotoError(error.strerror.lower()) from error
    except ValueError as error:
        raise photos.PhotoError("not base64") from error


def decode(content):
    """A photo's bytes as cv2 reads them -> uint8 [H, W, 3], RGB; by Pillow where cv2 can't.

    Raises PhotoError.
    """
    import cv2

    _, orientation = photos.header(io.BytesIO(content))
    if content and orientation == 1:  # cv2 turns JPEG and PNG by their EXIF; others it may forget
        with contextlib.suppress(cv2.error):
            bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            if bgr is not None:
                return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return np.asarray(photos.open_rgb(io.BytesIO(content)))


class Worker:
    """What a worker process keeps: the options, and the models from the first photo on."""

    def __init__(self, options):
        os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(photos.MAX_PIXELS)
        os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
        import cv2

        cv2.setNumThreads(1)
        threading.Thread(target=end_with_parent, daemon=True).start()
        self.options = options
        self.aligner = AlignDlib(options.predictor, options.upsample)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libpng and libjpeg grumble there themselves

    def align(self, relative, source):
        """Align one photo -> its row of the report. The face's file appears whole, or not at all."""
        import cv2

        options = self.options
        row = dict.fromkeys(COLUMNS, "") | dict(input=relative)
        try:
            rgb = decode(read(source))
        except photos.PhotoError as error:
            return row | dict(outcome="unreadable", reason=str(error))
        boxes = self.aligner.getAllFaceBoundingBoxes(rgb)
        if not boxes:
            return row | dict(outcome="no face", faces=0)
        box = max(boxes, key=lambda box: box.width() * box.height())
        row |= dict(faces=len(boxes), box=f"{box.left()} {box.top()} {box.right()} {box.bottom()}")
        if options.skipMulti and len(boxes) > 1:
            return row | dict(outcome="skipped", reason="several faces")
        if min(box.width(), box.height()) < options.min_size:
            return row | dict(outcome="skipped", reason=f"face smaller than {options.min_size} pixels")
        face = self.aligner.align(options.size, rgb, box, landmarkIndices=LANDMARKS[options.landmarks])
        row |= dict(outcome="face", output=output_name(relative))
        with utils.whole_file(os.path.join(options.output, row["output"])) as file:
            file.write(cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1])
        return row


def end_with_parent():
    """End this worker when the main process is gone, however it went."""
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)


worker = None  # of this process


def align_batch(options, batch):
    """Align photos, (relative path, source) each, in a worker process -> their rows of the report.

    The models are loaded with the first batch, so that what is wrong with them is raised to the caller.
    """
    global worker
    worker = worker or Worker(options)
    return [worker.align(*photo) for photo in batch]


def new_pool(workers):
    """A pool of worker processes. Ctrl-C is the main process's business."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))


def align_all(options, found):
    """Align photos in worker processes. Yields lists of rows of the report, in the order of completion.

    At most a few batches are under way, so memory stays bounded. A photo that ends its worker costs
    itself alone: what was under way is done again apart.
    """
    pending = {}
    batches = iter(lambda: list(itertools.islice(found, BATCH)), [])
    pool = new_pool(options.workers)
    try:
        while True:
            for batch in itertools.islice(batches, 4 * options.workers - len(pending)):
                pending[pool.submit(align_batch, options, batch)] = batch
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                try:
                    yield future.result()
                    del pending[future]
                except BrokenProcessPool:
                    pool.shutdown(cancel_futures=True)
                    for batch in pending.values():
                        yield align_apart(options, batch)
                    pending, pool = {}, new_pool(options.workers)
                    break
    finally:
        pool.shutdown(cancel_futures=True)


def align_apart(options, batch):
    """Align photos in a process apart, and by halves if that ends, until the culprit is alone -> rows."""
    with new_pool(1) as pool, contextlib.suppress(BrokenProcessPool):
        return pool.submit(align_batch, options, batch).result()
    if len(batch) > 1:
        half = len(batch) // 2
        return align_apart(options, batch[:half]) + align_apart(options, batch[half:])
    reason = "it ended the process that read it (out of memory?)"
    return [dict.fromkeys(COLUMNS, "") | dict(input=batch[0][0], outcome="unreadable", reason=reason)]


class Report:
    """report.csv (of a shard: report-3-of-16.csv): what became of each photo, a row each.

    It is also the memory of what is done: `done`, the paths of those that need no second look.
    Beside it a hidden file keeps the settings, so that an output folder holds faces of one kind,
    and a lock, so that one run at a time fills it.
    """

    def __init__(self, options):
        """Open or make it. Raises UserError if it is in use or belongs to other settings."""
        k, n = options.shard
        name = "report" if n == 1 else f"report-{k}-of-{n}"
        self.output, self.path = options.output, os.path.join(options.output, f"{name}.csv")
        self.lock(os.path.join(options.output, f".{name}.json"), settings_of(options))
        own = [row for row in read_rows(self.path) if self.is_done(row, options.retry)]
        self.counts = collections.Counter(row["outcome"] for row in own)
        with utils.whole_file(self.path) as file:  # without rows to do again, or cut off by a kill
            text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
            csv.DictWriter(text, COLUMNS).writeheader()
            csv.DictWriter(text, COLUMNS).writerows(own)
            text.detach()
        self.file = open(self.path, "a", encoding="utf-8", errors="surrogateescape", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS)
        others = set(glob.glob(os.path.join(glob.escape(self.output), "report*.csv"))) - {self.path}
        rows = itertools.chain(own, *map(read_rows, others))
        self.done = {row["input"] for row in rows if self.is_done(row, options.retry)}

    def lock(self, path, settings):
        """Hold the hidden file, and compare the settings in it and in those of other shards."""
        self.held = open(path, "a+", encoding="utf-8")
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{self.output}: another run is filling it; wait for it, or stop it") from None
        for other in glob.glob(os.path.join(glob.escape(self.output), ".report*.json")):
            try:
                with open(other, encoding="utf-8") as file:
                    before = json.load(file)
            except ValueError:
                continue  # new: its run is just writing it
            for name, value in settings.items():
                if before[name] != value:
                    raise UserError(
                        f"{self.output} was filled with {name} {before[name]}, not {value}; "
                        "give the same, or another output folder"
                    )
        self.held.truncate(0)
        json.dump(settings, self.held)
        self.held.flush()

    def is_done(self, row, retry):
        """Whether a row's photo needs no second look."""
        if row["outcome"] == "face":
            return os.path.exists(os.path.join(self.output, row["output"]))
        return not retry

    def add(self, rows):
        """Append rows, at once."""
        self.counts.update(row["outcome"] for row in rows)
        self.writer.writerows(rows)
        self.file.flush()


def settings_of(options):
    """What all faces in one output folder have in common."""
    names = ["size", "landmarks", "skipMulti", "upsample", "min_size"]
    settings = {f"--{name}": getattr(options, name) for name in names}
    return settings | {"input": os.path.relpath(os.path.realpath(options.input), os.path.realpath(options.output))}


def read_rows(path):
    """The rows of a report, without a last one that a kill cut off. None if there is no report."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [row for row in csv.DictReader(file) if row["reason"] is not None]
    except FileNotFoundError:
        return []


def inspection_sheet(output, path):
    """Write one PNG grid of 64 faces of the output folder, drawn at random but the same each time."""
    names = sorted(name for name in os.listdir(output) if name.endswith(".png"))
    names = random.Random(0).sample(names, min(64, len(names)))
    faces = [np.asarray(photos.open_rgb(os.path.join(output, name))) for name in names]
    utils.save_image(utils.merge(faces), path)
