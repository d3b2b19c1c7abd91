"""The images of a folder or container as batches, in an order that is a function of (seed, epoch)."""

import collections
import functools
import os
import shlex
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import utils
from cli.machine import free_memory
from cli.progress import Progress
from errors import UserError, printable
from photos import collection, decoding, finding, holdout

HEADERS_READ = 1000  # images whose sizes are read for the report at the start
FILLED = 1000  # images that are read into memory between two looks at how it goes
AHEAD = 2  # batches read ahead, each in a thread


@functools.lru_cache(maxsize=3)  # reading ahead crosses into the next epoch
def epoch_order(seed, epoch, images, batch_size):
    """The order of an epoch: indices of images, int64 [batches, batch_size]. What does not fill a batch is dropped."""
    used = images // batch_size * batch_size
    return np.random.default_rng([seed, epoch]).permutation(images)[:used].reshape(-1, batch_size)


@functools.lru_cache(maxsize=3)
def epoch_mirrors(seed, epoch, images):
    """Which images an epoch mirrors: bool [images], about half of them."""
    return np.random.default_rng([seed, epoch, 1]).random(images) < 0.5


class ImageData:
    """The images below a folder or in containers, cropped to squares and resized, in batches.

    Arguments are the settings of these names in settings.py, and:
    dataset: a folder of images, a container, or a folder of containers
    leave_out: folders that are not searched
    split: a function (folder, names) -> (indices that count, indices held out), such as holdout.split
    flag: the flag that names the data set, for messages

    `photos` are the images, `names` their names, `held_out` the names of others that do not count; `bad`
    maps the names of those that do not decode to the reason.

    Raises UserError for a data set that is missing, holds no images, or fewer than a batch, or that can
    only be read in its stored order and does not fit into memory.
    """

    def __init__(
        self,
        dataset,
        image_size,
        c_dim,
        batch_size,
        seed,
        cache,
        max_bad,
        train_size=None,
        crop=None,
        flip=False,
        leave_out=(),
        split=None,
        flag="--dataset",
    ):
        self.flag = flag
        self.image_size, self.c_dim, self.batch_size = image_size, c_dim, batch_size
        self.seed, self.crop, self.flip = seed, crop, flip
        found = collection.find(dataset, flag, leave_out)
        training, held_out = split(found.root, found.names) if split else (slice(None), [])
        self.held_out, found = found.names[held_out], found.take(training)
        self.found, self.photos, self.bad = len(found), found.take(slice(train_size)), dict(found.damaged)
        self.passing = {}  # as bad, of what could not be read for a reason that may pass: it is not remembered
        self.names = self.photos.names
        self.bad_allowed = decoding.bad_allowed(max_bad, len(self.photos))
        if len(self.photos) < batch_size:
            what = "the first" if train_size else "holds"
            held = f" beside the {len(self.held_out):,} held out" if len(self.held_out) else ""
            raise UserError(
                f"{flag} {dataset}: {what} {len(self.photos)} images{held}, fewer than --batch_size {batch_size}; "
                "add images or lower --batch_size" + (", or hold out fewer" if held else "") + beside_containers(found)
            )
        self.check_bad()
        shape = [self._cacheable(cache), image_size, image_size, c_dim]
        self.cache = np.empty(shape, np.uint8)  # of the first images; takes memory only as it is filled
        self.cached = np.zeros(shape[0], bool)
        if self.photos.in_order_only:
            self._fill()

    def _cacheable(self, cache):
        """How many images to keep decoded: all, none, or ("auto") what fits a quarter of the free memory."""
        each = self.image_size**2 * self.c_dim
        free = free_memory()
        room = {"on": len(self.photos), "off": 0, "auto": free // 4 // each}[cache]
        if self.photos.in_order_only:
            room = len(self.photos)
            if room * each > free:
                raise UserError(
                    f"{self.flag} {self.photos.path}: images of .parquet files stay in memory while they train, here "
                    f"{room * each / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free; what helps: fewer images, or "
                    "align them first (./align_faces.py), and train from the folder that this makes"
                )
        return min(room, len(self.photos))

    def _fill(self):
        """Decode all images into memory, in their stored order."""
        progress = Progress("reading", len(self.photos))
        with ThreadPoolExecutor(AHEAD) as pool:
            for start in range(0, len(self.photos), FILLED):
                for _ in pool.map(self.image, range(start, min(start + FILLED, len(self.photos)))):
                    progress.advance()
        progress.close()

    @property
    def batches_per_epoch(self):
        """Whole batches in an epoch."""
        return len(self.photos) // self.batch_size

    def describe(self):
        """Yield lines that say what was found: images, sizes, batches per epoch, what was skipped and why."""
        sample = range(0, len(self.photos), max(1, len(self.photos) // HEADERS_READ))[:HEADERS_READ]
        sizes, unaligned = collections.Counter(), 0
        for index in sample:
            try:
                with self.photos.open(index) as file:
                    _, size = decoding.mode_and_size(file)
                sizes["{}x{}".format(*size)] += 1
                unaligned += min(size) > self.image_size and not self._is_aligned(index)
            except decoding.PhotoError:
                sizes["unreadable"] += 1
        shown = ", ".join(f"{size} ({count / len(sample):.0%})" for size, count in sizes.most_common(4))
        shown += f", {len(sizes) - 4} more" if len(sizes) > 4 else ""
        of = f" of {self.found:,}" if len(self.photos) < self.found else ""
        yield (
            f"{len(self.photos):,}{of} images in {self.photos.path}, "
            f"{self.batches_per_epoch:,} batches of {self.batch_size} per epoch"
        )
        if len(self.held_out):
            persons = len({holdout.person(name) for name in self.held_out})
            yield f"held out: {len(self.held_out):,} more images, of {persons:,} persons, which do not train"
        yield f"sizes: {shown}" + (f", from {len(sample):,} of them" if len(sample) < len(self.photos) else "")
        if unaligned > len(sample) / 2 and not self.crop:  # whoever gives --crop knows where the faces are
            yield (
                "not aligned: the central square of each image is taken, wherever the face is; to align faces first: "
                + align_command(self.photos.path)
            )
        kept = "all" if len(self.cached) == len(self.photos) else f"{len(self.cached):,}"
        yield f"cache: {kept} images stay in memory once read, {self.cache.nbytes / 1e6:,.0f} MB"
        if skipped := self.photos.skipped:
            yield "skipped: " + ", ".join(f"{count:,} ({reason})" for reason, count in skipped.most_common(8))
        for container, reason in self.photos.damaged.items():
            yield f"warning: {container}: {reason}"

    def _is_aligned(self, index):
        """Whether image `index` lies beside the report of align_faces.py."""
        source = self.photos.source(index)
        return isinstance(source, str) and finding.is_aligned(os.path.dirname(source))

    def order(self, epoch):
        """Indices of `photos` in the order of this epoch: int64 [batches_per_epoch, batch_size]."""
        return epoch_order(self.seed, epoch, len(self.photos), self.batch_size)

    def mirrored(self, epoch):
        """Which images are mirrored in this epoch: bool [len(photos)]. None are without `flip`."""
        return epoch_mirrors(self.seed, epoch, len(self.photos)) if self.flip else np.zeros(len(self.photos), bool)

    def decode(self, index):
        """Image `index` -> uint8 [image_size, image_size, c_dim]. Raises PhotoError."""
        if self.photos.in_order_only and self.cached[index] and self.names[index] not in self.bad:
            return self.cache[index]
        with self.photos.open(index) as file:
            return decoding.load(file, self.image_size, self.c_dim, self.crop)

    def image(self, index):
        """Image `index`, from memory once it was decoded -> uint8 [image_size, image_size, c_dim].

        If a file does not decode, the next one that does takes its place. Raises UserError if there
        are too many broken files.
        """
        if index < len(self.cached) and self.cached[index]:
            return self.cache[index]
        image = self._decode_or_next(index)
        if index < len(self.cached):
            self.cache[index] = image
            self.cached[index] = True
        return image

    def _decode_or_next(self, index):
        while True:
            if (name := self.names[index]) not in self.bad:
                try:
                    return self.decode(index)
                except decoding.PhotoError as error:
                    (self.passing if isinstance(error, decoding.PassingError) else self.bad)[name] = str(error)
                    self.check_bad()
            index = (index + 1) % len(self.photos)

    def check_bad(self):
        """Raise UserError if more files are broken than allowed."""
        if len(self.bad) + len(self.passing) > self.bad_allowed:
            remedy = "; --check lists all of them and how to fix them, --max_bad says how many are allowed"
            raise UserError(self.bad_report() + remedy)

    def bad_report(self):
        """One message that names the files that do not decode, the first few of them."""
        bad = self.bad | self.passing
        files = "1 file does" if len(bad) == 1 else f"{len(bad):,} files do"
        first = printable(", ".join(f"{path} ({reason})" for path, reason in sorted(bad.items())[:5]))
        return f"{self.flag} {self.photos.path}: {files} not decode: {first}" + (", …" if len(bad) > 5 else "")

    def batch(self, epoch, idx, rows=slice(None)):
        """Batch idx of an epoch, or those rows of it: uint8 [batch_size, image_size, image_size, c_dim]."""
        indices = self.order(epoch)[idx][rows]
        if len(self.cached) == len(self.photos) and self.cached[indices].all():
            images = self.cache[indices]
        else:
            images = np.stack([self.image(index) for index in indices])
        mirrored = self.mirrored(epoch)[indices]
        backwards = np.arange(images[0, 0].size).reshape(images[0, 0].shape)[::-1].ravel()
        lines = images.reshape(*images.shape[:2], -1)  # whose bytes NumPy mirrors in half the time of [:, :, ::-1]
        lines[mirrored] = lines[mirrored][..., backwards]
        return images

    def batches(self, start, stop, rows=slice(None), finish=lambda images, position: images, ahead=AHEAD):
        """Yield batches, or those rows of each, from position start to stop, counted from the start of epoch 0.

        Each is what `finish` makes of float32 [batch_size, image_size, image_size, c_dim] in [-1, 1] and
        its position. `ahead` threads read them ahead. Raises UserError if too many files do not decode.
        """

        def read(position):
            images = utils.transform(self.batch(*divmod(position, self.batches_per_epoch), rows))
            return finish(images, position)

        coming = collections.deque()
        with ThreadPoolExecutor(ahead) as pool:
            for position in range(start, stop + ahead):
                if position < stop:
                    coming.append(pool.submit(read, position))
                if position >= start + ahead:
                    yield coming.popleft().result()


def align_command(dataset):
    """The command that aligns the faces in a folder or container of photos into a folder beside it."""
    folder, name = os.path.split(dataset.rstrip(os.sep))
    aligned = os.path.join(folder, "aligned" if name == "raw" else f"{os.path.splitext(name)[0]}-aligned")
    return shlex.join(["./align_faces.py", dataset, aligned])


def beside_containers(photos):
    """A hint, if containers were skipped for the sake of a few images beside them."""
    names = [reason.partition(" ")[2] for reason in photos.skipped if reason.startswith("container ")]
    hint = "; the containers beside them ({}) are read if no image file is there"
    return hint.format(", ".join(names[:3]) + (", …" if names[3:] else "")) if names else ""
