#!/usr/bin/env python3
"""Crop faces out of photos, aligned as OpenFace aligns them, ready for train-dcgan.py.

    ./align_faces.py data/your-dataset/raw data/your-dataset/aligned

Takes a folder of photos, at any depth, or a container of photos: a .rec, .zip, .tar, .tar.gz, .parquet
or .tsv file, or a folder of such files. It fills one flat folder with 64x64 PNGs, one for each photo in
which it finds a face. It does not change the photos. The same
command again aligns the remaining ones. report.csv in the output folder says what became of each photo.
"""

import os
import shlex

import cli.program
from alignment.settings import LANDMARKS, AlignSettings
from cli.flags import Parser, add_flag, check_writable
from cli.kinds import text
from cli.settings import add_settings, from_options
from errors import UserError

folder, models, openface = map(cli.program.Later, ("alignment.folder", "alignment.models", "alignment.openface"))
INSTEAD = {  # flags of OpenFace's align-dlib.py
    "--dlibFacePredictor": "type --predictor",
    "--verbose": "leave it out; report.csv says what became of each photo",
    "--fallbackLfw": "leave it out; report.csv says in which photos no face was found",
}


def __getattr__(name):
    """The original's `from align_faces import AlignDlib`."""
    if name != "AlignDlib":
        raise AttributeError(name)
    return openface.AlignDlib


def flags():
    """The command line."""
    parser = Parser(__doc__, instead=INSTEAD)
    add_settings(parser, AlignSettings)
    add_flag(parser, "inspect", text("FILE"), None, "write a grid of 64 of the faces, a PNG")
    return parser


def refuse_openface_order(arguments):
    """Raise UserError with the equivalent of OpenFace's `INPUT align LANDMARKS OUTPUT`."""
    for i in range(len(arguments) - 3):
        source, command, landmarks, output = arguments[i : i + 4]
        if command == "align" and landmarks in LANDMARKS:
            words = [*arguments[:i], source, output, "--landmarks", landmarks, *arguments[i + 4 :]]
            raise UserError(f"this is the order of OpenFace; type: ./align_faces.py {shlex.join(words)}")


def check(settings, inspect):
    """Refuse, before any work, what can't be done. Raises UserError, ModuleNotFoundError."""
    if not os.path.exists(settings.input):
        raise UserError(f"input {settings.input}: no such folder or file")
    folders = [os.path.realpath(folder) for folder in (settings.input, settings.output)]
    if folders[0] == folders[1]:
        raise UserError(f"{settings.output}: the output must be another folder than the input")
    if inspect:
        path, name = os.path.realpath(inspect), f"--inspect {inspect}"
        if any(os.path.commonpath([path, folder]) == folder for folder in folders):
            raise UserError(f"{name}: must lie outside the input and the output, away from photos and faces")
        check_writable("--inspect", inspect, ".png", replaces=True)  # the same command goes on
    if settings.predictor and not os.path.isfile(settings.predictor):
        raise UserError(f"--predictor {settings.predictor}: no such file")
    if settings.predictor:
        openface.AlignDlib(settings.predictor)  # raises for a bad model
    else:
        models.find_model()


def main(arguments):
    """Align. Returns the exit code."""
    refuse_openface_order(arguments)
    options = flags().parse_args(arguments)
    settings = from_options(AlignSettings, options)
    check(settings, options.inspect)
    return folder.align_folder(settings, options.inspect)


if __name__ == "__main__":
    cli.program.run(main, less_memory="fewer --workers")
