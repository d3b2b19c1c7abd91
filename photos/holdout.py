"""Which photos train, and which are held out, so that an evaluation has faces that the network never saw."""

import csv
import hashlib
import os
import re

import numpy as np

from errors import UserError
from photos.names import encoded

PARTS = {"train": "0", "val": "1", "test": "2"}  # of CelebA's list_eval_partition
NO_PERSON = r"(?i).*\.(rec|zip|tar|parquet|tsv|tgz|tar\.\w+)|(img|images?|faces?|photos?|aligned|raw)(_\w*)?"
LISTS = ("list_eval_partition.txt", "list_eval_partition.csv")


def person(name):
    """Whom a photo shows, by its name.

    It is the folder that the photo lies in, or, of an aligned face, what stands before the last __.
    Containers and folders for all, such as `images`, are no persons: without another one, each photo stands for itself.
    """
    folder, base = os.path.split(name)
    prefix = base.rpartition("__")[0]
    parts = [part for part in [*folder.split("/"), *prefix.split("__")] if part and not re.fullmatch(NO_PERSON, part)]
    return "/".join(parts) or base


def split(folder, names, hold_out=None, partition=None, before=None):
    """Divide photos, by their names, into (indices of those that train, of those held out), both ascending.

    folder: the folder of the photos or of their container
    hold_out: hold out about so many photos, as whole persons, chosen by a hash of the person
    partition: train on this part of CelebA's list_eval_partition; "test" is held out, or "val" if "test" trains
    before: the photos that were held out when the run began; whom they show stays held out

    Raises UserError for both at once, and for a partition without its list or without images in it.
    """
    if partition and hold_out:
        raise UserError("--partition and --hold_out: give one of them; --partition holds out a part of its own")
    if partition:
        listed = read_partition(folder)
        parts = np.array([listed.get(listed_name(name), "") for name in names])
        chosen = np.flatnonzero(parts == PARTS[partition])
        if not len(chosen):
            raise UserError(f"--partition {partition}: the list has none of the images in {folder}, such as {names[0]}")
        return chosen, np.flatnonzero(parts == PARTS["val" if partition == "test" else "test"])
    if not hold_out:
        return slice(None), []
    held = {person(name) for name in before} if before else choose_persons(names, hold_out)
    is_held = np.fromiter((person(name) in held for name in names), bool, len(names))
    if before and not is_held.any():
        raise UserError(
            f"--hold_out: none of the {len(before):,} photos that this run holds out is in {folder}, so they may be "
            "there under other names; give the data set as it was named before, or begin a new run with --name"
        )
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def choose_persons(names, number):
    """Persons with about `number` photos in all, in the order of a hash of their names."""
    photos = {}
    for name in names:
        photos[person(name)] = photos.get(person(name), 0) + 1
    chosen, so_far = set(), 0
    for name in sorted(photos, key=lambda name: hashlib.sha256(encoded(name)).digest()):
        if so_far >= number:
            break
        chosen.add(name)
        so_far += photos[name]
    return chosen


def listed_name(path):
    """The name of a photo in CelebA's lists: 000001.jpg for person__000001.jpg.png, an aligned face."""
    name = os.path.basename(path).rpartition("__")[2]
    return re.sub(r"(\.\w+)\.png$", r"\1", name)


def read_partition(folder):
    """{name: its part as text} of list_eval_partition, in the folder of the images or one above. Raises UserError."""
    for place in (folder, os.path.join(folder, os.pardir)):
        for name in LISTS:
            path = os.path.join(place, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace", newline="") as file:
                    rows = csv.reader(file, delimiter="," if name.endswith(".csv") else " ", skipinitialspace=True)
                    return {row[0]: row[1].strip() for row in rows if len(row) > 1}
    raise UserError(f"--partition: no {' or '.join(LISTS)} in {folder} or the folder above; put CelebA's list there")
