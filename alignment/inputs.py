"""The photos to align: finding them in a folder or a .tsv file, dividing them into shards, and decoding them."""

import base64
import contextlib
import hashlib
import io
import os
import re

import numpy as np

from photos import decoding, finding


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
        for row, line in enumerate(file, start=1):
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
            _, orientation = decoding.header(file)
            if orientation == 1:  # cv2 turns JPEG and PNG by their EXIF; it may forget other formats
                with contextlib.suppress(cv2.error):
                    if content:
                        bgr = cv2.imdecode(np.frombuffer(content.getbuffer(), np.uint8), cv2.IMREAD_COLOR)
                    else:  # not imdecode, which refuses truncated files that imread shows in part
                        bgr = cv2.imread(os.fspath(source), cv2.IMREAD_COLOR)
                    if bgr is not None:
                        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            file.seek(0)
            return np.asarray(decoding.open_rgb(file))
    except OSError as error:
        raise decoding.PhotoError(error.strerror.lower()) from error
    except ValueError as error:
        raise decoding.PhotoError("not base64") from error
