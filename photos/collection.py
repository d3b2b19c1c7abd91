"""Photos in a folder or in containers, by number."""

import collections
import copy
import io
import os
from array import array

import numpy as np

from errors import UserError, printable
from photos import containers, finding
from photos.decoding import reading_error
from photos.members import Member
from photos.names import JoinedNames, Names, append


class Photos:
    """Photos, sorted by name: `names`, and for each number a file to open.

    path: the folder or container that they are in
    root: the folder that their names and those of the containers are relative to
    containers: the containers.Container of each; None for a folder of photos
    places: int64 arrays of each photo's container, position and length; None for a folder of photos
    skipped: Counter of the reasons why other files and members are not among them
    damaged: {container: why photos may be missing}
    """

    def __init__(self, path, root, names, skipped, containers=None, places=None, damaged=None):
        self.path, self.root, self.names, self.skipped = path, root, names, skipped
        self.containers, self.places = containers, places
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
        number, position, length = (int(column[index]) for column in self.places)
        return self.containers[number].member(position, length)

    def open(self, index):
        """A photo's file, opened for reading bytes. Raises PhotoError."""
        source = self.source(index)
        if isinstance(source, Member):
            return io.BytesIO(source.read())
        try:
            return open(source, "rb")
        except OSError as error:
            raise reading_error(error) from error

    @property
    def in_order_only(self):
        """Whether photos are read fast only in their stored order, as in .parquet files."""
        return not all(container.kind.any_order for container in self.containers or ())

    def state(self):
        """What changes when the photos do: sizes and times of the files, and all names in containers."""
        paths = [container.path for container in self.containers or ()]
        paths = paths or [os.path.join(self.root, name) for name in self.names]
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
    found, root, skipped = find_containers(path, flag, leave_out)
    if found is None:

        def skip(name, reason):
            skipped[f"container {name}" if containers.may_be_container(name) else reason] += 1

        names = sorted(finding.walk_photos(path, skip, wanted, leave_out))
        if not names:
            raise UserError(f"{flag} {path}: {finding.no_images(skipped)}")
        return Photos(path, root, Names(names), skipped)
    for container in found:
        if container.kind.list is None:
            raise UserError(
                f"{flag} {container.path}: a compressed .tar file can only be read from start to end, which is enough "
                f"for align_faces.py; for this, unpack it: {containers.unpack_command(container.path)}"
            )
    names, places, damaged = JoinedNames(), [array("q"), array("q"), array("q")], {}
    for number, listing in enumerate(containers.list_containers(found, wanted)):
        names.add(listing.names)
        for column, values in zip(places, (np.full(len(listing.names), number), listing.positions, listing.lengths)):
            append(column, values)
        skipped.update(listing.skipped)
        if listing.damaged:
            damaged[found[number].name] = listing.damaged
    photos = Photos(path, root, names.finish(), skipped, found, [np.frombuffer(c, np.int64) for c in places], damaged)
    if not len(photos):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in skipped.most_common(5)) or "nothing"
        raise UserError(f"{flag} {path}: no images in it (it holds {printable(reasons)})")
    return photos


def find_containers(path, flag, leave_out=()):
    """The containers that a path stands for -> (a list of containers.Container, root, Counter of what is skipped).

    They are in the order of their members' names. The list is None for a folder of photos: one with an image in
    it, or without containers. Raises UserError if there is no such file or folder, or for a file of another kind.
    """
    if os.path.isfile(path):
        root = os.path.dirname(path) or "."
        return [containers.opened(path, root, flag)], root, collections.Counter()
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
    opened = [containers.opened(container, path, flag) for container in found]
    return sorted(opened, key=lambda container: container.name + "/"), path, skipped


def is_image_or_container(name):
    """Whether a file is one of the two, by its name."""
    return finding.is_image(name) or containers.may_be_container(name)
