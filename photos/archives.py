"""Reading .zip and .tar files, WebDataset's shards among them.

What can't be read to its end is said: no photo is missed in silence.
"""

import bz2
import gzip
import io
import lzma
import os
import posixpath
import struct
import tarfile
import zipfile
import zlib

from errors import UserError
from photos.decoding import PhotoError, reading_error
from photos.members import MOST_BYTES, clean, listing, read_at, reason_to_skip, unread

LOCAL = struct.Struct("<4s2xHH4xLLLHH")  # of a zip member: signature, flags, method, CRC, sizes, lengths of texts
ENCRYPTED, CRC_FOLLOWS = 1, 8  # bits of the flags
BLOCK = 512  # bytes: what a tar file is made of
MAGIC_AT = 257  # where "ustar" stands in a header
SEARCHED = 1 << 22  # bytes that are searched for a header at a time
LINKS = 40  # that are followed from one to the next
SPARSE = -1  # the length of a sparse member, whose header is at its position
# What a damaged rest raises
BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, OverflowError)
OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}  # by a file's first bytes


def list_zip(path, prefix, wanted):
    """The photos in a .zip file -> Listing. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = ((i.filename, i.header_offset, i.compress_size) for i in archive.infolist() if not i.is_dir())
            found = listing(entries, prefix, wanted)
            first = min((i.header_offset for i in archive.infolist()), default=archive.start_dir)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        if "multiple disks" in str(error):
            remedy = f"it is a part of a split archive; join the parts first: zip -s 0 {path} --out whole.zip"
        else:
            remedy = f"its list of members can't be read ({error}); it is damaged, so copy it again from its source"
        raise UserError(f"{path}: {remedy}") from error
    if first:  # a file that begins with a member, as those that are taken for .zip files do
        why = f"damaged: what stands before byte {first:,} is in no list of members (was another archive put in front?)"
        found = found._replace(damaged=f"{why}, and photos may be missing")
    return found


def read_zip(path, position, length):
    """The member whose local header is at a position, `length` bytes long as it is stored. Raises PhotoError."""
    header = LOCAL.unpack(read_at(path, position, LOCAL.size))
    signature, flags, method, crc, _, _, name, extra = header
    if signature != b"PK\x03\x04":
        raise PhotoError("no member at its place in the container")
    if flags & ENCRYPTED:
        raise PhotoError("encrypted: unpack the archive with its password first")
    start = position + LOCAL.size + name + extra
    content = read_at(path, start, length)
    if flags & CRC_FOLLOWS and not crc:
        after = read_at(path, start + length, 8)
        crc = int.from_bytes(after[4:] if after.startswith(b"PK\x07\x08") else after[:4], "little")
    if method == zipfile.ZIP_DEFLATED:
        content = inflate(content)
    elif method != zipfile.ZIP_STORED:
        raise PhotoError(f"compressed by method {method} of .zip files; stored and deflated members are read")
    if zlib.crc32(content) != crc:
        raise PhotoError("damaged: its bytes have another checksum (CRC) than the archive has of it")
    return content


def inflate(content):
    """Deflated bytes -> what they were, MOST_BYTES at most. Raises PhotoError."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise PhotoError(f"its compressed bytes are damaged ({error})") from error
    if not inflater.eof:
        raise PhotoError(f"more than {MOST_BYTES:,} bytes long" if len(content) == MOST_BYTES else "truncated")
    return content


def list_tar(path, prefix, wanted):
    """The photos in an uncompressed .tar file -> Listing, with what could not be read. Raises UserError.

    Links to members of the archive count as photos of their own.
    """
    with open(path, "rb") as file:
        tar = Tar(file, path)
        entries, links = [], []
        for member in tar.members():
            if member.isreg():
                whole = (member.offset_data, min(member.size, MOST_BYTES + 1))  # no larger one is read
                place = (member.offset, SPARSE) if member.issparse() else whole
                entries.append((member.name, *place))
            elif not reason_to_skip(clean(member.name), wanted):
                links.append(member)
        skipped = resolve(links, {clean(name): place for name, *place in entries} if links else {}, entries)
    found = listing(entries, prefix, wanted)
    found.skipped.update(skipped)
    return found._replace(damaged=tar.damage())


def resolve(links, places, entries):
    """Add links to members of their archive to its entries -> {reason: how many are none}."""
    targets = {clean(link.name): target_of(link) for link in links}
    skipped = {}
    for link in links:
        name, followed = clean(link.name), 0
        while name in targets and name not in places and followed < LINKS:
            name, followed = targets[name], followed + 1
        if name in places:
            entries.append((link.name, *places[name]))
        else:
            skipped["link to nothing in its archive"] = skipped.get("link to nothing in its archive", 0) + 1
    return skipped


def target_of(link):
    """The name of the member that a link leads to, which is never out of the archive."""
    folder = "" if link.islnk() else posixpath.dirname(link.name)  # hard links have whole names
    return clean(posixpath.join(folder, link.linkname))


def read_tar(path, position, length):
    """The member at a position. Raises PhotoError."""
    if length != SPARSE:
        return read_at(path, position, length)
    try:
        with open(path, "rb") as file:
            file.seek(position)
            with tarfile.open(fileobj=file, mode="r:") as archive:
                return archive.extractfile(archive.next()).read(MOST_BYTES)
    except BROKEN as error:
        raise_passing(error)
        raise PhotoError("a sparse member that is damaged") from error


def each_in_tar(path, prefix, wanted):
    """Yield (name, bytes) of each photo in a compressed .tar file, from start to end, then those that are links.

    Raises PhotoError where something could not be read, after all that could.
    """
    with opened_tar(path) as file:
        tar, links = Tar(file, path), []
        for member in tar.members():
            name = clean(member.name)
            if not reason_to_skip(name, wanted):
                if member.isreg():
                    content = tar.content(member)
                    if content is not None:
                        yield prefix + name, content
                else:
                    links.append(member)
    lost = set()
    if links:
        yield from each_link(path, prefix, links, lost)
    wrong = [tar.damage()] if tar.damage() else []
    wrong += [f"{len(lost):,} links lead to nothing in the archive"] if lost else []
    if wrong:
        raise PhotoError("; ".join(wrong))


def each_link(path, prefix, links, lost):
    """Yield (name, bytes) of each link to a member of a compressed .tar file, which is read once more.

    lost: a set, which gets the names of those that lead to nothing
    """
    targets = {clean(link.name): target_of(link) for link in links}
    names = {}
    for name in targets:
        target, followed = targets[name], 0
        while target in targets and followed < LINKS:
            target, followed = targets[target], followed + 1
        names.setdefault(target, []).append(name)
    with opened_tar(path) as file:
        tar = Tar(file, path)
        for member in tar.members():
            if member.isreg() and (wanting := names.pop(clean(member.name), None)):
                content = tar.content(member)
                yield from ((prefix + name, content) for name in wanting if content is not None)
    lost.update(name for wanting in names.values() for name in wanting)


def opened_tar(path):
    """A compressed .tar file as a file of what it holds. Raises UserError."""
    with open(path, "rb") as file:
        opener = OPENERS[file.read(2)]
    try:
        file = opener(path)
        file.peek(1)
        return file
    except BROKEN as error:
        raise UserError(f"{path}: can't be read as a .tar file ({error}); copy it again from its source") from error


class Tar:
    """The members of a .tar file, and which of its bytes could not be read.

    tarfile takes a damaged header for the end, and what follows an end mark for nothing. Here the next header is
    searched: so photos behind it are read, also those of another archive that was appended.

    Raises UserError for what is no .tar file.
    """

    def __init__(self, file, path):
        self.size = os.path.getsize(path) if isinstance(file, io.BufferedReader) else 0  # 0: not known
        self.file, self.gaps = file, []  # the gaps: (from, to) in bytes of the uncompressed file; to: None for its end
        self.cut = False  # whether it ends without an end mark
        try:
            self.archive = tarfile.open(fileobj=file, mode="r:")
        except BROKEN as error:
            self.archive = self.open_behind(error, path)

    def open_behind(self, error, path):
        """The archive from its first header on that tarfile takes. Raises UserError, with the first error."""
        raise_passing(error)
        first = self.search_after(0)
        while first is not None:
            self.file.seek(first)
            try:
                return tarfile.open(fileobj=self.file, mode="r:")
            except BROKEN:
                self.gaps.pop()
                first = self.search_after(first + BLOCK)
        raise UserError(f"{path}: can't be read as a .tar file ({error}); copy it again from its source") from error

    def members(self):
        """Yield the regular files and links, and forget them. Raises PassingError where the disk gives no more now."""
        at, refused = 0, None
        while True:
            try:
                member = self.archive.next()
                if member is None or member.size < 0 or member.offset < at:
                    at = self.continue_after(max(at, self.archive.offset))
                    if at is not None and at == refused:  # it looks like a header, and tarfile can't read it
                        at = self.search_after(at + BLOCK)
                    refused = at
                else:
                    at, self.archive.members = member.offset + BLOCK, []
                    if member.isreg() or member.issym() or member.islnk():
                        yield member
                    continue
            except BROKEN as error:  # a header that makes no sense, or the rest is missing
                raise_passing(error)
                ahead = self.archive.offset + BLOCK
                at = self.search_after(ahead if at < ahead <= self.size else at)
            if at is None:
                return
            self.archive.offset = at

    def content(self, member):
        """The bytes of a member; None where they can't be read, which is a gap."""
        try:
            content = self.archive.extractfile(member).read(MOST_BYTES)
        except BROKEN as error:
            raise_passing(error)
            content = None
        if content is None or len(content) < min(member.size, MOST_BYTES):
            self.gaps.append((member.offset, None))
            return None
        return content

    def continue_after(self, at):
        """Where the next header is, from a place on where tarfile finds none; None at the end."""
        self.file.seek(at)
        start, zeros = at, True
        while zeros:
            block = self.file.read(BLOCK)
            zeros = len(block) == BLOCK and not block.strip(b"\0")
            at += BLOCK * zeros
        if not block.strip(b"\0"):
            self.cut = self.cut or at == start
            return None
        return at if is_header(block) else self.search_after(at)

    def search_after(self, at):
        """Where the next header after a place is, which ends a gap; None if there is none any more."""
        if self.gaps and self.gaps[-1][1] is None:  # which the rest belongs to
            return None
        start, found = at, None
        try:
            while found is None:
                self.file.seek(at)
                part = self.file.read(SEARCHED)
                places = range(0, len(part) - BLOCK + 1, BLOCK)
                found = next((at + place for place in places if is_header(part[place : place + BLOCK])), None)
                if len(part) < SEARCHED:
                    break
                at += SEARCHED
        except BROKEN as error:  # a compressed file that ends early, or whose checksum is another
            raise_passing(error)
        self.gaps.append((start, found))
        return found

    def damage(self):
        """What could not be read, in words; None if all could."""
        if self.gaps:
            return unread(self.gaps)
        return "truncated: it ends without an end mark, so photos may be missing" if self.cut else None


def raise_passing(error):
    """Raise an error of the disk or the network, which may pass, as PassingError. Those of damage have no number."""
    if isinstance(error, OSError) and error.errno and error.strerror:
        raise reading_error(error) from error


def is_header(block):
    """Whether a block is the header of a member: its checksum is right, and it is no empty one."""
    if len(block) < BLOCK or block[MAGIC_AT : MAGIC_AT + 5] != b"ustar":
        return False
    try:
        return tarfile.nti(block[148:156]) in tarfile.calc_chksums(block)
    except tarfile.HeaderError:
        return False
