"""Whether two data sets share images. Their content decides, since every data set has a 000001.jpg."""

import hashlib
import itertools
import os

from errors import UserError, printable
from photos.decoding import PhotoError
from photos.names import Names
from runs.files import IMAGES, read_json

FILES = 256  # whose content is remembered
BYTES = 1 << 20  # read of each, at most
RENAMED = 5000  # files that are read, at most, to find renamed ones
NAMED = 100_000  # names that are kept, at most


def fingerprints(photos):
    """{name: [size in bytes, checksum]} of up to FILES of the photos, evenly spread; unreadable ones are left out."""
    return {photos.names[index]: found for index in spread(photos, FILES) if (found := _fingerprint(photos, index))}


def spread(photos, most):
    """Indices of up to `most` photos, evenly spread."""
    return range(0, len(photos), max(1, -(-len(photos) // most)))


def _fingerprint(photos, index):
    try:
        with photos.open(index) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            return [size, hashlib.blake2b(file.read(BYTES), digest_size=16).hexdigest()]
    except (OSError, PhotoError):
        return None


def share_images(known, listed, photos):
    """Whether images of an earlier data set are among `photos`, under whatever names.

    known: its fingerprints; None for a run from before these were kept: then names decide
    listed: its summary; None if that is not known
    """
    share_names = listed is not None and any(name in photos.names for name in listed["names"])
    if known is None:
        return listed is None or share_names
    remembered = {tuple(values) for values in known.values()}
    same_name = [index for index in map(photos.names.index, known) if index is not None]
    if not same_name and share_names:
        return True  # they share names, but none whose fingerprint was kept: nothing speaks against it
    candidates = itertools.chain(same_name, spread(photos, FILES), renamed(photos, {size for size, _ in remembered}))
    return any(tuple(_fingerprint(photos, index) or ()) in remembered for index in candidates)


def renamed(photos, sizes):
    """Indices of up to RENAMED photos that may be known ones: files of these sizes, or any in containers."""
    if photos.containers is not None:
        return spread(photos, RENAMED)
    return itertools.islice((i for i in range(len(photos)) if os.path.getsize(photos.source(i)) in sizes), RENAMED)


def summary(names):
    """What images.json keeps of a data set's names: how many, a digest, and all or, of very many, some of them."""
    step = max(1, -(-len(names) // NAMED))
    return {"count": len(names), "digest": names.digest(), "names": list(names[::step])}


def read_summary(directory):
    """The summary in a checkpoint folder's images.json; None without one. Raises UserError.

    Older versions wrote a list of all names.
    """
    content = read_json(directory, IMAGES, (list, dict))
    if isinstance(content, list):
        return summary(Names(content))
    if content is not None and not content.keys() >= {"count", "digest", "names"}:
        path = os.path.join(directory, IMAGES)
        raise UserError(f"{path}: was not written by this program; restore it or use another folder")
    return content


def difference(before, now):
    """What is gone and what is new since a summary was made of the names, in words; None if they are the same."""
    if before["digest"] == now.digest():
        return None
    gone = [name for name in before["names"] if name not in now]
    known = set(before["names"])
    new = [name for name in now if name not in known] if len(known) == before["count"] else []
    parts = []
    for names, what in (gone, "gone"), (new, "new"):
        if names:
            shown = printable(", ".join(names[:3])) + (", …" if names[3:] else "")
            parts.append(f"{len(names):,} {'file is' if len(names) == 1 else 'files are'} {what} ({shown})")
    counted = f"{before['count']:,} images before, {len(now):,} now"
    if len(known) < before["count"]:
        counted += f"; of {len(known):,} whose names were kept"
        parts = parts or ["none is gone"]
    return f"{counted}: {', '.join(parts)}"
