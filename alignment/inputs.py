"""The photos to align: finding them in a folder or a .tsv file, dividing them into shards, and decoding them."""

import base64
import contextlib
import hashlib
import io
import os
import re

import numpy as np

from errors import UserError
from photos import decoding, finding

LONGEST_ROW = 100_000_000  # bytes of a .tsv file; MS-Celeb-1M's are some 10,000 long


def find(settings, skip=lambda path, reason: None):
    """Yield (path relative to the input, source) of each photo of the settings' shard, as they are found.

    A source is what `decode` takes: a path, or for a row of an MS-Celeb-1M .tsv file its base64 text.
    skip: as in finding.walk_photos.
    """
    if os.path.isfile(settings.input):
        found = read_tsv(settings.input)
    else:
        paths = finding.walk_photos(settings.input, skip, finding.may_be_photo, leave_out=[settings.output])
        found = ((path, os.path.join(settings.input, path)) for path in paths)
    return (photo for photo in found if in_shard(photo[0], settings.shard))


def in_shard(relative, shard):
    """Whether a path belongs to shard (k, n), 1 <= k <= n, by a stable hash of the path."""
    k, n = shard
    return int.from_bytes(hashlib.sha256(os.fsencode(relative)).digest()[:8], "big") % n == k - 1


def read_tsv(path):
    """Yield (name, base64 text) of each row of an MS-Celeb-1M file, without loading the file.

    The first column is the person's Freebase MID (m.0abc), the last one the JPEG. The name is
    <file>/<person>/<row, counted from 1>.jpg.
    """
    with open(path, "rb") as file:
        for row, line in enumerate(iter(lambda: file.readline(LONGEST_ROW), b""), start=1):
            if len(line) == LONGEST_ROW:
                raise UserError(f"{path}: row {row} is longer than {LONGEST_ROW:,} bytes; not a file of MS-Celeb-1M")
            columns = line.rstrip(b"\r\n").split(b"\t")
            person = re.sub(r"[^\w.-]", "_", columns[0][:40].decode(errors="replace")) if len(columns) > 1 else "_"
            yield f"{os.path.basename(path)}/{person}/{row:08d}.jpg", columns[-1]


def decode(source):
    """Decode a photo as cv2 does -> uint8 [H, W, 3], RGB; with Pillow if cv2 can't.

    source: a path, or base64 text as bytes. Raises PhotoError.
    """
    import cv2  # in worker processes only

    try:
        content = io.BytesIO(base64.b64decode(source, validate=True)) if isinstance(source, bytes) else None
        with content or open(source, "rb") as file:
            format, mode, orientation = decoding.header(file)
            turned_as_told = orientation == 1 or format in ("JPEG", "MPO", "PNG")  # cv2 turns some others by itself
            if turned_as_told and mode != "F":  # cv2 draws floats from 0 to 1 black
                flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
                with contextlib.suppress(cv2.error):
                    if content:
                        bgr = cv2.imdecode(np.frombuffer(content.getbuffer(), np.uint8), flags)
                    else:  # not imdecode, which refuses truncated files that imread shows in part
                        bgr = cv2.imread(os.fsencode(source), flags)  # bytes: as text, an odd name ends the process
                    if bgr is not None:
                        return decoding.turn(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), orientation)
            file.seek(0)
            return np.asarray(decoding.open_rgb(file))
    except OSError as error:
        raise decoding.PhotoError(error.strerror.lower()) from error
    except ValueError as error:
        raise decoding.PhotoError("not base64") from error
