"""The flags of a script, and checks of the files and folders that they name."""

import argparse
import difflib
import os
import re
import textwrap

from errors import UserError

EXITS = "0 done, 1 failed, 2 bad usage or data, 129, 130 or 143 interrupted (SIGHUP, Ctrl-C, SIGTERM)"
WIDEST = 98  # columns of a help text


class Formatter(argparse.HelpFormatter):
    """Help texts without the other names that flags have for the sake of old commands."""

    def __init__(self, prog):
        super().__init__(prog)
        self._action_max_length = 20  # at least, so that all scripts look alike
        self._width = min(self._width, WIDEST)

    def _fill_text(self, text, width, indent):
        """Paragraphs as wide as the terminal, and indented commands: the comments above them if they do not fit."""
        blocks = []
        for block in text.strip().split("\n\n"):
            lines = block.splitlines()
            if not block.startswith("    "):
                lines = textwrap.wrap(" ".join(block.split()), width, break_on_hyphens=False)
            elif max(map(len, lines)) > width:
                pairs = [re.split(r" +# ", line, maxsplit=1) for line in lines]
                lines = [
                    line for command, *comment in pairs for line in (*(f"    # {words}" for words in comment), command)
                ]
            blocks.append("\n".join(lines))
        return "\n\n".join(blocks)

    def _format_action_invocation(self, action):
        if not action.option_strings or action.dest == "help":
            return super()._format_action_invocation(action)
        value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        return action.option_strings[0] + value


class Parser(argparse.ArgumentParser):
    """The argument parser of a script. It raises UserError, in one line, for what it does not understand.

    exits: the exit codes in words, for the end of the help text
    instead: {flag of the original or of a tool around it: what to type here}
    """

    def __init__(self, description, exits=EXITS, instead=None, **keywords):
        super().__init__(
            description=description, epilog=f"Exit codes: {exits}.", formatter_class=Formatter, allow_abbrev=False,
            add_help=False, **keywords,
        )  # fmt: skip
        self.instead = instead or {}
        self._positionals.title = "arguments"
        self.general = self.add_argument_group("general")
        self.general.add_argument("-h", "--help", action="help", help="show this text")
        self.general.add_argument("--debug", action="store_true", help="show Python's traceback of an error")

    def format_help(self):
        """The help text: a usage line of what is required, then the groups of flags, the general one last."""
        needed = [action for action in self._actions if action.required and action.option_strings]
        needed += [action for action in self._actions if not action.option_strings]
        words = [" ".join([*action.option_strings[:1], action.metavar or action.dest]) for action in needed]
        self.usage = " ".join(["%(prog)s", *words, "[options]"])
        self._action_groups.sort(key=lambda group: group is self.general)
        return super().format_help()

    def error(self, message):
        """Raise UserError, where argparse would print the usage and exit."""
        raise UserError(message + "; --help shows how it is used")

    def parse_args(self, arguments):
        """The options. Raises UserError that says what to type instead of a flag that is not known here."""
        flags = [argument.split("=")[0] for argument in arguments]
        for flag in flags:
            if flag in self.instead:
                raise UserError(f"{flag}: {self.instead[flag]}")
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], self._option_string_actions, 1)
            hint = f"did you mean {near[0]}?" if near else "--help shows all"
            what = "flag" if unknown[0].startswith("-") else "argument"
            raise UserError(f"{unknown[0]}: no such {what}; {hint}")
        return options


def add_flag(parser, name, kind, default, help, alias=None, required=False):
    """A flag whose values are of one of the kinds; None for a switch. The help text gets the default.

    The parser raises UserError for an invalid value.
    """
    names = ["--" + name] + ([alias] if alias else [])
    if kind is None:
        parser.add_argument(*names, action="store_true", default=default, help=help)
        return
    shown = "" if default in (None, "") else f" (default: {default})"
    parser.add_argument(
        *names, type=lambda text: kind.parse("--" + name, text), default=default, required=required,
        metavar=kind.metavar, help=help + shown)  # fmt: skip


def check_empty(flag, folder):
    """Refuse a folder that is neither new nor empty, where something could be overwritten. Raises UserError."""
    if folder and os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UserError(f"{flag} {folder}: is not empty; name a new folder, such as {free_name(folder)}")


def free_name(path):
    """The first of path-2, path-3, ... that does not exist, with the same ending."""
    (base, ending), number = os.path.splitext(path.rstrip(os.sep)), 2
    while os.path.lexists(f"{base}-{number}{ending}"):
        number += 1
    return f"{base}-{number}{ending}"


def check_writable(flag, path, ending="", replaces=False):
    """Refuse a file that can't be written, or whose name ends otherwise than its content. Raises UserError.

    replaces: whether a file that is there may be replaced
    """
    if not path:
        return
    if not path.lower().endswith(ending):
        raise UserError(f"{flag} {path}: must end in {ending}")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError(f"{flag} {path}: there is no folder {folder} that can be written to")
    if os.path.isdir(path):
        raise UserError(f"{flag} {path}: is a folder; name a file")
    if os.path.lexists(path) and not replaces:
        raise UserError(f"{flag} {path}: is there already; name a new file, such as {free_name(path)}")
