"""Aligning a folder of photos: names of outputs, shards, worker processes, and the report."""

import base64
import collections
import contextlib
import csv
import fcntl
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
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for

import numpy as np

import utils
from alignment.openface import LANDMARKS, AlignDlib
from errors import UserError
from photos import decoding


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


def find(options, skip=lambda path, reason: None):
    """Yield (path relative to the input, source) of each photo of the options' shard, as they are found.

    A source is what `decode` takes: a path, or for a row of an MS-Celeb-1M .tsv file its base64 text.
    skip: as in decoding.walk_photos.
    """
    if os.path.isfile(options.input):
        found = read_tsv(options.input)
    else:
        paths = decoding.walk_photos(options.input, skip, decoding.may_be_photo, leave_out=[options.output])
        found = ((path, os.path.join(options.input, path)) for path in paths)
    return (photo for photo in found if in_shard(photo[0], options.shard))


def read_tsv(path):
    """Yield (name, base64 text) of each row of an MS-Celeb-1M file, streaming.

    The first column is the person's Freebase MID (m.0abc), the last one the JPEG. The name is
    <file>/<person>/<row, counted from 1>.jpg.
    """
    with open(path, "rb") as file:
        for row, line in enumerate(file, start=1):
            columns = line.rstrip(b"\r\n").split(b"\t")
            person = re.sub(r"[^\w.-]", "_", columns[0][:40].decode(errors="replace")) if len(columns) > 1 else "_"
            yield f"{os.path.basename(path)}/{person}/{row:08d}.jpg", columns[-1]


def decode(source):
    """A photo as cv2 reads it -> uint8 [H, W, 3], RGB; by Pillow where cv2 can't.

    source: a path, or base64 text as bytes. Raises PhotoError.
    """
    import cv2

    try:
        content = io.BytesIO(base64.b64decode(source, validate=True)) if isinstance(source, bytes) else None
        with content or open(source, "rb") as file:
            _, orientation = decoding.header(file)
            if orientation == 1:  # cv2 turns JPEG and PNG by their EXIF; others it may forget
                with contextlib.suppress(cv2.error):
                    if content:
                        bgr = cv2.imdecode(np.frombuffer(content.getbuffer(), np.uint8), cv2.IMREAD_COLOR)
                    else:  # not by imdecode, which refuses truncated files that imread shows in part
                        bgr = cv2.imread(os.fspath(source), cv2.IMREAD_COLOR)
                    if bgr is not None:
                        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            file.seek(0)
            return np.asarray(decoding.open_rgb(file))
    except OSError as error:
        raise decoding.PhotoError(error.strerror.lower()) from error
    except ValueError as error:
        raise decoding.PhotoError("not base64") from error


class Worker:
    """What a worker process keeps: the options, and the models from the first photo on."""

    def __init__(self, options):
        os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(decoding.MAX_PIXELS)
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
            rgb = decode(source)
            boxes = self.aligner.getAllFaceBoundingBoxes(rgb)
        except decoding.PhotoError as error:
            return row | dict(outcome="unreadable", reason=str(error))
        except MemoryError:
            return row | dict(outcome="unreadable", reason="out of memory")
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
            broken = False
            for batch in itertools.islice(batches, 4 * options.workers - len(pending)):
                try:
                    pending[pool.submit(align_batch, options, batch)] = batch
                except BrokenProcessPool:
                    pending[Future()], broken = batch, True
            if not pending:
                return
            for future in () if broken else wait(pending, return_when=FIRST_COMPLETED).done:
                try:
                    yield future.result()
                    del pending[future]
                except BrokenProcessPool:
                    broken = True
            if broken:
                pool.shutdown(cancel_futures=True)
                for batch in pending.values():
                    yield align_apart(options, batch)
                pending, pool = {}, new_pool(options.workers)
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

    It is also the memory of what is done: `done`, the paths of those of this shard that need no
    second look, by whichever run. `counts` are their outcomes.
    """

    def __init__(self, options):
        """Open or make it. Raises UserError if it is in use or belongs to other settings."""
        k, n = options.shard
        self.options, self.output = options, options.output
        name = "report" if n == 1 else f"report-{k}-of-{n}"
        self.path = os.path.join(self.output, f"{name}.csv")
        self.lock(f".{name}.lock")
        check_settings(options)
        self.done, self.counts = set(), collections.Counter()
        with utils.whole_file(self.path) as file:  # without rows to do again, or one that a kill cut off
            text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
            own = csv.DictWriter(text, COLUMNS)
            own.writeheader()
            own.writerows(row for row in read_rows(self.path) if self.note(row))
            text.detach()
        for other in self.others(r"report(-\d+-of-\d+)?\.csv"):
            for row in read_rows(other):
                self.note(row)
        self.file = open(self.path, "a", encoding="utf-8", errors="surrogateescape", newline="")
        self.writer = csv.DictWriter(self.file, COLUMNS)

    def others(self, pattern):
        """Paths of other runs' files in the output folder."""
        for name in os.listdir(self.output):
            path = os.path.join(self.output, name)
            if re.fullmatch(pattern, name) and path not in (self.path, getattr(self.held, "name", None)):
                yield path

    def lock(self, name):
        """Hold this shard's lock, and refuse to run beside a division into other shards."""
        self.held = hold(os.path.join(self.output, name))
        if not self.held:
            raise UserError(f"{self.output}: another run is filling it; wait for it, or stop it")
        for other in self.others(r"\.report(-\d+-of-\d+)?\.lock"):
            if not other.endswith(f"-of-{self.options.shard[1]}.lock"):
                held = hold(other)
                if not held:
                    raise UserError(f"{self.output}: a run with another --shard is filling it; wait for it")
                held.close()

    def note(self, row):
        """Count a row of an earlier run whose photo needs no second look. Returns whether it is one."""
        if not in_shard(row["input"], self.options.shard) or row["input"] in self.done:
            return False
        if row["outcome"] == "face":
            done = os.path.exists(os.path.join(self.output, row["output"]))
        else:
            done = not self.options.retry
        if done:
            self.done.add(row["input"])
            self.counts[row["outcome"]] += 1
        return done

    def add(self, rows):
        """Append rows, at once."""
        self.counts.update(row["outcome"] for row in rows)
        self.writer.writerows(rows)
        self.file.flush()


def hold(path):
    """Open a lock file and lock it, until it is closed or the process ends -> the file, None if it is held."""
    file = open(path, "a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except BlockingIOError:
        file.close()
        return None


def check_settings(options):
    """Keep what all faces in an output folder have in common in it; refuse other settings: UserError."""
    names = ["size", "landmarks", "skipMulti", "upsample", "min_size", "predictor"]
    settings = {f"--{name}": getattr(options, name) for name in names}
    settings["input"] = os.path.relpath(os.path.realpath(options.input), os.path.realpath(options.output))
    path = os.path.join(options.output, ".settings.json")
    if not os.path.exists(path):
        with contextlib.suppress(FileNotFoundError):  # another shard began at the same time
            utils.write_text(path, json.dumps(settings, indent=2) + "\n")
    try:
        with open(path, encoding="utf-8") as file:
            before = json.load(file)
        different = [name for name in settings if before[name] != settings[name]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable; use another output folder") from error
    for name in different:
        raise UserError(
            f"{options.output} was filled with {name} {before[name]}, not {settings[name]}; "
            "give the same, or another output folder"
        )


def read_rows(path):
    """Yield the rows of a report, without a last one that a kill cut off. None if there is no report."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            if next(rows, COLUMNS) != COLUMNS:
                raise UserError(f"{path}: not a report of this program; move it elsewhere")
            yield from (dict(zip(COLUMNS, row)) for row in rows if len(row) == len(COLUMNS))
    except FileNotFoundError:
        return
    except csv.Error as error:
        raise UserError(f"{path}: not a report of this program ({error}); move it elsewhere") from error


def inspection_sheet(options):
    """Write one PNG grid of 64 faces of the output folder, drawn at random but the same each time."""
    names = sorted(name for name in os.listdir(options.output) if name.endswith(".png"))
    random.Random(0).shuffle(names)
    faces = []
    for name in names:
        with contextlib.suppress(decoding.PhotoError):
            face = np.asarray(decoding.open_rgb(os.path.join(options.output, name)))
            if face.shape == (options.size, options.size, 3):  # none of ours otherwise
                faces.append(face)
        if len(faces) == 64:
            break
    utils.save_image(utils.merge(faces), options.inspect)
