"""Whether two data sets share images. Their content decides, since every data set has a 000001.jpg."""

import hashlib
import itertools
import os

FILES = 256  # whose content is remembered
BYTES = 1 << 20  # read of each, at most
RENAMED = 5000  # files of equal size that are read, at most, to find renamed ones


def fingerprints(folder, paths):
    """{path: [size in bytes, checksum]} of up to FILES of the images, evenly spread; unreadable ones are left out."""
    some = paths[:: -(-len(paths) // FILES)]
    return {path: found for path in some if (found := _fingerprint(os.path.join(folder, path)))}


def _fingerprint(path):
    try:
        with open(path, "rb") as file:
            return [os.path.getsize(path), hashlib.blake2b(file.read(BYTES), digest_size=16).hexdigest()]
    except OSError:
        return None


def share_images(known, names, folder, paths):
    """Whether images of an earlier data set are among `paths` in `folder`, under whatever names.

    known: its fingerprints; None for a run from before these were kept: then names decide
    names: all its paths; None if they are not known
    """
    if known is None:
        return names is None or not set(names).isdisjoint(paths)
    present = set(paths)
    remembered = {tuple(values) for values in known.values()}
    same_name = [path for path in known if path in present]
    if not same_name and names and not present.isdisjoint(names):
        return True  # the few that were kept are among those not remembered
    sizes = {size for size, _ in remembered}
    renamed = (path for path in paths if os.path.getsize(os.path.join(folder, path)) in sizes)
    candidates = itertools.chain(same_name, itertools.islice(renamed, RENAMED))
    return any(tuple(_fingerprint(os.path.join(folder, path)) or ()) in remembered for path in candidates)
