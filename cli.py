"""What the scripts share: the interpreter they need, missing packages in one line, exit codes.

Readable by old Pythons too, so that they can be refused in one line.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def check_python():
    """Exit with one line where TensorFlow has no wheel: before Python 3.10, after 3.13, Windows."""
    name = os.path.basename(sys.argv[0])
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        sys.exit("%s: needs Python 3.10 to 3.13, and this is %d.%d" % ((name,) + sys.version_info[:2]))
    if sys.platform == "win32":
        sys.exit(name + ": runs on Linux and macOS; on Windows, run it within WSL2")


def run(main):
    """Call main(arguments) and exit with the code it returns. UserError: its message and code."""
    from errors import UserError

    sys.stdout.reconfigure(line_buffering=True)  # each line when it is printed, into a pipe too
    name = os.path.basename(sys.argv[0])
    debug = "--debug" in sys.argv
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        if debug:
            raise
        sys.exit(_complain(name, error, error.exit_code))
    except ModuleNotFoundError as error:
        if debug or os.path.exists(os.path.join(HERE, "%s.py" % error.name)):
            raise
        sys.exit(_complain(name, "the package %s is not installed here; %s" % (error.name, _how_to_install()), 1))
    except OSError as error:
        if debug:
            raise
        sys.exit(_complain(name, error, 1))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


def _complain(name, message, code):
    print("%s: error: %s" % (name, message), file=sys.stderr)
    return code


def _how_to_install():
    if os.path.exists(os.path.join(HERE, ".venv", "bin", "python")):
        return "type: source %s" % os.path.relpath(os.path.join(HERE, ".venv", "bin", "activate"))
    return "type: make -C %s setup, then: source %s" % (
        os.path.relpath(HERE),
        os.path.relpath(os.path.join(HERE, ".venv", "bin", "activate")),
    )
