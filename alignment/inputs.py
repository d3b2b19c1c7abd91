"""The photos to align: finding them in a folder or in containers, dividing them into shards, and decoding them."""

import contextlib
import hashlib
import io
import os
import tempfile

import numpy as np

from cli.program import Later
from errors import UserError
from photos import collection, decoding, finding
from photos.members import MOST_BYTES, Member
from photos.names import encoded

cv2 = Later("cv2")  # by worker processes alone


class Input:
    """What an alignment reads: a folder of photos, or containers. What can be listed is listed once, when it is opened.

    `skipped` is a Counter of the reasons why files beside containers, or members of them, are no photos.

    Raises UserError for an input that is missing, a container that can't be read, and containers without photos.
    """

    def __init__(self, settings):
        self.settings = settings
        found = collection.find_containers(settings.input, "input", [settings.output])
        self.containers, self.root, self.skipped = found
        if self.containers is None:
            return
        self.listings = {}
        for container in self.containers:
            if container.kind.each is None:
                self.listings[container] = container.list(finding.may_be_photo)
                self.skipped.update(self.listings[container].skipped)
            elif container.kind.check:
                container.kind.check(container.path)
        damaged = []
        if next(self.all_photos(lambda name, _reason: damaged.append(name)), None) is None and not damaged:
            raise UserError(f"input {settings.input}: no photos in it")

    def of_shard(self, skip):
        """Yield (name, source) of each photo of the settings' shard, as they are found.

        A source is what `decode` takes.

        skip: called as skip(name, reason) for files that are not yielded, and containers that are damaged
        """
        return (photo for photo in self.all_photos(skip) if in_shard(photo[0], self.settings.shard))

    def all_photos(self, skip):
        """Yield (name, source) of each photo of all shards."""
        if self.containers is None:
            names = finding.walk_photos(self.root, skip, finding.may_be_photo, leave_out=[self.settings.output])
            yield from ((name, os.path.join(self.root, name)) for name in names)
            return
        for container in self.containers:
            try:
                streamed = container.kind.each is not None
                yield from container.each(finding.may_be_photo) if streamed else self.listed(container)
            except decoding.PassingError as error:  # of the disk or the network: what is read so far is not all
                raise OSError(f"{container.path}: {error}; the same command continues from here") from error
            except (decoding.PhotoError, UserError) as error:
                if isinstance(error, UserError) and len(self.containers) == 1:
                    raise
                skip(container.name, str(error))  # and go on with the other ones

    def listed(self, container):
        """Yield (name, Member) of each photo of a container that was listed. Raises PhotoError if it is damaged."""
        listing = self.listings[container]
        for name, position, length in zip(listing.names, listing.positions, listing.lengths):
            yield name, container.member(int(position), int(length))
        if listing.damaged:
            raise decoding.PhotoError(listing.damaged)

    def count(self):
        """How many photos the settings' shard has; None where only reading them all tells."""
        if self.containers is not None and len(self.listings) < len(self.containers):
            return None
        return sum(1 for _ in self.of_shard(lambda path, reason: None))


def in_shard(relative, shard):
    """Whether a path belongs to shard (k, n), 1 <= k <= n, by a stable hash of the path; to None belong all."""
    k, n = shard or (1, 1)
    return int.from_bytes(hashlib.sha256(encoded(relative)).digest()[:8], "big") % n == k - 1


def decode(source):
    """Decode a photo as cv2 does -> uint8 [H, W, 3], RGB; with Pillow if cv2 can't.

    source: a path, a Member of a container, or the bytes of a photo's file. Raises PhotoError.
    """
    content = source.read() if isinstance(source, Member) else source
    try:
        if not isinstance(content, bytes) and os.path.getsize(content) <= MOST_BYTES:
            with open(content, "rb") as file:  # cv2.imread takes an error of the disk for the end of the file
                content = file.read()
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
        raise decoding.reading_error(error) from error


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
