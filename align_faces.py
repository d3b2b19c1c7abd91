#!/usr/bin/env python3
"""Crop faces out of photos, aligned as OpenFace aligns them, ready for train-dcgan.py.

    ./align_faces.py data/your-dataset/raw data/your-dataset/aligned

Takes a folder of photos, at any depth, or a container of photos: a .rec, .zip, .tar, .tar.gz, .parquet
or .tsv file, or a folder of such files. It fills one flat folder with 64x64 PNGs, one for each photo in
which it finds a face. It does not change the photos. The same
command again aligns the remaining ones. report.csv in the output folder says what became of each photo.
"""

import os
import re
import shlex

import cli.program
from alignment import openface
from alignment.openface import LANDMARKS, AlignDlib  # AlignDlib: the original's `from align_faces import AlignDlib`
from alignment.settings import AlignSettings
from cli.flags import add_flag, check_writable, script_parser
from cli.kinds import Kind, one_of, text, whole
from errors import UserError

INSTEAD = {  # flags of OpenFace's align-dlib.py
    "--dlibFacePredictor": "type --predictor",
    "--verbose": "leave it out; report.csv says what became of each photo",
    "--fallbackLfw": "leave it out; report.csv says in which photos no face was found",
}


def flags():
    """The command line."""
    parser = script_parser(__doc__, instead=INSTEAD)
    parser.add_argument("input", help="folder of photos, or a container of photos")
    parser.add_argument("output", help="folder for the aligned faces")

    def add(name, kind, default, help):
        add_flag(parser, name, kind, default, help)

    add("size", whole(8, 1024), 64, "height and width of the faces in pixels")
    add(
        "landmarks",
        one_of(*LANDMARKS),
        "innerEyesAndBottomLip",
        "the landmarks that are moved to their mean places",
    )
    add("skipMulti", None, False, "leave out photos with more than one face")
    add("upsample", whole(0, 4), 1, "how often to double the photo's size before detection; 2 finds smaller faces")
    add("min_size", whole(0), 0, "leave out faces with fewer pixels per side")
    add("predictor", text("PATH"), None, "a 68-landmark model of your own")
    add("workers", whole(1), None, "processes (default: one per core)")
    add("shard", SHARD, None, "align only the K-th of N parts, for N machines with one output folder")
    add("retry", None, False, "try again the photos that gave no face: none found, skipped or unreadable")
    add("inspect", text("FILE"), None, "write a grid of 64 of the faces, a PNG")
    return parser


def _shard(text):
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match:
        raise ValueError
    return int(match[1]), int(match[2])


SHARD = Kind(_shard, "K/N with K from 1 to N, such as 3/16", lambda shard: 1 <= shard[0] <= shard[1], "K/N")


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
        check_writable("--inspect", inspect, ".png")
    if settings.predictor and not os.path.isfile(settings.predictor):
        raise UserError(f"--predictor {settings.predictor}: no such file")
    if settings.predictor:
        AlignDlib(settings.predictor)  # raises for a bad model
    else:
        openface.find_model()


def cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main(arguments):
    """Align. Returns the exit code."""
    refuse_openface_order(arguments)
    options = vars(flags().parse_args(arguments))
    del options["debug"]
    inspect = options.pop("inspect")
    settings = AlignSettings(**options | dict(workers=options["workers"] or cores(), shard=options["shard"] or (1, 1)))
    check(settings, inspect)
    from alignment import folder, inputs

    photos = inputs.Input(settings)
    cli.program.raise_on_signals()
    return folder.align_folder(settings, photos, inspect)


if __name__ == "__main__":
    cli.program.run(main, less_memory="fewer --workers")
