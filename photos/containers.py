"""The containers that photos come in: which kind a file is, what is in it, and how to read it."""

import functools
import os
import shlex
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from errors import UserError
from photos import archives, members, records, tables

ENDINGS = ".rec .zip .tar .tgz .parquet .tsv .tar.gz .tar.bz2 .tar.xz".split()  # in any letter case
SLOW = 5  # seconds of listing, from which several processes list
UNPACKERS = {b"\x1f\x8b": "gunzip", b"BZ": "bunzip2", b"\xfd7": "unxz"}  # by a compressed file's first bytes


class Kind(NamedTuple):
    """A kind of container."""

    name: str
    list: Callable | None  # (path, prefix, wanted) -> Listing; None where members are found only by reading all
    read: Callable | None = members.read_at  # (path, position, length) -> the photo's file, as bytes
    each: Callable | None = None  # as list, but yields (name, bytes or Member) in stored order, where that is better
    check: Callable | None = None  # (path), where `each` is used: raises UserError for what is no such container
    any_order: bool = True  # whether photos are read fast in any order


KINDS = {
    kind.name: kind
    for kind in (
        Kind(".rec", records.list_members, records.read),
        Kind(".zip", archives.list_zip, archives.read_zip),
        Kind(".tar", archives.list_tar),
        Kind("compressed .tar", None, None, archives.each_in_tar, any_order=False),
        Kind(".parquet", tables.list_parquet, tables.read_parquet, tables.each_in_parquet, tables.open_parquet, False),
        Kind(".tsv", tables.list_tsv, tables.read_tsv, tables.each_in_tsv),
    )
}


def may_be_container(name):
    """Whether a file may be a container, by its name."""
    return name.lower().endswith(tuple(ENDINGS))


def kind_of(path):
    """The Kind of a file, by its content, or None if it is no container."""
    with open(path, "rb") as file:
        start = file.read(512)
        if start.startswith(records.MAGIC):
            return KINDS[".rec"]
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return KINDS[".zip"]
        if start.startswith(b"PAR1"):
            return KINDS[".parquet"]
        if start[257:262] == b"ustar" or (path.lower().endswith(".tar") and start and tarfile.is_tarfile(path)):
            return KINDS[".tar"]
        if start[:2] in UNPACKERS:
            return KINDS["compressed .tar"]
        if path.lower().endswith(".tsv") and start and b"\0" not in start:
            return KINDS[".tsv"]
    return None


def is_table_of_labels(path):
    """Whether a file in a folder of containers is a .tsv file without photos: its first row is too short for one."""
    with open(path, "rb") as file:
        return path.lower().endswith(".tsv") and b"\n" in file.read(512)


def check_kind(path, flag):
    """The Kind of a file that should be a container. Raises UserError, naming the flag."""
    kind = kind_of(path)
    if kind is None:
        what = "is empty" if not os.path.getsize(path) else "is no container of photos that this program reads"
        with open(path, "rb") as file:
            if b"<html" in file.read(512).lower():
                what = "is a web page (a download that failed is often one); download the file again"
        raise UserError(
            f"{flag} {path}: {what}; give a folder of photos, or a {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file"
        )
    return kind


def unpack_command(path):
    """The command that turns a compressed .tar file into one to train from."""
    with open(path, "rb") as file:
        return f"{UNPACKERS[file.read(2)]} --keep {shlex.quote(path)}"


def list_container(wanted, kind, path, prefix):
    """The Listing of a container. Raises UserError."""
    return kind.list(path, prefix, wanted)


def list_containers(kinds, paths, prefixes, wanted):
    """Yield the Listing of each container. Several processes list where it takes long. Raises UserError."""
    todo = list(zip(kinds, paths, prefixes))
    began = time.monotonic()
    while todo:
        yield list_container(wanted, *todo.pop(0))
        took = time.monotonic() - began
        if took * len(todo) > SLOW:
            break
        began = time.monotonic()
    if todo:
        with ProcessPoolExecutor(min(len(todo), os.cpu_count()), get_context("spawn")) as pool:
            yield from pool.map(functools.partial(list_container, wanted), *zip(*todo))
