"""The error that a user can cause and mend. Scripts print its message alone and exit with its code."""


class UserError(Exception):
    """Bad usage or data. The message names the flag or file, the value, and the remedy."""

    exit_code = 2
