"""Reading .rec files: MXNet's RecordIO, in which InsightFace's data sets come.

A record is a u32 magic number, a u32 whose upper 3 bits are a flag and whose lower 29 are the length of
the payload, the payload, and zeros up to a multiple of 4; all is little-endian. Flag 0 is a whole
record; 1, 2 and 3 are the first, a middle and the last part of one that was cut where the magic number
occurred in it. The payload is a header <IfQQ (flag, label, id, id2), `flag` labels (float32), and the
image's file. Sources: dmlc-core's recordio.h, MXNet's recordio.py.
"""

import math
import os
import struct
import warnings
from array import array

import numpy as np

from errors import UserError
from photos.decoding import PhotoError
from photos.members import TRUNCATED, Listing, read_at, unread
from photos.names import DIGITS, Names

MAGIC = b"\x0a\x23\xd7\xce"
PART, HEADER = struct.Struct("<4sI"), struct.Struct("<IfQQ")
HEAD = PART.size + HEADER.size
SMALL = 2048  # bytes of a record that is looked into, since it may hold labels and no image
LARGE = 1 << 17  # bytes of a record, above which `scan` jumps from record to record
CHECKED = 1000  # entries of an .idx that are compared with the .rec
BLOCK = 1 << 24  # bytes that `scan` reads at a time


def list_members(path, prefix, wanted=None):
    """The records that hold an image, in the order of their keys -> Listing. Raises UserError.

    The keys are those of the .idx beside the file, else the ids in the records' headers, or, if these
    are not unique or have more than DIGITS digits, the records' numbers from 0.
    """
    index, size = os.path.splitext(path)[0] + ".idx", os.path.getsize(path)
    if os.path.exists(index):
        keys, positions = read_index(index, path, size)
        ends = np.append(np.unique(positions), size)
        lengths = ends[np.searchsorted(ends, positions, side="right")] - positions
        images, gaps = look_into_small(path, positions, lengths), []
    else:
        keys, positions, lengths, images, gaps = scan(path, size)
    skipped = {"record without an image": int((~images).sum())} if not images.all() else {}
    keys, positions, lengths = keys[images], positions[images], lengths[images]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if (keys[1:] == keys[:-1]).any() or (len(keys) and not 0 <= keys[0] <= keys[-1] < 10**DIGITS):
        keys = order = np.arange(len(keys))
    damaged = unread(gaps, size) if gaps else None
    return Listing(Names.numbered(prefix, keys), positions[order], lengths[order], skipped, damaged)


def read_index(index, path, size):
    """Keys and positions of an .idx: int64 arrays. Raises UserError if it disagrees with its .rec."""
    name, remedy = os.path.basename(path), "move the .idx away, and the .rec is read without it"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file
            keys, positions = np.loadtxt(index, np.int64, ndmin=2).reshape(-1, 2).T
    except (ValueError, OverflowError) as error:
        raise UserError(f"{index}: has no lines of a key and a position; {remedy}") from error
    if size and (not len(keys) or end_of(path, int(positions.max())) < size):
        raise UserError(f"{index}: lists {len(keys):,} records, but {name} has more after them; {remedy}")
    some = range(0, len(keys), max(1, len(keys) // CHECKED))
    for at in {*some, len(keys) - 1} if len(keys) else ():
        try:
            found = positions[at] >= 0 and read_at(path, int(positions[at]), 4) == MAGIC
        except PhotoError:  # beyond the end
            found = False
        if not found:
            where = f"which has no record at byte {positions[at]:,} (key {keys[at]})"
            raise UserError(f"{index}: disagrees with {name}, {where}; {remedy}")
    return keys, positions


def end_of(path, position):
    """Where the record at a position ends, in bytes, with all its parts; infinity if there is none."""
    flag = 1
    while flag in (1, 2):
        try:
            magic, kind = PART.unpack(read_at(path, position, PART.size))
        except PhotoError:
            return math.inf
        flag, length = unpack_kind(kind) if magic == MAGIC else (0, math.inf)
        position += PART.size + (length + 3) // 4 * 4
    return position


def look_into_small(path, positions, lengths):
    """Which records hold an image: bool array. Those of SMALL bytes or more do."""
    images = np.ones(len(positions), bool)
    with open(path, "rb") as file:
        for at in np.flatnonzero(lengths < SMALL):
            images[at] = holds_image(os.pread(file.fileno(), HEAD, int(positions[at])))
    return images


def holds_image(head):
    """Whether a record that begins so has more than its header and labels."""
    if len(head) < HEAD:
        return False
    flag, length = unpack_kind(PART.unpack_from(head)[1])
    labels = HEADER.unpack_from(head, PART.size)[0]
    return flag == 1 or length > HEADER.size + 4 * labels


def unpack_kind(kind):
    """The second u32 of a record -> (flag, length)."""
    return kind >> 29, kind & (1 << 29) - 1


def scan(path, size):
    """Find the records of a file without .idx -> keys, positions, lengths, which hold an image, gaps (as of unread).

    A last record that the file cuts off is listed: opening it says that it is truncated. Where no record is, the
    next one is searched: the magic number stands nowhere else at a multiple of 4. Raises UserError if there is none.
    """
    keys, positions, lengths, images, gaps = array("q"), array("q"), array("q"), array("b"), []
    at = start = key = back = 0
    first = None  # where the record begins whose parts are read
    image, block, wanted = True, b"", BLOCK
    with open(path, "rb") as file:
        while at + PART.size <= size:
            if at - start + HEAD > len(block):
                start, block = at, os.pread(file.fileno(), wanted, at)
            head = block[at - start : at - start + HEAD]
            magic, kind = PART.unpack_from(head)
            flag, length = unpack_kind(kind)
            end = at + PART.size + (length + 3) // 4 * 4
            if magic != MAGIC or find_magic(block, at - start + PART.size, end - start) is not None:
                # Or the length of the record before is wrong: there may be others in what it claims
                found = search(file, at + 4 if magic == MAGIC else back, size)
                gaps.append((at, found))
                if found is None:
                    break
                at, back, wanted, block, first = found, found + 4, BLOCK, b"", None
                continue
            back = at + 4
            if flag in (0, 1):
                first, image = at, holds_image(head)
                key = HEADER.unpack_from(head, PART.size)[2] % (1 << 63) if len(head) == HEAD else 0
            wanted = BLOCK if length < LARGE else HEAD
            at = end
            if (flag in (0, 3) or at + PART.size > size) and first is None:  # the last part of one that is lost
                gaps.append((back - 4, at))
            elif flag in (0, 3) or at + PART.size > size:
                keys.append(key)
                positions.append(first)
                lengths.append(at - first)
                images.append(image)
                first = None
            if at > size and (found := search(file, back, size)) is not None:  # or its length is wrong
                gaps.append((back - 4, found))
                at, back, wanted, block = found, found + 4, BLOCK, b""
    if not keys and gaps:
        raise UserError(f"{path}: has no record in {size:,} bytes; it is damaged, so copy it again from its source")
    if at != size and not (gaps and gaps[-1][1] is None):
        gaps.append((min(at, size), None))
    return (*(np.array(column, np.int64) for column in (keys, positions, lengths)), np.array(images, bool), gaps)


def find_magic(block, start, end):
    """Where the magic number stands in a part of a block, at a multiple of 4 from its start; None if nowhere."""
    at = block.find(MAGIC, start, end)
    while at >= 0 and (at - start) % 4:
        at = block.find(MAGIC, at + 1, end)
    return at if at >= 0 else None


def search(file, at, size):
    """Where the next record is from a place on, which is a multiple of 4; None if there is none."""
    while at < size:
        block = os.pread(file.fileno(), BLOCK, at)
        found = find_magic(block, 0, len(block))
        if found is not None:
            return at + found
        at += BLOCK
    return None


def read(path, position, length):
    """The image's file of the record at a position, `length` bytes long with its parts. Raises PhotoError."""
    record, parts, at, flag = read_at(path, position, length), [], 0, 1
    while flag in (1, 2):
        if at + PART.size > len(record):
            raise PhotoError(TRUNCATED)
        magic, kind = PART.unpack_from(record, at)
        if magic != MAGIC:
            raise PhotoError("no record at its place in the container")
        flag, size = unpack_kind(kind)
        at += PART.size
        parts.append(record[at : at + size])
        at += (size + 3) // 4 * 4
        if len(parts[-1]) < size:
            raise PhotoError(TRUNCATED)
    payload = MAGIC.join(parts)
    if len(payload) < HEADER.size:
        raise PhotoError("a record without an image")
    return payload[HEADER.size + 4 * HEADER.unpack_from(payload)[0] :]
