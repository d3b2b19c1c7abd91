"""Reading .zip and .tar files, WebDataset's shards among them."""

import struct
import tarfile
import zipfile
import zlib

from errors import UserError
from photos.decoding import PhotoError
from photos.members import ENDS_EARLY, MOST_BYTES, clean, listing, read_at, reason_to_skip

LOCAL = struct.Struct("<4s2xHH16xHH")  # of a zip member: signature, flags, method, lengths of its name and extra field
ENCRYPTED = 1  # a bit of the flags


def list_zip(path, prefix, wanted):
    """The photos in a .zip file -> Listing. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = ((i.filename, i.header_offset, i.compress_size) for i in archive.infolist() if not i.is_dir())
            return listing(entries, prefix, wanted)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, struct.error) as error:
        raise UserError(
            f"{path}: its list of members can't be read ({error}); it is damaged, so copy it again from its source"
        ) from error


def read_zip(path, position, length):
    """The member whose local header is at a position, `length` bytes long as it is stored. Raises PhotoError."""
    signature, flags, method, name, extra = LOCAL.unpack(read_at(path, position, LOCAL.size))
    if signature != b"PK\x03\x04":
        raise PhotoError("no member at its place in the container")
    if flags & ENCRYPTED:
        raise PhotoError("encrypted")
    content = read_at(path, position + LOCAL.size + name + extra, length)
    if method == zipfile.ZIP_STORED:
        return content
    if method != zipfile.ZIP_DEFLATED:
        raise PhotoError(f"compressed by method {method} of .zip files; stored and deflated members are read")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise PhotoError(f"its compressed bytes are damaged ({error})") from error
    if not inflater.eof:
        raise PhotoError(f"more than {MOST_BYTES:,} bytes long" if len(content) == MOST_BYTES else "truncated")
    return content


def list_tar(path, prefix, wanted):
    """The photos in an uncompressed .tar file -> Listing. Raises UserError.

    Where the file ends early, the members up to there count; opening the last one may say that it is truncated too.
    """
    cut = []
    with open_tar(path, "r:") as archive:
        members = ((m.name, m.offset_data, m.size) for m in each_member(archive, cut))
        found = listing(members, prefix, wanted)
    return found._replace(damaged=ENDS_EARLY) if cut else found


def each_in_tar(path, prefix, wanted):
    """Yield (name, bytes) of each photo in a .tar file, compressed or not, from start to end.

    Raises PhotoError where the file ends early, and UserError if it is no .tar file.
    """
    cut = []
    with open_tar(path, "r|*") as archive:
        for member in each_member(archive, cut):
            name = clean(member.name)
            if not reason_to_skip(name, wanted):
                try:
                    yield prefix + name, archive.extractfile(member).read(MOST_BYTES)
                except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
                    cut.append(error)
                    break
    if cut:
        raise PhotoError(ENDS_EARLY)


def open_tar(path, mode):
    """A .tar file, opened. Raises UserError."""
    try:
        return tarfile.open(path, mode)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{path}: can't be read as a .tar file ({error}); copy it again from its source") from error


def each_member(archive, cut):
    """Yield the regular files in an opened .tar file, and forget them. The error of a damaged rest goes into `cut`."""
    end = 0
    while True:
        try:
            member = archive.next()
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
            cut.append(error)
            return
        if member is None:
            return
        if member.size < 0 or member.offset < end:
            cut.append("a member of negative length")
            return
        end, archive.members = member.offset_data, []
        if member.isreg() and not member.issparse():
            yield member
