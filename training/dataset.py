"""Images of a folder as batches, in an order that is a function of (seed, epoch)."""

import collections
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import psutil
import tensorflow as tf

import utils
from errors import UserError
from photos import decoding

SIZES_SAMPLED = 1000  # images whose headers are read for the report at the start
AHEAD = 2  # batches read ahead


class ImageFolder:
    """The images below a folder, cut to squares of image_size, in batches.

    An epoch is every image once, in an order of its own, and drops what does not fill a batch.
    Arguments: as the settings of these names in config.py; leave_out, folders not to search.

    Raises UserError for a folder that is missing, holds no images, or fewer than a batch.
    """

    def __init__(
        self,
        folder,
        image_size,
        c_dim,
        batch_size,
        seed,
        train_size=None,
        crop=None,
        flip=False,
        cache="auto",
        max_bad=0.01,
        leave_out=(),
    ):
        self.folder = folder
        self.image_size, self.c_dim, self.batch_size = image_size, c_dim, batch_size
        self.seed, self.crop, self.flip = seed, crop, flip
        self.bad = {}  # path -> reason
        self.order = lru_cache(maxsize=3)(self.order)  # reading ahead crosses into the next epoch
        self.mirrored = lru_cache(maxsize=3)(self.mirrored)
        self.skipped = collections.Counter()
        if not os.path.isdir(folder):
            raise UserError(f"--dataset {folder}: no such folder")
        endings = " ".join(decoding.ENDINGS)
        found = decoding.walk_photos(folder, lambda _, reason: self.skipped.update([reason]), leave_out=leave_out)
        found = sorted(found)
        self.found = len(found)
        self.paths = found[:train_size]
        self.bad_allowed = decoding.bad_allowed(max_bad, len(self.paths))
        if not found:
            raise UserError(f"--dataset {folder}: no images in it (looked for {endings}, also in subfolders)")
        if len(self.paths) < batch_size:
            what = "the first" if train_size else "holds"
            raise UserError(
                f"--dataset {folder}: {what} {len(self.paths)} images, fewer than --batch_size {batch_size}; "
                "add images or lower --batch_size"
            )

        shape = [self.cacheable(cache), image_size, image_size, c_dim]
        self.cache = np.empty(shape, np.uint8)  # of the first images; pages are taken as they are filled
        self.cached = np.zeros(shape[0], bool)

    def cacheable(self, cache):
        """How many images to keep decoded: all, none, or ("auto") what fits a quarter of the free memory."""
        each = self.image_size**2 * self.c_dim
        room = {"on": len(self.paths), "off": 0, "auto": free_memory() // 4 // each}[cache]
        return min(room, len(self.paths))

    @property
    def batches_per_epoch(self):
        """Whole batches in an epoch."""
        return len(self.paths) // self.batch_size

    def describe(self):
        """Lines that say what was found: images, sizes, batches an epoch, what was skipped and why."""
        step = max(1, len(self.paths) // SIZES_SAMPLED)
        sample = self.paths[::step][:SIZES_SAMPLED]
        sizes = collections.Counter()
        for path in sample:
            try:
                _, size = decoding.mode_and_size(os.path.join(self.folder, path))
                sizes["{}x{}".format(*size)] += 1
            except decoding.PhotoError:
                sizes["unreadable"] += 1
        shown = ", ".join(f"{size} ({count / len(sample):.0%})" for size, count in sizes.most_common(4))
        shown += f", {len(sizes) - 4} more" if len(sizes) > 4 else ""
        of = f" of {self.found:,}" if len(self.paths) < self.found else ""
        yield (
            f"{len(self.paths):,}{of} images in {self.folder}, "
            f"{self.batches_per_epoch:,} batches of {self.batch_size} an epoch"
        )
        yield f"sizes: {shown}" + (f", from {len(sample):,} of them" if len(sample) < len(self.paths) else "")
        kept = "all" if len(self.cached) == len(self.paths) else f"{len(self.cached):,}"
        yield f"cache: {kept} images stay in memory once read, {self.cache.nbytes / 1e6:,.0f} MB"
        if self.skipped:
            yield "skipped: " + ", ".join(f"{count:,} ({reason})" for reason, count in self.skipped.most_common(8))

    def order(self, epoch):
        """Indices into `paths` in the order of this epoch: [batches_per_epoch, batch_size] int64."""
        used = self.batches_per_epoch * self.batch_size
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.paths))[:used]
        return order.reshape(-1, self.batch_size)

    def mirrored(self, epoch):
        """Which images are mirrored in this epoch: bool [len(paths)]. None are unless `flip`."""
        if not self.flip:
            return np.zeros(len(self.paths), bool)
        return np.random.default_rng([self.seed, epoch, 1]).random(len(self.paths)) < 0.5

    def decode(self, index):
        """Image `index` -> uint8 [image_size, image_size, c_dim]. Raises PhotoError."""
        image = decoding.open_rgb(os.path.join(self.folder, self.paths[index]))
        image = decoding.square(image, self.image_size, self.crop)
        if self.c_dim == 1:
            return np.asarray(image.convert("L"))[..., np.newaxis]
        return np.asarray(image)

    def image(self, index):
        """Image `index`, from memory once it was decoded -> uint8 [image_size, image_size, c_dim].

        A file that does not decode gives its place to the next that does. Raises UserError when
        there are too many of them.
        """
        if index < len(self.cached) and self.cached[index]:
            return self.cache[index]
        image = self.decode_or_next(index)
        if index < len(self.cached):
            self.cache[index] = image
            self.cached[index] = True
        return image

    def decode_or_next(self, index):
        """As decode, but of the next file that decodes."""
        while True:
            if self.paths[index] not in self.bad:
                try:
                    return self.decode(index)
                except decoding.PhotoError as error:
                    self.bad[self.paths[index]] = str(error)
                    self.check_bad()
            index = (index + 1) % len(self.paths)

    def check_bad(self):
        """Raise UserError if more files are bad than may be."""
        if len(self.bad) > self.bad_allowed:
            remedy = "; --check lists them all and how to mend them, --max_bad says how many may be bad"
            raise UserError(self.bad_report() + remedy)

    def bad_report(self):
        """One message that names the files that did not decode, the first few of them."""
        files = "1 file does" if len(self.bad) == 1 else f"{len(self.bad):,} files do"
        first = ", ".join(f"{path} ({reason})" for path, reason in sorted(self.bad.items())[:5])
        return f"--dataset {self.folder}: {files} not decode: {first}" + (", …" if len(self.bad) > 5 else "")

    def batch(self, epoch, idx, rows=slice(None)):
        """Batch idx of an epoch, or those rows of it: uint8 [batch_size, image_size, image_size, c_dim]."""
        indices = self.order(epoch)[idx][rows]
        images = np.stack([self.image(index) for index in indices])
        mirrored = self.mirrored(epoch)[indices]
        images[mirrored] = images[mirrored, :, ::-1]
        return images

    def batches(self, start, stop, rows=slice(None), place=tf.constant):
        """Yield the batches, or those rows of each, from position start to stop, counted from the first of epoch 0.

        Each is what `place` makes of float32 [batch_size, image_size, image_size, c_dim] in [-1, 1]: a
        tensor on the device that trains. They are read ahead, in threads. Raises UserError when too
        many files do not decode.
        """
        ahead = collections.deque()
        with ThreadPoolExecutor(AHEAD) as pool:
            for position in range(start, stop + AHEAD):
                if position < stop:
                    ahead.append(pool.submit(self.read, position, rows, place))
                if position >= start + AHEAD:
                    yield ahead.popleft().result()

    def read(self, position, rows, place):
        """The batch at a position, ready for training."""
        return place(utils.transform(self.batch(*divmod(position, self.batches_per_epoch), rows)))


def free_memory():
    """Bytes that this process may still take: of the machine's memory, or of its container's."""
    free = psutil.virtual_memory().available
    try:
        with open("/sys/fs/cgroup/memory.max") as most, open("/sys/fs/cgroup/memory.current") as now:
            return min(free, int(most.read()) - int(now.read()))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return free
