"""Directions of z with names: more of one thing that can be measured in a face, and no more of the others.

Samples are drawn and measured (recognition/landmarks.py), and each measure is regressed on z. The direction of a
measure is the shortest that raises it and leaves the fitted others as they are, corrected by what it does to some
pictures. What does not work on unseen z is dropped.
"""

import hashlib
import os
import re
from collections import namedtuple

import numpy as np

import utils
from cli.progress import Progress
from errors import UserError
from recognition import dlib_features, landmarks
from sampling import generation, latents

FILE = "directions.npz"  # beside the checkpoint
SAMPLES = 2048  # that the regression is fitted to
CORRECTED = 128  # of them, on which the directions are corrected for what is not linear
UNSEEN = 500  # z that the directions are tried on
PERSONS = 64  # of them, whose features are compared
SEED = 2**31  # of their z, which no seed of generate.py's first pictures shares
RIDGE = 0.02  # against the variance of z
FEWEST_FACES = 0.5  # share of the samples in which a face must be found
STEPS = 4 + len(landmarks.MEASURES)  # of `find`
SPAN = 2.5  # standard deviations that a measure moves from -1 to 1, at most
LEAST, MOST_OTHER = 1.0, 0.3  # the same, at least, and of every other measure at most


class Directions(namedtuple("Directions", "names vectors changes persons")):
    """Named directions of a network's z.

    names: list of str, some of landmarks.MEASURES, and the user's own
    vectors: float32 [K, z_dim]; z + t * vector, t from -1 to 1, then clipped to [-1, 1]
    changes: float32 [K, len(MEASURES)], by how many standard deviations each measure moves from t = -1 to t = 1
    persons: float32 [K], the mean distance of dlib's features between the two ends

    The last two are NaN for the user's own.
    """

    def vector(self, name):
        """The direction of a name [z_dim]. Raises UserError."""
        if name not in self.names:
            raise UserError(f"--direction {name}: neither a file nor one of {', '.join(self.names)}")
        return self.vectors[self.names.index(name)]

    def with_own(self, name, vector):
        """These, and one of the user's own. Raises UserError for a name that is taken, or that a flag can't take."""
        taken = {word.lower() for measure, (_, label) in landmarks.MEASURES.items() for word in (measure, label)}
        if not re.fullmatch(r"\w[\w-]{0,19}", name):
            raise UserError(f"{name or 'no name'}: a name has up to 20 letters, digits, - and _")
        if name.lower() in taken | {name.lower() for name in self.names}:
            raise UserError(f"{name}: there is a direction of that name; take another one")
        unknown = np.full([1, len(landmarks.MEASURES)], np.nan, np.float32)
        vectors, changes = np.vstack([self.vectors, vector[None]]), np.vstack([self.changes, unknown])
        return Directions([*self.names, name], vectors, changes, np.append(self.persons, unknown[0, :1]))


def find(dcgan):
    """Measure the Directions of a network: a generator that yields up to STEPS times as it goes on, and returns them.

    Raises UserError if the network draws no faces.
    """
    with landmarks.Landmarks() as finder:
        z = latents.draw(SEED, range(SAMPLES + UNSEEN), dcgan.z_dim)
        fitted, unseen = z[:SAMPLES], z[SAMPLES:]
        pictures = generation.generate(dcgan, fitted)
        yield
        points, faces = finder.find(pictures)
        yield
        if faces.mean() < FEWEST_FACES:
            raise UserError(
                f"dlib finds a face in {faces.mean():.0%} of this network's pictures, too few to measure faces by them"
            )
        measures = landmarks.measure(points, pictures)[faces]
        spread = measures.std(axis=0)
        works = spread > 1e-6  # there is no warmth in gray pictures
        candidates = unmixed(fitted[faces], measures[:, works] / spread[works]) * (SPAN / 2)
        unseen = unseen[finder.find(generation.generate(dcgan, unseen))[1]]
        yield
        spread = np.where(works, spread, 1)
        names = [name for name, work in zip(landmarks.MEASURES, works) if work]
        z = fitted[faces][:CORRECTED]
        effects = np.stack([effect(dcgan, finder, z, vector, spread)[works] for vector in candidates])
        candidates = SPAN * np.linalg.solve(effects, candidates)  # one step of Newton: none moves another's measure
        yield
        kept = []
        for name, vector in zip(names, candidates.astype(np.float32)):
            found = tried(dcgan, finder, unseen, vector, [*landmarks.MEASURES].index(name), spread)
            kept += [(str(name), *found)] if found else []
            yield
    if not kept:
        raise UserError("no direction of this network does what its name says")
    names, vectors, changes = zip(*kept)
    return Directions(list(names), np.stack(vectors), np.stack(changes), persons(dcgan, unseen[:PERSONS], vectors))


def unmixed(z, measures):
    """The shortest directions that raise one measure by 1 each, and leave the others: [M, z_dim], by least squares.

    z: [N, z_dim]
    measures: [N, M], in standard deviations
    """
    variance = len(z) / 3  # times that of uniform on [-1, 1)
    ridge = RIDGE * variance * np.eye(z.shape[1])
    weights = np.linalg.solve(z.T @ z + ridge, z.T @ (measures - measures.mean(axis=0)))
    return np.linalg.pinv(weights).astype(np.float32)


def tried(dcgan, finder, z, vector, own, spread):
    """What a direction does to unseen z -> (vector, changes), or None if it does not work.

    It is shortened if it moves another measure too much. own: the number of its measure
    """
    for _ in range(2):
        changes = effect(dcgan, finder, z, vector, spread)
        most = np.abs(np.delete(changes, own)).max()
        if most <= MOST_OTHER:
            return (vector, changes) if changes[own] >= LEAST else None
        vector = vector * (0.9 * MOST_OTHER / most)
    return None


def effect(dcgan, finder, z, vector, spread):
    """By how many of their standard deviations, `spread`, a direction moves all measures from end to end [M]."""
    before, after = (
        landmarks.measure(finder.find(pictures, detect=False)[0], pictures) for pictures in ends(dcgan, z, vector)
    )
    return ((after - before) / spread).mean(axis=0)


def persons(dcgan, z, vectors):
    """The mean distance of dlib's features between the two ends of each direction [K]."""
    pictures = np.concatenate([end for vector in vectors for end in ends(dcgan, z, vector)])
    features = dlib_features.features(pictures, "moved faces").reshape(len(vectors), 2, len(z), -1)
    return np.linalg.norm(features[:, 1] - features[:, 0], axis=-1).mean(axis=-1)


def ends(dcgan, z, vector):
    """The pictures of z with the least and with the most of a direction."""
    return [generation.generate(dcgan, moved(z, end * vector)) for end in (-1, 1)]


def moved(z, step):
    """z moved, and kept within [-1, 1]."""
    return (z + step).clip(-1, 1).astype(np.float32)


def fingerprint(network):
    """What identifies a network.Network's checkpoint: its step, and a digest of its index, which holds checksums."""
    path = next(path for path in (f"{network.prefix}.index", network.prefix) if os.path.exists(path))
    with open(path, "rb") as file:
        return f"{network.step} {hashlib.sha256(file.read()).hexdigest()}"


def load(network):
    """The Directions kept beside a network.Network; None if there are none, or those of another checkpoint."""
    path = os.path.join(network.directory, FILE)
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["checkpoint"]) != fingerprint(network):
                return None
            return Directions(kept["names"].tolist(), kept["vectors"], kept["changes"], kept["persons"])
    except Exception:  # missing, damaged, of another version: they can be found again
        return None


def save(network, directions, checkpoint):
    """Keep Directions beside a network.Network -> the path. checkpoint: its fingerprint. Raises OSError."""
    path = os.path.join(network.directory, FILE)
    with utils.whole_file(path) as file:
        np.savez(file, checkpoint=checkpoint, **directions._asdict())
    return path


def of(network, dcgan):
    """The Directions of a network.Network: those that are kept, or else found now, and kept where that is allowed.

    A generator like `find`.
    """
    if directions := load(network):
        return directions
    dlib_features.check_installed()
    checkpoint = fingerprint(network)  # before a training may have removed it
    directions = yield from find(dcgan)
    try:
        print(f"directions: {', '.join(directions.names)}, kept in {save(network, directions, checkpoint)}")
    except OSError as error:
        print(f"warning: the directions can't be kept in {network.directory} ({error.strerror.lower()})")
    return directions


def found(network, dcgan):
    """What `of` returns, with a bar while it is being found."""
    work, progress = of(network, dcgan), Progress("directions", STEPS)
    try:
        while True:
            next(work)
            progress.advance()
    except StopIteration as end:
        return end.value
    finally:
        progress.close()
