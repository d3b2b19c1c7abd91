"""Errors that a user can cause and fix. A script prints the message alone and exits with the error's code."""

import re


class UserError(Exception):
    """Bad usage or bad data. The message names the flag or file, the value and the remedy."""

    exit_code = 2


class DamagedError(UserError):
    """A checkpoint file is truncated or its content has changed."""


class SaveError(UserError):
    """A checkpoint or a log could not be written, for example on a full disk. Older files are intact."""

    exit_code = 1


class PeerError(UserError):
    """Another machine's part of a training has ended."""

    exit_code = 1


class NotFiniteError(UserError):
    """A loss or a weight is no longer a finite number."""

    exit_code = 3


def printable(text):
    """Text, such as a file's name, without the control characters that a terminal would obey."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", str(text))


def short_reason(error):
    """The reason of an OSError, or of TensorFlow's counterpart, in a few words."""
    text = getattr(error, "strerror", None) or str(error)
    return "no space left on device" if "No space left" in text else text.splitlines()[0].lower()
