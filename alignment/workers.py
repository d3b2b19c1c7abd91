"""Worker processes that align photos."""

import contextlib
import errno
import itertools
import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

import utils
from alignment import inputs
from alignment.outputs import output_name
from alignment.report import row_of
from alignment.settings import LANDMARKS
from cli.interruption import leave_signals_to_parent
from cli.machine import cores
from cli.program import Later
from errors import UserError
from photos import decoding

FAILED = "not read now"  # an outcome that is not recorded: another run tries again
# Loaded by worker processes alone: where they end the process that loads them, the main one can say so
cv2, openface = Later("cv2"), Later("alignment.openface")
A_MOMENT = 0.5  # seconds until a signal is looked for
PHOTOS_PER_TASK = 8  # handed to a worker at once, some 0.2 s of work
BYTES_PER_TASK = 1 << 24  # as the photos of compressed containers travel
# Read by OpenCV when it is loaded: refuse what Pillow would, and be quiet
ENVIRONMENT = {"OPENCV_IO_MAX_IMAGE_PIXELS": str(decoding.MAX_PIXELS), "OPENCV_LOG_LEVEL": "SILENT"}


class Worker:
    """What a worker process keeps: the settings and the models."""

    def __init__(self, settings, ignores_case):
        cv2.setNumThreads(1)
        self.settings, self.ignores_case = settings, ignores_case
        self.aligner = openface.AlignDlib(settings.predictor, settings.upsample)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libpng and libjpeg print their warnings there

    def align(self, relative, source):
        """Align one photo -> its row of the report. The face's file appears whole, or not at all."""
        settings = self.settings
        row = row_of(relative)
        try:
            rgb = inputs.decode(source)
            boxes = self.aligner.getAllFaceBoundingBoxes(rgb)
        except decoding.PhotoError as error:
            passes = isinstance(error, decoding.PassingError)
            return row | dict(outcome=FAILED if passes else "unreadable", reason=str(error))
        except MemoryError:
            return row | dict(outcome="unreadable", reason="out of memory")
        if not boxes:
            return row | dict(outcome="no face", faces=0)
        box = max(boxes, key=lambda box: box.width() * box.height())
        row |= dict(faces=len(boxes), box=f"{box.left()} {box.top()} {box.right()} {box.bottom()}")
        if settings.skipMulti and len(boxes) > 1:
            return row | dict(outcome="skipped", reason="several faces")
        if min(box.width(), box.height()) < settings.min_size:
            return row | dict(outcome="skipped", reason=f"face smaller than {settings.min_size} pixels")
        face = self.aligner.align(settings.size, rgb, box, landmarkIndices=LANDMARKS[settings.landmarks])
        name = output_name(relative, self.ignores_case)
        try:
            with utils.whole_file(os.path.join(settings.output, name)) as file:
                file.write(cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[1])
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ):
                raise
            return row | dict(outcome="skipped", reason=f"the output's file system refuses the name {name}")
        return row | dict(outcome="face", output=name)


worker = None  # of this process


def align_batch(settings, ignores_case, batch):
    """Align photos, (relative path, source) each, in a worker process -> their rows of the report.

    The models are loaded with the first batch, so that their errors reach the caller.
    """
    global worker
    worker = worker or Worker(settings, ignores_case)
    return [worker.align(*photo) for photo in batch]


def new_pool(workers):
    """A pool of worker processes, which leave signals to the main process."""
    os.environ.update(ENVIRONMENT)  # which they inherit
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, leave_signals_to_parent)


def submitted(pool, *task):
    """The Future of a task; a failed one if the pool is found broken."""
    try:
        return pool.submit(align_batch, *task)
    except BrokenProcessPool as error:
        failed = Future()
        failed.set_exception(error)
        return failed


def align_all(settings, found, ignores_case, stopped=lambda: False):
    """Align photos in worker processes. Yields lists of rows of the report, in the order of completion.

    ignores_case: whether the output's file system does
    stopped: whether to end now; what the workers are busy with is not yielded

    Only a few batches are in progress at a time, so memory stays bounded. If a photo ends its worker,
    only that photo is lost: the batches in progress are done again, apart.
    """
    number = settings.workers or cores()
    batches, pending, pool = batches_of(found), {}, new_pool(number)
    try:
        while True:
            for batch in itertools.islice(batches, 4 * number - len(pending)):
                pending[submitted(pool, settings, ignores_case, batch)] = batch
            if not pending or stopped():
                return
            broken = False
            for future in wait(pending, timeout=A_MOMENT, return_when=FIRST_COMPLETED).done:
                try:
                    yield future.result()
                    del pending[future]
                except BrokenProcessPool:
                    broken = True
            if broken and not stopped():
                pool.shutdown(cancel_futures=True)
                for batch in pending.values():
                    yield align_apart(settings, ignores_case, batch)
                pending, pool = {}, new_pool(number)
    finally:
        pool.shutdown(cancel_futures=True)


def batches_of(found):
    """Yield lists of photos for a task: PHOTOS_PER_TASK, or fewer if they come as bytes, and many."""
    batch, size = [], 0
    for name, source in found:
        batch.append((name, source))
        size += len(source) if isinstance(source, bytes) else 0
        if len(batch) == PHOTOS_PER_TASK or size > BYTES_PER_TASK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def align_apart(settings, ignores_case, batch):
    """Align photos in a process apart. If it ends, try each half, until the culprit is alone -> rows."""
    with new_pool(1) as pool, contextlib.suppress(BrokenProcessPool):
        return pool.submit(align_batch, settings, ignores_case, batch).result()
    if len(batch) > 1:
        half = len(batch) // 2
        return [row for part in (batch[:half], batch[half:]) for row in align_apart(settings, ignores_case, part)]
    check_libraries(settings)
    reason = "the process that read it ended (out of memory?)"
    return [row_of(batch[0][0], outcome="unreadable", reason=reason)]


def check_libraries(settings):
    """Raise UserError if dlib or OpenCV ends any process that loads it, so that no photo is to blame."""
    try:
        with new_pool(1) as pool:
            pool.submit(align_batch, settings, False, []).result()
    except BrokenProcessPool as error:
        raise UserError(
            "dlib or OpenCV ends the process that loads it: they may be built for another processor; to see what "
            "happens, type: python -c 'import cv2, dlib'"
        ) from error
