"""The photos to align: finding them in a folder or in containers, dividing them into shards, and decoding them."""

import contextlib
import dataclasses
import hashlib
import io
import os
import tempfile

import numpy as np

from errors import UserError
from photos import collection, containers, decoding, finding
from photos.members import Member, prefix_of


def find(settings, skip=lambda path, reason: None, skipped=None):
    """Yield (path relative to the input, source) of each photo of the settings' shard, as they are found.

    A source is what `decode` takes.

    skip: called as skip(path, reason) for what is not yielded: files, and containers that end early
    skipped: a Counter of why members of containers are no photos

    Raises UserError.
    """
    paths, root, _ = collection.find_containers(settings.input, "input", [settings.output])
    if paths is None:
        names = finding.walk_photos(settings.input, skip, finding.may_be_photo, leave_out=[settings.output])
        found = ((name, os.path.join(root, name)) for name in names)
    else:
        found = (photo for path in paths for photo in in_container(path, prefix_of(path, root), skip, skipped))
    return (photo for photo in found if in_shard(photo[0], settings.shard))


def in_container(path, prefix, skip, skipped):
    """Yield (name, source) of each photo in a container. Raises UserError."""
    kind = containers.check_kind(path, "input")
    if kind.each:
        try:
            yield from kind.each(path, prefix, finding.may_be_photo)
        except decoding.PhotoError as error:
            skip(prefix[:-1], str(error))
        return
    listing = kind.list(path, prefix, finding.may_be_photo)
    if skipped is not None:
        skipped.update(listing.skipped)
    for name, position, length in zip(listing.names, listing.positions, listing.lengths):
        yield name, Member(kind.read, path, int(position), int(length))


def count(settings):
    """How many photos the settings' shard has; None where that takes long. Raises UserError."""
    paths, *_ = collection.find_containers(settings.input, "input", [settings.output])
    if paths and any(containers.check_kind(path, "input").each for path in paths):
        return None
    return sum(1 for _ in find(settings))


def check(settings):
    """Refuse an input that is missing, or containers without photos, before any work. Raises UserError."""
    everything = find(dataclasses.replace(settings, shard=(1, 1)))
    paths, *_ = collection.find_containers(settings.input, "input", [settings.output])
    if paths and next(everything, None) is None:
        raise UserError(f"input {settings.input}: no photos in it")


def in_shard(relative, shard):
    """Whether a path belongs to shard (k, n), 1 <= k <= n, by a stable hash of the path."""
    k, n = shard
    return int.from_bytes(hashlib.sha256(os.fsencode(relative)).digest()[:8], "big") % n == k - 1


def decode(source):
    """Decode a photo as cv2 does -> uint8 [H, W, 3], RGB; with Pillow if cv2 can't.

    source: a path, a Member of a container, or the bytes of a photo's file. Raises PhotoError.
    """
    import cv2  # in worker processes only

    content = source.read() if isinstance(source, Member) else source
    try:
        with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as file:
            format, mode, orientation = decoding.header(file)
            turned_as_told = orientation == 1 or format in ("JPEG", "MPO", "PNG")  # cv2 turns some others by itself
            if turned_as_told and mode != "F":  # cv2 draws floats from 0 to 1 black
                flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
                with contextlib.suppress(cv2.error):
                    bgr = None
                    if isinstance(content, bytes) and content:
                        bgr = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
                    if bgr is None:  # imread shows truncated files in part, which imdecode refuses
                        with as_file(content) as path:
                            bgr = cv2.imread(os.fsencode(path), flags)  # as text, an odd name ends the process
                    if bgr is not None:
                        return decoding.turn(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), orientation)
            file.seek(0)
            return np.asarray(decoding.open_rgb(file))
    except OSError as error:
        raise decoding.PhotoError(error.strerror.lower()) from error


@contextlib.contextmanager
def as_file(content):
    """The path of a photo: itself, or that of a temporary file with its bytes."""
    if not isinstance(content, bytes):
        yield content
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
