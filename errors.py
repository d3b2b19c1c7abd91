"""Errors that a user can cause and mend. Scripts print the message alone and exit with the code."""


class UserError(Exception):
    """Bad usage or data. The message names the flag or file, the value, and the remedy."""

    exit_code = 2


class DamagedError(UserError):
    """A checkpoint is cut off, or has been changed."""


class SaveError(UserError):
    """A checkpoint or a log could not be written: a full disk, say. What was there before is as it was."""

    exit_code = 1

    @staticmethod
    def reason(error):
        """What an OSError, or TensorFlow's of that kind, says in a few words."""
        text = getattr(error, "strerror", None) or str(error)
        return "no space left on device" if "No space left" in text else text.splitlines()[0].lower()


class PeerError(UserError):
    """Another machine's part of a training has ended."""

    exit_code = 1


class NumbersError(UserError):
    """A loss or a weight is no longer a finite number."""

    exit_code = 3
