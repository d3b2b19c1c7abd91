"""Photos in a folder or in containers, by number."""

import collections
import copy
import io
import os
from array import array

import numpy as np

from errors import UserError, printable
from photos import containers, finding
from photos.decoding import PhotoError
from photos.members import Member, prefix_of
from photos.names import Names, append


class Photos:
    """Photos, sorted by name: `names`, and for each number a file to open.

    path: the folder or container that they are in
    root: the folder that their names and those of the containers are relative to
    containers: their paths; None for a folder of photos
    kinds: the containers.Kind of each
    places: int64 arrays of each photo's container, position and length; None for a folder of photos
    skipped: Counter of the reasons why other files and members are not among them
    damaged: {container: why photos may be missing}
    """

    def __init__(self, path, root, names, skipped, containers=None, kinds=(), places=None, damaged=None):
        self.path, self.root, self.names, self.skipped = path, root, names, skipped
        self.containers, self.kinds, self.places = containers, kinds, places
        self.damaged = damaged or {}

    def __len__(self):
        return len(self.names)

    def take(self, which):
        """Only the photos of a slice, or of sorted indices."""
        if isinstance(which, slice) and which.indices(len(self)) == (0, len(self), 1):
            return self
        some = copy.copy(self)
        some.names = self.names[which]
        some.places = self.places and [column[which] for column in self.places]
        return some

    def source(self, index):
        """Where a photo is: the path of its file, or a Member of a container."""
        if self.places is None:
            return os.path.join(self.root, self.names[index])
        container, position, length = (int(column[index]) for column in self.places)
        return Member(self.kinds[container].read, self.containers[container], position, length)

    def open(self, index):
        """A photo's file, opened for reading bytes. Raises PhotoError."""
        source = self.source(index)
        if isinstance(source, Member):
            return io.BytesIO(source.read())
        try:
            return open(source, "rb")
        except OSError as error:
            raise PhotoError(error.strerror.lower()) from error

    @property
    def in_order_only(self):
        """Whether photos are read fast only in their stored order, as in .parquet files."""
        return not all(kind.any_order for kind in self.kinds)

    def state(self):
        """What changes when the photos do: sizes and times of the files, and all names in containers."""
        paths = self.containers or [os.path.join(self.root, name) for name in self.names]
        stats = [(os.path.relpath(path, self.root), os.stat(path)) for path in paths]
        files = [(name, info.st_size, info.st_mtime_ns) for name, info in stats]
        return files if self.containers is None else (files, self.names.digest())


def find(path, flag="--dataset", leave_out=(), wanted=finding.is_image):
    """The Photos of a folder, of a container, or of a folder that holds containers and no images.

    flag: names the path in messages
    leave_out: folders that are not searched
    wanted: tells a photo by its name, in folders and archives

    Raises UserError if there is nothing, or none of it is a photo.
    """
    paths, root, skipped = find_containers(path, flag, leave_out)
    if paths is None:

        def skip(name, reason):
            skipped[f"container {name}" if containers.may_be_container(name) else reason] += 1

        names = sorted(finding.walk_photos(path, skip, wanted, leave_out))
        if not names:
            ends = " ".join(finding.ENDINGS)
            raise UserError(f"{flag} {path}: no images in it (looked for {ends}, also in subfolders)")
        return Photos(path, root, Names(names), skipped)
    kinds = [containers.check_kind(container, flag) for container in paths]
    for container, kind in zip(paths, kinds):
        if kind.list is None:
            raise UserError(
                f"{flag} {container}: a compressed .tar file can only be read from start to end, which is enough for "
                f"align_faces.py; for this, unpack it: {containers.unpack_command(container)}"
            )
    prefixes = [prefix_of(container, root) for container in paths]
    places, damaged = [array("q"), array("q"), array("q")], {}

    def parts():
        for number, listing in enumerate(containers.list_containers(kinds, paths, prefixes, wanted)):
            for column, values in zip(places, (np.full(len(listing.names), number), *listing[1:3])):
                append(column, values)
            skipped.update(listing.skipped)
            damaged.update({prefixes[number][:-1]: listing.damaged} if listing.damaged else {})
            yield listing.names

    names = Names.joined(parts())
    places = [np.frombuffer(column, np.int64) for column in places]
    if not len(names):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in skipped.most_common(5)) or "nothing"
        raise UserError(f"{flag} {path}: no images in it (it holds {printable(reasons)})")
    return Photos(path, root, names, skipped, paths, kinds, places, damaged)


def find_containers(path, flag, leave_out=()):
    """The containers that a path stands for -> (their paths, root, Counter of what is skipped beside them).

    The paths are in the order of their members' names. They are None for a folder of photos: one with an
    image in it, or without containers. Raises UserError if there is no such file or folder.
    """
    if os.path.isfile(path):
        return [path], os.path.dirname(path) or ".", collections.Counter()
    if not os.path.isdir(path):
        raise UserError(f"{flag} {path}: no such folder or file")
    found, skipped = [], collections.Counter()
    walked = finding.walk_photos(path, lambda _name, reason: skipped.update([reason]), is_image_or_container, leave_out)
    for name in walked:
        if finding.is_image(name):
            return None, path, collections.Counter()
        container = os.path.join(path, name)
        if containers.is_table_of_labels(container):
            skipped[".tsv"] += 1
        else:
            found.append(container)
    if not found:
        return None, path, collections.Counter()
    return sorted(found, key=lambda container: prefix_of(container, path)), path, skipped


def is_image_or_container(name):
    """Whether a file is one of the two, by its name."""
    return finding.is_image(name) or containers.may_be_container(name)
