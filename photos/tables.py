"""Reading .parquet files, as Hugging Face's data sets come, and the .tsv files of MS-Celeb-1M."""

import base64
import contextlib
import functools
import io
import re
import threading
from array import array

import numpy as np

from errors import UserError
from photos import decoding
from photos.decoding import PhotoError
from photos.members import Listing, Member, read_at
from photos.names import DIGITS, Names

LONGEST_ROW = 100_000_000  # bytes of a .tsv file; MS-Celeb-1M's are some 10,000 long
ROWS = 64  # of a .parquet file that are Python objects at a time
FIRST = 4  # rows that are looked at to find the column of images


def bytes_in(kind):
    """Where a pyarrow type of a column has bytes: "" in itself, ".bytes" in a struct's field; None if nowhere."""
    if str(kind).startswith("dictionary"):
        kind = kind.value_type
    if str(kind).startswith("struct"):
        return next((f".{part.name}" for part in kind if part.name == "bytes" and bytes_in(part.type) == ""), None)
    return "" if "binary" in str(kind) else None  # binary, large_binary, binary_view, fixed_size_binary


def open_parquet(path):
    """A .parquet file -> (pyarrow's ParquetFile, the path of the column of images). Raises UserError.

    Of several columns of bytes, that one is read whose first values are images.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(f"{path}: .parquet files need the package pyarrow; type: pip install pyarrow") from error
    try:
        file = parquet.ParquetFile(path, pre_buffer=False)
        kinds = {field.name: bytes_in(field.type) for field in file.schema_arrow}
        found = [name + inner for name, inner in kinds.items() if inner is not None]
        if len(found) > 1:
            found = [column for column in found if holds_images(file, column)] or found
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: can't be read as a .parquet file ({reason}); copy it again from its source"
        ) from error
    if len(found) > 1:
        columns = ", ".join(column.removesuffix(".bytes") for column in found)
        raise UserError(f"{path}: has several columns of images: {columns}; write a file with one of them")
    if not found:
        columns = ", ".join(file.schema_arrow.names)
        raise UserError(
            f"{path}: has no column of images, which is binary, or a struct with binary `bytes`; its columns: {columns}"
        )
    return file, found[0]


def holds_images(file, column):
    """Whether the first values of a column are images."""
    batch = next(file.iter_batches(FIRST, columns=[column]), None)
    values = [value for value in images_of(batch.column(0)) if value] if batch else []
    return bool(values) and all(decoding.header(io.BytesIO(value))[0] for value in values)


def list_parquet(path, prefix, wanted=None):
    """The rows of a .parquet file, numbered from 0 -> Listing. Raises UserError."""
    rows = np.arange(open_parquet(path)[0].metadata.num_rows)
    return Listing(Names.numbered(prefix, rows), rows, np.zeros(len(rows), np.int64), {})


def each_in_parquet(path, prefix, wanted=None):
    """Yield (name, bytes) of each row, in stored order; a row group is in memory at a time.

    Where a row group is damaged, (name, Member) of the rows that were not read: each says so when it is opened.
    """
    file, column = open_parquet(path)
    ends = row_ends(path)
    for group, end in enumerate(ends):
        row = ends[group - 1] if group else 0
        with damaged_rows_later(), damage_as_photo_error(""):
            for batch in file.iter_batches(ROWS, row_groups=[group], columns=[column]):
                for content in images_of(batch.column(0)):
                    yield f"{prefix}{row:0{DIGITS}d}", content or b""
                    row += 1
        for missing in range(row, end):
            yield f"{prefix}{missing:0{DIGITS}d}", Member(read_parquet, path, missing, 0)


@contextlib.contextmanager
def damaged_rows_later():
    """Pass over damage, but not over what may pass."""
    try:
        yield
    except decoding.PassingError:
        raise
    except PhotoError:
        pass


@contextlib.contextmanager
def damage_as_photo_error(reason):
    """Raise pyarrow's errors of a damaged file as PhotoError, with this reason."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno and error.strerror:  # of the disk, which may pass
            raise decoding.reading_error(error) from error
        raise PhotoError(reason) from error


def images_of(column):
    """The values of a column of images: bytes, or None."""
    return [value["bytes"] if isinstance(value, dict) else value for value in column.to_pylist()]


@functools.lru_cache(maxsize=2)
def row_group(path, group):
    """The images of a row group. Raises PhotoError."""
    file, column = open_parquet(path)
    with damage_as_photo_error(f"the container is damaged here (row group {group})"):
        return images_of(file.read_row_group(group, columns=[column]).column(0))


@functools.lru_cache(maxsize=4096)
def row_ends(path):
    """Where each row group ends, in rows."""
    metadata = open_parquet(path)[0].metadata
    return np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)])


_one_at_a_time = threading.Lock()  # so that two threads do not read the same row group


def read_parquet(path, position, length=None):
    """The image in a row. Fast only where rows are asked for in their order. Raises PhotoError."""
    with _one_at_a_time:
        ends = row_ends(path)
        group = int(np.searchsorted(ends, position, side="right"))
        content = row_group(path, group)[position - (ends[group - 1] if group else 0)]
    if content is None:
        raise PhotoError("a row without an image")
    return content


def rows_of_tsv(path, odd):
    """Yield (person, position of the last column, its length) of each row of an MS-Celeb-1M file. Raises UserError.

    The first column is the person's Freebase MID (m.0abc), the last one the JPEG as base64. The numbers of rows that
    have fewer or more columns than the first go into `odd`: there, rows may run together.
    """
    start, columns = 0, None
    with open(path, "rb") as file:
        for row, line in enumerate(iter(lambda: file.readline(LONGEST_ROW), b""), start=1):
            if len(line) == LONGEST_ROW:
                raise UserError(f"{path}: row {row} is longer than {LONGEST_ROW:,} bytes; not a file of MS-Celeb-1M")
            text = line.rstrip(b"\r\n")
            columns = columns or text.count(b"\t")
            if text.count(b"\t") != columns:
                odd.append(row)
            last = text.rfind(b"\t") + 1
            person = text[: min(40, text.find(b"\t"))].decode(errors="replace") if last else "_"
            yield re.sub(r"[^\w.-]", "_", person), start + last, len(text) - last
            start += len(line)


def damage_of(odd):
    """What is wrong with a file that has rows of other lengths, in words; None if it has none."""
    if not odd:
        return None
    rows = ", ".join(map(str, odd[:3])) + (", …" if odd[3:] else "")
    return f"damaged: rows with another number of columns ({rows}), so photos may be missing"


def each_in_tsv(path, prefix, wanted=None):
    """Yield (name, Member) of each row. The name is <file>/<person>/<row, counted from 1>.jpg.

    Raises UserError; after all rows PhotoError if some are damaged.
    """
    odd = []
    for row, (person, position, length) in enumerate(rows_of_tsv(path, odd), start=1):
        yield f"{prefix}{person}/{row:0{DIGITS}d}.jpg", Member(read_tsv, path, position, length)
    if odd:
        raise PhotoError(damage_of(odd))


def list_tsv(path, prefix, wanted=None):
    """The rows of a .tsv file, sorted by person -> Listing. Raises UserError."""
    codes, person_of_row, positions, lengths, odd = {}, array("q"), array("q"), array("q"), []
    for person, position, length in rows_of_tsv(path, odd):
        person_of_row.append(codes.setdefault(person, len(codes)))
        positions.append(position)
        lengths.append(length)
    persons = sorted(codes, key=lambda person: person + "/")
    rank = np.empty(len(codes), np.int64)
    rank[[codes[person] for person in persons]] = range(len(persons))
    ranks = rank[np.array(person_of_row, np.int64)]
    order = np.argsort(ranks, kind="stable")
    names = (f"{prefix}{persons[ranks[row]]}/{row + 1:0{DIGITS}d}.jpg" for row in order)
    places = np.array(positions, np.int64)[order], np.array(lengths, np.int64)[order]
    return Listing(Names(names), *places, {}, damage_of(odd))


def read_tsv(path, position, length):
    """The photo whose base64 text is at a position. Raises PhotoError."""
    try:
        return base64.b64decode(read_at(path, position, length), validate=True)
    except ValueError as error:
        raise PhotoError("not base64") from error
