"""Which photos train, and which are held out, so that an evaluation has faces that the network never saw."""

import csv
import hashlib
import os
import re

import numpy as np

from errors import UserError

PARTS = {"train": "0", "val": "1", "test": "2"}  # of CelebA's list_eval_partition
FOR_ALL = (
    r"(?i)\.(rec|zip|tar|parquet|tar\.\w+|tgz)((/|__)(img|images|faces)\w*)?$"  # the folder of a photo without a person
)
LISTS = ("list_eval_partition.txt", "list_eval_partition.csv")


def person(path):
    """Whom a photo shows: the folder that it lies in, or what stands before the last __ of an aligned name.

    A container is no person, nor is a folder for all in an archive, as CelebA's: there each photo stands for itself.
    """
    folder, name = os.path.split(path)
    folder = folder or name.rpartition("__")[0]
    return path if re.search(FOR_ALL, folder) else folder or path


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
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def choose_persons(names, number):
    """Persons with about `number` photos in all, in the order of a hash of their names."""
    photos = {}
    for name in names:
        photos[person(name)] = photos.get(person(name), 0) + 1
    chosen, so_far = set(), 0
    for name in sorted(photos, key=lambda name: hashlib.sha256(os.fsencode(name)).digest()):
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
