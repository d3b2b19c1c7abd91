"""What every script begins and ends with: the Python that it needs, errors in one line, exit codes.

Python 3.6 can read this file too, so that the import of it, a script's first, refuses an old Python in one line.
"""

import errno
import importlib
import os
import shlex
import sys

from errors import UserError, printable

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def check_python():
    """Exit with one line where TensorFlow has no wheel."""
    name = _name()
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        sys.exit("%s: needs Python 3.10 to 3.13, and this is %d.%d" % ((name,) + sys.version_info[:2]))
    if sys.platform == "win32":
        sys.exit(name + ": runs on Linux and macOS; on Windows, run it within WSL2")
    if sys.platform == "darwin" and os.uname()[4] == "x86_64":
        sys.exit(name + ": TensorFlow is no longer made for Macs with Intel processors")


class Later:
    """A module of the project that is imported when it is first used, so that --help and usage errors load little."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, attribute):
        return getattr(importlib.import_module(self.name), attribute)


def run(main, less_memory="fewer programs beside it"):
    """Call main(arguments) and exit with the code that it returns. An error becomes one message and an exit code.

    less_memory: what the user can do where memory does not suffice
    """
    keep_streams()
    debug = "--debug" in sys.argv
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        code = _complain(error, error.exit_code, debug)
    except ImportError as error:
        package = (error.name or "").split(".")[0] or _package_of(error)
        ours = any(os.path.exists(os.path.join(HERE, package + ending)) for ending in ("", ".py"))
        if isinstance(error, ModuleNotFoundError):
            message = "the package %s is not installed here; %s" % (package, how_to_install(package))
        else:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            message = "the package %s is installed, but does not load (%s); " % (package, reason)
            message += "use this project's own environment, without packages from elsewhere (PYTHONPATH); "
            message += how_to_install()
        code = _complain(message, 1, debug or ours)
    except OSError as error:
        code = _complain(_in_words(error), 1, debug)
    except MemoryError:
        code = _complain("out of memory; what helps: " + less_memory, 1, debug)
    except KeyboardInterrupt:
        code = _complain("interrupted; unsaved work is lost", 130, debug)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's, which is not imported here
            raise
        code = _complain("the device is out of memory; what helps: " + less_memory, 1, debug)
    sys.exit(code)


def how_to_install(package="tensorflow"):
    """What to type to install a package into this project's environment, or to activate that."""
    if package == "matplotlib":  # for docs/figures.py
        return "type: pip install -r requirements-dev.txt"
    make = "make setup" if os.getcwd() == HERE else "make -C %s setup" % shlex.quote(HERE)
    venv = os.path.join(HERE, ".venv")
    if os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return "type: " + make
    activate = "source " + shlex.quote(os.path.relpath(os.path.join(venv, "bin", "activate")))
    return "type: " + (activate if os.path.exists(venv) else make + ", then: " + activate)


class Stream:
    """A standard stream that outlives its reader: what can't be written any more is dropped, and is no error."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        """Write text, or drop it -> its length."""
        self._attempt(self.stream.write, text)
        return len(text)

    def flush(self):
        """Hand over what was written, or drop it."""
        self._attempt(self.stream.flush)

    def _attempt(self, function, *arguments):
        try:
            function(*arguments)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOSPC):  # which may pass: a slow reader, a full disk
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)
        except ValueError:  # closed
            pass


def keep_streams():
    """Make the standard streams last: open those that are closed, and let no broken one end the program."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which no file of ours must get
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))
    # Print each line at once, into a pipe too, and names of any bytes
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)


def _package_of(error):
    """The package that an ImportError without a name comes from: the innermost one that its traceback passes."""
    found, trace = "", error.__traceback__
    while trace:
        parts = trace.tb_frame.f_code.co_filename.split(os.sep)
        found = parts[parts.index("site-packages") + 1] if "site-packages" in parts[:-1] else found
        trace = trace.tb_next
    return found or "that it needs"


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
