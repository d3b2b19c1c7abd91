"""What all containers share: the listing of their members, and reading bytes at a position."""

import collections
import os
import posixpath
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from photos.decoding import PhotoError, reading_error
from photos.names import Names

MOST_BYTES = 256 << 20  # of one member, so that no container fills the memory
MOST_OPEN = 200  # files that stay open; systems allow a process 256 or more
TRUNCATED = "truncated: its container ends early"
ODD = re.compile(r"\0|\\|//|(^|/)\.{1,2}(/|$)|^/")  # what a cleaned name does not have

_descriptors = {}  # of this process: {path: file descriptor}


class Listing(NamedTuple):
    """The photos in a container, sorted by name."""

    names: Names  # <container>/<member>
    positions: np.ndarray  # int64: where each begins, in bytes; in a .parquet file, its row
    lengths: np.ndarray  # int64: how many bytes to read there
    skipped: dict  # {reason: number of members that are no photos}
    damaged: str | None = None  # why some photos may be missing


class Member(NamedTuple):
    """A photo in a container, which any process can read."""

    reader: Callable  # (path, position, length) -> the photo's file, as bytes
    path: str
    position: int
    length: int

    def read(self):
        """The photo's file, as bytes. Raises PhotoError."""
        return self.reader(self.path, self.position, self.length)


def unread(gaps, size=None):
    """What could not be read of a container, in words.

    gaps: (from, to) of each, in bytes; to: None for the end
    size: of the whole, where it is known
    """
    start, end = gaps[0]
    where = f"from byte {start:,} on" if end is None else f"from byte {start:,} to {end:,}"
    more = f" and in {len(gaps) - 1} more places" if gaps[1:] else ""
    return f"damaged: it can't be read {where}{f' of {size:,}' if size else ''}{more}, and photos may be missing"


def read_at(path, position, length):
    """`length` bytes from a position of a file. Raises PhotoError if they are too many or not all there.

    A positional read moves no file offset, so threads and processes do not disturb each other.
    """
    if length > MOST_BYTES:
        raise PhotoError(f"{length:,} bytes long, more than {MOST_BYTES:,}")
    try:
        descriptor = _descriptors.get(path)
        if descriptor is not None:
            content = os.pread(descriptor, length, position)
        else:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                content = os.pread(descriptor, length, position)
            except OSError:
                os.close(descriptor)
                raise
            if len(_descriptors) >= MOST_OPEN or _descriptors.setdefault(path, descriptor) != descriptor:
                os.close(descriptor)
    except OSError as error:
        raise reading_error(error) from error
    if len(content) < length:
        raise PhotoError(TRUNCATED)
    return content


def reason_to_skip(name, wanted):
    """Why a member of an archive is no photo, by its name; None for a photo."""
    if not name:
        return "no name"
    if name.startswith(".") or "/." in name:
        return "hidden"
    if name.startswith("__MACOSX/"):
        return "__MACOSX"
    return None if wanted(name) else os.path.splitext(name)[1].lower() or "no ending"


def clean(name):
    """The name of a member without what could lead out of a folder: /a, ./a, b/../a and \\a are all "a"."""
    if not ODD.search(name):
        return name
    return posixpath.normpath("/" + name.replace("\0", "").replace("\\", "/")).lstrip("/")


def listing(entries, prefix, wanted):
    """The Listing of an archive's entries, (name, position, length) each. Of two with one name, the last counts."""
    skipped, found = collections.Counter(), []
    for name, position, length in entries:
        name = clean(name)
        reason = reason_to_skip(name, wanted)
        if reason:
            skipped[reason] += 1
        else:
            found.append((name, len(found), position, length))
    found.sort()
    last = [a for a, b in zip(found, [*found[1:], (None,)]) if a[0] != b[0]]
    if len(last) < len(found):
        skipped["a later member has the same name"] = len(found) - len(last)
    places = np.array([entry[2:] for entry in last], np.int64).reshape(-1, 2)
    return Listing(Names(prefix + entry[0] for entry in last), places[:, 0], places[:, 1], skipped)
