"""Millions of names in little memory."""

import bisect
import hashlib
import itertools
from array import array

import numpy as np

DIGITS = 10  # of a record or row number, so that the order of names is the order of numbers
AT_A_TIME = 1 << 18  # names that are Python objects at once


def encoded(name):
    """A name as bytes: UTF-8, whatever the locale says, with the bytes of names that are no text."""
    return name.encode("utf-8", "surrogateescape")


def decoded(name):
    """The name that `encoded` made the bytes of."""
    return name.decode("utf-8", "surrogateescape")


def append(column, values):
    """Add integers, a NumPy array, to an array("q"), which grows in place."""
    column.frombytes(np.ascontiguousarray(values, np.int64).view(np.uint8))


class Names:
    """A sequence of str that holds its names as one array of bytes, and where each one ends.

    Ten million names of 25 characters take 330 MB, a list of them 800 MB.
    """

    def __init__(self, names=()):
        characters, lengths, names = bytearray(), array("q"), iter(names)
        while some := [encoded(name) for name in itertools.islice(names, AT_A_TIME)]:
            characters += b"".join(some)
            lengths.extend(map(len, some))
        self.characters = np.frombuffer(characters, np.uint8)
        self.ends = np.cumsum(np.array(lengths, np.int64))

    @classmethod
    def _of(cls, characters, ends):
        names = cls()
        names.characters, names.ends = characters, ends
        return names

    @classmethod
    def numbered(cls, prefix, numbers):
        """prefix + each number, an int64 array, padded to DIGITS."""
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= 10**DIGITS):
            return cls(f"{prefix}{number:0{DIGITS}d}" for number in numbers)
        start = np.frombuffer(encoded(prefix), np.uint8)
        table = np.empty([len(numbers), len(start) + DIGITS], np.uint8)
        table[:, : len(start)] = start
        powers = 10 ** np.arange(DIGITS - 1, -1, -1)
        for at in range(0, len(numbers), AT_A_TIME):
            part = slice(at, at + AT_A_TIME)
            table[part, len(start) :] = numbers[part, np.newaxis] // powers % 10 + ord("0")
        return cls._of(table.reshape(-1), np.arange(1, len(numbers) + 1) * table.shape[1])

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, which):
        """The name at an index, or the Names at a slice or an array of indices."""
        if isinstance(which, slice):
            which = np.arange(len(self))[which]
        if np.ndim(which):
            return type(self)(self[index] for index in which)
        which = range(len(self))[which]
        start = self.ends[which - 1] if which else 0
        return decoded(self.characters[start : self.ends[which]].tobytes())

    def __iter__(self):
        for at in range(0, len(self), AT_A_TIME):
            ends = self.ends[at : at + AT_A_TIME].tolist()
            start = first = int(self.ends[at - 1]) if at else 0
            block = self.characters[first : ends[-1]].tobytes()
            for end in ends:
                yield decoded(block[start - first : end - first])
                start = end

    def __eq__(self, other):
        return len(self) == len(other) and all(a == b for a, b in zip(self, other))

    def index(self, name):
        """Where a name is, or None. The names must be sorted, as those of Photos are."""
        place = bisect.bisect_left(self, name)
        return place if place < len(self) and self[place] == name else None

    def __contains__(self, name):
        return self.index(name) is not None

    def digest(self):
        """A hexadecimal digest of all the names and their order."""
        digest = hashlib.blake2b(self.ends, digest_size=16)
        digest.update(self.characters)
        return digest.hexdigest()


class JoinedNames:
    """The names of several Names, one after the other, none of which is kept."""

    def __init__(self):
        self.characters, self.ends = bytearray(), array("q")

    def add(self, names):
        """Add a Names at the end."""
        append(self.ends, names.ends + len(self.characters))
        self.characters += memoryview(names.characters)

    def finish(self):
        """All of them as Names. Nothing can be added after that."""
        return Names._of(np.frombuffer(self.characters, np.uint8), np.frombuffer(self.ends, np.int64))
