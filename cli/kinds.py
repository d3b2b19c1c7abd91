"""Kinds of values: how a flag's text is read, and which values are valid."""

import dataclasses
import math
import re
from dataclasses import dataclass

from errors import UserError


@dataclass(frozen=True)
class Kind:
    """A kind of value: how its text is read, which values are valid, and how help texts call it."""

    read: type  # makes a value of a flag's text; raises ValueError
    valid: str  # which values are valid, in words
    is_valid: object  # value -> bool
    metavar: str
    or_list: bool = False  # whether a list of such values is valid too, which no flag can give

    def check(self, flag, value):
        """Raise UserError, naming the flag, unless the value is valid."""
        values = value if self.or_list and isinstance(value, list) else [value]
        if not all(map(self.is_valid, values)):
            raise UserError(f"{flag} {value}: must be {self.valid}")

    def parse(self, flag, text):
        """A flag's text -> its value. Raises UserError, naming the flag."""
        try:
            value = self.read(text)
        except ValueError:
            value = None
        if value is None or not self.is_valid(value):
            raise UserError(f"{flag} {text}: must be {self.valid}")
        return value


def whole(least, most=None):
    """Whole numbers from `least` to `most`."""
    valid = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    return Kind(int, valid, lambda n: n >= least and (most is None or n <= most), "N")


def real(least=-math.inf, below=math.inf):
    """Numbers from `least` up to, but not including, `below`."""
    valid = f"a number of at least {least:g}" if below == math.inf else f"a number from {least:g} to below {below:g}"
    return Kind(float, valid, lambda x: least <= x < below, "X")


def one_of(*choices):
    """One of a few values of one type."""
    names = [str(choice) for choice in choices]
    return Kind(type(choices[0]), "one of " + ", ".join(names), lambda value: value in choices, "|".join(names))


def text(metavar, valid="a text", is_valid=lambda text: True):
    """Any text that `is_valid` accepts."""
    return Kind(str, valid, is_valid, metavar)


def _is_folder_name(name):
    """TensorFlow takes "://" for a remote file system, and only names in UTF-8."""
    return bool(name) and "://" not in name and not re.search("[\ud800-\udfff]", name)


def _are_devices(names):
    """Whether they are devices' names, all of one type and none twice, or a number."""
    parts = names.upper().split(",")
    same_type = re.fullmatch(r"(CPU:\d+,)*CPU:\d+|(GPU:\d+,)*GPU:\d+", ",".join(parts))
    return re.fullmatch("[1-9][0-9]*", names) or (same_type and len(set(parts)) == len(parts))


SIZE = whole(1, 65536)
WIDTH = dataclasses.replace(SIZE, or_list=True)  # of all layers, or of each one
NAME = text("NAME", "letters, digits, _, - and .", lambda name: re.fullmatch(r"[\w-][\w.-]*", name))
RATE = Kind(float, "a number above 0", lambda x: 0 < x < math.inf, "X")
SHARE = Kind(float, "a number from 0 to 1", lambda x: 0 <= x <= 1, "X")
PART = Kind(float, "a number above 0, at most 1", lambda x: 0 < x <= 1, "X")
DECAY = Kind(float, "a number above 0 and below 1", lambda x: 0 < x < 1, "X")
DEVICES = text("N|NAMES", "a number, or names such as GPU:0,GPU:2 or CPU:0,CPU:1", _are_devices)
FOLDER = text("DIR", "the name of a folder, in UTF-8", _is_folder_name)
CHECKPOINT_FOLDER = text(
    "DIR",
    "the name of a folder, in UTF-8, without [ and \\, which TensorFlow reads as a pattern",
    lambda name: _is_folder_name(name) and not set(name) & set("[\\"),
)
