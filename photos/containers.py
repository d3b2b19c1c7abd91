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

from cli.interruption import leave_signals_to_parent
from cli.machine import cores
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
        Kind(".tar", archives.list_tar, archives.read_tar),
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


class Container(NamedTuple):
    """A container of photos."""

    path: str
    name: str  # its path from the folder that the members' names are relative to
    kind: Kind

    def list(self, wanted):
        """Its photos -> Listing. wanted: tells a photo by its name. Raises UserError."""
        return self.kind.list(self.path, self.name + "/", wanted)

    def each(self, wanted):
        """Yield (name, bytes or Member) of each photo in stored order. Raises PhotoError where it is damaged."""
        return self.kind.each(self.path, self.name + "/", wanted)

    def member(self, position, length):
        """The Member at a place that `list` gave."""
        return members.Member(self.kind.read, self.path, position, length)


def opened(path, root, flag):
    """The Container that a file is. root: what its name is relative to. Raises UserError, naming the flag."""
    kind = kind_of(path)
    if kind is None:
        what = "is empty" if not os.path.getsize(path) else "is no container of photos that this program reads"
        with open(path, "rb") as file:
            if b"<html" in file.read(512).lower():
                what = "is a web page (a download that failed is often one); download the file again"
        raise UserError(
            f"{flag} {path}: {what}; give a folder of photos, or a {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file"
        )
    return Container(path, os.path.relpath(path, root), kind)


def unpack_command(path):
    """The command that turns a compressed .tar file into one to train from."""
    with open(path, "rb") as file:
        return f"{UNPACKERS[file.read(2)]} --keep {shlex.quote(path)}"


def list_containers(found, wanted):
    """Yield the Listing of each Container. Several processes list where it takes long. Raises UserError."""
    began = time.monotonic()
    for number, container in enumerate(found, start=1):
        yield container.list(wanted)
        if (time.monotonic() - began) / number * (len(found) - number) > SLOW:
            break
    if rest := found[number:]:
        with ProcessPoolExecutor(min(len(rest), cores()), get_context("spawn"), leave_signals_to_parent) as pool:
            yield from pool.map(functools.partial(Container.list, wanted=wanted), rest)
