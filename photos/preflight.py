"""Check every file of a data set before training: modes, sizes, copies, and what does not decode.

Imports neither TensorFlow nor the model.
"""

import collections
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor

from cli.machine import cores
from cli.progress import Progress
from errors import printable
from photos import collection, decoding, holdout

FILES_AT_A_TIME = 1024  # handed to the threads
COPIES_NAMED = 100
# How to fix a file, by a part of the reason why it does not decode
REMEDIES = {
    "heic photo": "install pillow-heif, which reads them, or save them as JPEG",
    "git lfs": "fetch them with: git lfs pull",
    "server's answer": "download them again",
    "encrypted": "unpack the archive with its password first",
    "checksum": "copy the archive again from its source",
    "damaged": "copy them again from their source",
    "truncated": "copy them again from their source, or delete them",
    "not an image": "save them as PNG or JPEG with a picture editor, or delete them",
    "empty": "copy them again from their source, or delete them",
    "pixels": "shrink them, or delete them",
    "permission": "allow yourself to read them (chmod u+r)",
    "": "save them again with a picture editor, or delete them",
}


def check(config, leave_out=(), before=None):
    """Read every file that training with `config` would, and print what was found -> exit code.

    leave_out: folders that a run has written to, beside those that config names
    before: the names of the photos that the run holds out, if it has begun

    0, or 2 where more files are bad than --max_bad allows, or a container can't be read to its end. Raises
    UserError for a data set that is missing or holds no images.
    """
    leave_out = [*config.outputs().values(), *leave_out]
    found = collection.find(config.dataset, leave_out=leave_out)
    training, _ = holdout.split(found.root, found.names, config.hold_out, config.partition, before)
    photos = found.take(training).take(slice(config.train_size))
    modes, sizes = collections.Counter(), collections.Counter()
    originals, copies, bad = {}, [], collections.defaultdict(list)
    for path, (digest, mode, size, reason) in zip(photos.names, examine_all(photos)):
        modes[mode] += bool(mode)
        sizes[size] += bool(size)
        if reason:
            bad[remedy(reason)].append(f"{path}: {reason}")
        elif digest in originals:
            copies.append(f"{path} is a copy of {originals[digest]}")
        else:
            originals[digest] = path

    for container, reason in photos.damaged.items():
        bad[remedy(reason)].append(f"{container}: {reason}")
    number = sum(map(len, bad.values()))
    print(f"{len(photos):,} images in {config.dataset}, {len(photos) + len(photos.damaged) - number:,} of them good")
    print("modes: " + counts(modes))
    print("sizes: " + counts({"{}x{}".format(*size): count for size, count in sizes.items() if size}))
    small = sum(count for size, count in sizes.items() if size and min(size) < config.image_size)
    if small:
        print(f"smaller than --image_size {config.image_size}: {small:,}, which are enlarged")
    if photos.skipped:
        print("skipped: " + counts(photos.skipped))
    print_list("exact copies", copies, COPIES_NAMED)
    for what, lines in bad.items():
        print_list(f"bad, {what}", lines, len(lines))
    share = number / len(photos)
    print(f"bad: {number:,} ({share:.2%}; --max_bad allows {config.max_bad:.2%})")
    allowed = decoding.bad_allowed(config.max_bad, len(photos))
    return 0 if number <= allowed and not photos.damaged else 2


def examine_all(photos):
    """The findings of `examine` for each photo, in order. Shows a bar on a terminal."""
    numbers, progress = range(len(photos)), Progress("checking", len(photos))
    with ThreadPoolExecutor(cores()) as pool:
        for start in numbers[::FILES_AT_A_TIME]:
            for findings in pool.map(functools.partial(examine, photos), numbers[start : start + FILES_AT_A_TIME]):
                progress.advance()
                yield findings
    progress.close()


def examine(photos, index):
    """One photo -> (digest of its bytes, mode, (width, height), why it does not decode), None where unknown."""
    mode = size = None
    try:
        with photos.open(index) as file:
            mode, size = decoding.mode_and_size(file)
            decoding.open_rgb(file)
            digest = hashlib.blake2b(digest_size=16)
            file.seek(0)
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.digest(), mode, size, None
    except decoding.PhotoError as error:
        return None, mode, size, str(error)
    except OSError as error:
        return None, mode, size, (error.strerror or str(error)).lower()


def remedy(reason):
    """How to fix files that do not decode for this reason."""
    return next(how for part, how in REMEDIES.items() if part in reason.lower())


def counts(counter):
    """The most frequent of a counter, in words."""
    items = sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))
    shown = ", ".join(f"{name} ({count:,})" for name, count in items[:10] if name)
    return shown + (f", {len(items) - 10} more" if len(items) > 10 else "")


def print_list(title, lines, most):
    """A titled list, cut after so many."""
    if lines:
        print(f"{title}: {len(lines):,}")
        for line in lines[:most]:
            print(f"  {printable(line)}")
        if lines[most:]:
            print(f"  and {len(lines) - most:,} more")
