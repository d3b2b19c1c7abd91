"""What the scripts share: the Python they need, flags, errors as one line, exit codes.

Old Pythons can read this file too, so that importing it refuses them in one line.
"""

import argparse
import difflib
import os
import re
import shlex
import signal
import sys

from errors import UserError, printable

HERE = os.path.dirname(os.path.abspath(__file__))


def check_python():
    """Exit with one line where TensorFlow has no wheel."""
    name = _name()
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        sys.exit("%s: needs Python 3.10 to 3.13, and this is %d.%d" % ((name,) + sys.version_info[:2]))
    if sys.platform == "win32":
        sys.exit(name + ": runs on Linux and macOS; on Windows, run it within WSL2")
    if sys.platform == "darwin" and os.uname()[4] == "x86_64":
        sys.exit(name + ": TensorFlow is no longer made for Macs with Intel processors")


def run(main, less_memory="fewer programs beside it"):
    """Call main(arguments) and exit with the code that it returns. An error becomes one message and an exit code.

    less_memory: what the user can do where memory does not suffice
    """
    # Print each line at once, into a pipe too, and names of any bytes
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        code = _complain(error, error.exit_code, debug)
    except ModuleNotFoundError as error:
        package = error.name.split(".")[0]
        ours = any(os.path.exists(os.path.join(HERE, package + ending)) for ending in ("", ".py"))
        message = "the package %s is not installed here; %s" % (package, how_to_install(package))
        code = _complain(message, 1, debug or ours)
    except OSError as error:
        code = _complain(_in_words(error), 1, debug)
    except MemoryError:
        code = _complain("out of memory; what helps: " + less_memory, 1, debug)
    except KeyboardInterrupt:
        code = _complain("interrupted; what was not saved before is lost", 130, debug)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's, which is not imported here
            raise
        code = _complain("the device is out of memory; what helps: " + less_memory, 1, debug)
    sys.exit(code)


def raise_on_signals():
    """From now on, SIGINT and SIGTERM raise KeyboardInterrupt with the exit code that they ask for."""

    def interrupt(number, _frame):
        raise KeyboardInterrupt(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def how_to_install(package="tensorflow"):
    """What to type to install a package into this project's environment, or to activate that."""
    if package == "matplotlib":  # for docs/figures.py
        return "type: pip install -r requirements-dev.txt"
    make = "make setup" if os.getcwd() == HERE else "make -C %s setup" % shlex.quote(HERE)
    venv = os.path.join(HERE, ".venv")
    former = _former_folder(venv)
    if former:
        old = "the environment was made when the project was in %s, and can't be moved" % former
        return "%s; type: rm -r %s; %s" % (old, shlex.quote(os.path.relpath(venv)), make)
    if os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return "type: " + make
    activate = "source " + shlex.quote(os.path.relpath(os.path.join(venv, "bin", "activate")))
    return "type: " + (activate if os.path.exists(venv) else make + ", then: " + activate)


def _former_folder(venv):
    """The folder in which an environment was made, if that is not where it is now."""
    try:
        with open(os.path.join(venv, "bin", "activate"), errors="replace") as file:
            found = re.search(r"^ *(?:export )?VIRTUAL_ENV=[\"']?(/[^\"'\n]*)", file.read(), re.MULTILINE)
    except OSError:
        return None
    moved = found and os.path.realpath(found.group(1)) != os.path.realpath(venv)
    return os.path.dirname(found.group(1)) if moved else None


class Parser(argparse.ArgumentParser):
    """The argument parser of a script. It raises UserError, in one line, for what it does not understand.

    instead: {flag of the original or of a tool around it: what to type here}
    """

    def __init__(self, *arguments, instead=None, **keywords):
        keywords.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, allow_abbrev=False, **keywords)
        self.instead = instead or {}
        self.add_argument("--debug", action="store_true", help="show Python's traceback of an error")

    def error(self, message):
        """Raise UserError, where argparse would print the usage and exit."""
        raise UserError(message + "; --help shows how it is used")

    def parse_args(self, arguments):
        """The options. Raises UserError that says what to type instead of a flag that is not known here."""
        flags = [argument.split("=")[0] for argument in arguments]
        for flag in flags:
            if flag in self.instead:
                raise UserError("%s: %s" % (flag, self.instead[flag]))
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], self._option_string_actions, 1)
            hint = "did you mean %s?" % near[0] if near else "--help shows all"
            raise UserError("%s: no such %s; %s" % (unknown[0], "flag" if unknown[0][:1] == "-" else "argument", hint))
        return options


def parser(description, exits="0 done, 1 failed, 2 bad usage or data, 130 or 143 interrupted", instead=None):
    """The Parser of a script, which tells its exit codes."""
    return Parser(description=description, epilog="Exit codes: %s." % exits, instead=instead)


def add_flag(parser, name, kind, default, help, alias=None, required=False):
    """A flag whose values are of a kind of training/settings.py; None for a switch. The help text gets the default.

    The parser raises UserError for an invalid value.
    """
    names = ["--" + name] + ([alias] if alias else [])
    if kind is None:
        parser.add_argument(*names, action="store_true", help=help)
        return
    shown = "" if default in (None, "") else " (default: %s)" % default
    parser.add_argument(
        *names, type=lambda text: kind.parse("--" + name, text), default=default, required=required,
        metavar=kind.metavar, help=help + shown)  # fmt: skip


def add_network_flags(parser, step=True):
    """The flags of the scripts that use a trained network, or only its run. step: --step too."""
    from training.settings import NAME, text, whole  # not on top: an old Python can't read it

    what = "checkpoint folder of a training run, or folder with a TF1 checkpoint of the original"
    add_flag(parser, "checkpoint_dir", text("DIR"), "checkpoints", what, alias="--checkpointDir")
    add_flag(parser, "name", NAME, None, "name of the run, for --checkpoint_dir checkpoints/NAME")
    if step:
        add_flag(parser, "step", whole(1), None, "step of an earlier checkpoint (default: the newest)")


def use_name(options, arguments):
    """Replace --name B by the folders that it stands for: checkpoints/B, samples/B, logs/B. Raises UserError.

    options: the parsed arguments, as a dict
    """
    name = options.pop("name")
    for flag, top in (("checkpoint_dir", "checkpoints"), ("sample_dir", "samples"), ("log_dir", "logs")):
        if name is None or flag not in options:
            continue
        given = {argument.split("=")[0] for argument in arguments} & {"--" + flag, "--checkpointDir"}
        if given:
            raise UserError("--name %s: gives the folders of the run; leave out %s" % (name, given.pop()))
        options[flag] = os.path.join(top, name)


def check_empty(flag, folder):
    """Refuse a folder that is neither new nor empty, where something could be overwritten. Raises UserError."""
    if folder and os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UserError("%s %s: is not empty; name a new folder" % (flag, folder))


def check_writable(flag, path, ending=""):
    """Refuse a file that can't be written, or whose name ends otherwise than its content. Raises UserError."""
    if path and not path.lower().endswith(ending):
        raise UserError("%s %s: must end in %s" % (flag, path, ending))
    folder = os.path.dirname(path or "") or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError("%s %s: there is no folder %s that can be written to" % (flag, path, folder))
    if path and os.path.isdir(path):
        raise UserError("%s %s: is a folder; name a file" % (flag, path))


def _name():
    name = os.path.basename(sys.argv[0])
    return name if name.endswith(".py") else "this program"


def _in_words(error):
    """An OSError in words: which file, and what is wrong."""
    if not error.strerror:
        return error
    return ("%s: %s" % (error.filename, error.strerror.lower())) if error.filename else error.strerror.lower()


def _complain(message, code, raise_it):
    if raise_it:
        raise
    lines = [printable(line) for line in str(message).split("\n")]
    print("%s: error: %s" % (_name(), "\n".join(lines)), file=sys.stderr)
    return code


check_python()  # here, so that a script's first import refuses an old Python before it fails at a later one
