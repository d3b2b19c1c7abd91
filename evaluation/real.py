"""The real faces of an evaluation: which ones, and their features, kept in files between evaluations."""

import functools
import hashlib
import os
import sys

import numpy as np

import utils
from errors import UserError, printable
from evaluation import inception, metrics
from photos import decoding, holdout
from photos.dataset import ImageData
from recognition import dlib_features
from runs.files import HELD_OUT, folders_written, read_json, read_settings

POOL = 20_000  # real faces whose features are computed, at most


class RealFaces:
    """Real faces to compare generated ones with, and what other real faces get: the floor of each number.

    checkpoint_dir: of the training; its settings say how images were cropped
    image_size, c_dim: those of the network's images
    settings: an EvaluationSettings

    Raises UserError for too few faces.
    """

    def __init__(self, checkpoint_dir, image_size, c_dim, settings):
        self.checkpoint_dir, self.settings = checkpoint_dir, settings
        self.image_size, self.c_dim = image_size, c_dim
        self.cache_dir = settings.cache_dir or settings.out or checkpoint_dir
        self.training = read_settings(checkpoint_dir) or {}
        dataset = settings.dataset
        before = read_json(checkpoint_dir, HELD_OUT, list)
        parts = {name: self.training.get(name) for name in ("hold_out", "partition")}
        split = functools.partial(holdout.split, before=before, **parts)
        self.faces = self.find(dataset, "--dataset", split, self.training.get("train_size"))
        self.n = min(settings.n, len(self.faces) // 2)
        if self.n < settings.n:
            print(f"{len(self.faces):,} real faces are enough for n = {self.n:,} of each kind, not {settings.n:,}")
        if self.n < 10:
            raise UserError(f"--dataset {dataset}: {len(self.faces)} faces are too few to compare with")
        if settings.inception:
            if self.n < inception.LEAST:
                raise UserError(
                    f"--inception: FID needs at least {inception.LEAST:,} faces of each kind, not {self.n}; give --n"
                )
            self.network = inception.load(settings.inception)
        self.compared, self.floor = slice(0, self.n), slice(self.n, 2 * self.n)
        self.features = self.features_of(self.faces, "real faces")
        detect = functools.partial(self.has_face, what="real faces")
        found = self.cached(f"detector {self.n}", self.faces, lambda faces: detect(faces[self.compared]))
        self.face_rate = float(found.mean())
        held = self.find(settings.held_out, "--held_out") if settings.held_out else None
        if not held and len(self.faces.data.held_out):
            held = self.find(dataset, "--dataset", lambda folder, names: split(folder, names)[::-1])
        self.held_out_features = self.features_of(held, "held-out faces") if held else None

    def find(self, folder, flag, split=None, train_size=None):
        """Up to POOL faces of a folder, in a fixed random order, as training reads them; broken files left out.

        split: as in ImageData
        """
        data = ImageData(
            folder,
            image_size=self.image_size,
            c_dim=self.c_dim,
            batch_size=1,
            seed=0,
            train_size=train_size,
            crop=self.training.get("crop"),
            cache="off",
            max_bad=1,
            split=split,
            leave_out=[self.checkpoint_dir, *folders_written(self.checkpoint_dir)],
            flag=flag,
        )
        return Faces(data, np.random.default_rng(0).permutation(len(data.photos))[:POOL])

    def has_face(self, images, what):
        """In which images dlib's detector finds a face."""
        return dlib_features.has_face(images, self.settings.workers, what)

    def features_of(self, faces, what):
        """dlib's features of faces, from a file if they were computed before."""
        return self.cached("features", faces, functools.partial(dlib_features.features, what=what))

    def cached(self, name, faces, compute):
        """compute(faces), an array; from a file in cache_dir if it was computed before for these very photos."""
        contents = faces.data.photos.state()
        protocol = name, dlib_features.PROTOCOL, self.image_size, self.c_dim, faces.data.crop, POOL
        key = hashlib.sha256(repr((contents, protocol)).encode(errors="replace")).hexdigest()[:16]
        path = os.path.join(self.cache_dir, f"real-{key}.npz")
        if os.path.exists(path):
            try:
                with np.load(path, allow_pickle=False) as kept:
                    return kept["values"]
            except Exception as error:  # truncated, for example
                print(f"{path}: can't be used ({error}); computing it again", file=sys.stderr)
        values = compute(faces)
        os.makedirs(self.cache_dir, exist_ok=True)
        with utils.whole_file(path) as file:
            np.savez(file, values=values)
        return values

    @functools.cached_property
    def table(self):
        """What the floor's real faces get against those to compare with."""
        numbers = metrics.compare(self.features[self.compared], self.features[self.floor])
        if self.settings.inception:
            numbers["FID"] = metrics.frechet_distance(*self.inception_features)
        return {"face rate": self.face_rate} | numbers

    @functools.cached_property
    def inception_features(self):
        """Inception features of the faces to compare with, and of the floor's."""

        def compute(faces):
            return np.stack([inception.features(self.network, faces[part]) for part in (self.compared, self.floor)])

        weights = b""
        if os.path.exists(self.settings.inception):
            with open(self.settings.inception, "rb") as file:
                weights = file.read()
        name = inception.PROTOCOL, hashlib.sha256(weights).hexdigest(), self.n
        return self.cached(name, self.faces, compute)

    @functools.cached_property
    def other_distances(self):
        """(description, distances to the nearest training face) of real faces, to compare generated ones with."""
        if self.held_out_features is None:
            rows = self.features[self.compared]
            name = f"{len(rows):,} training faces, to the nearest other"
            return name, metrics.nearest(rows, self.features, leave_one_out=True)[1]
        name = f"{len(self.held_out_features):,} held-out faces"
        return name, metrics.nearest(self.held_out_features, self.features)[1]


class Faces:
    """Images of an ImageData in an order, decoded on demand: uint8 [image_size, image_size, c_dim] each."""

    def __init__(self, data, order):
        self.data, self.order, bad = data, [], []
        for index in order:
            try:
                data.decode(index)
                self.order.append(index)
            except decoding.PhotoError as error:
                bad.append(f"{data.names[index]} ({error})")
        if bad:
            print(f"{data.photos.path}: left out {len(bad):,} files that do not decode, such as {printable(bad[0])}")

    def __len__(self):
        return len(self.order)

    def __getitem__(self, which):
        if isinstance(which, slice):
            return [self.data.decode(index) for index in self.order[which]]
        return self.data.decode(self.order[which])
