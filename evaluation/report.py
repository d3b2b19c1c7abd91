"""Evaluating checkpoints: the table of each, its files, and the curves over the steps."""

import json
import os
import sys

import numpy as np

import utils
from errors import DamagedError, UserError
from evaluation import dlib_features, inception, metrics
from evaluation.real import RealFaces
from runs.files import SETTINGS, latest_steps
from runs.loading import load_model
from runs.summaries import Summaries, tensorboard_command
from sampling import generation, latents

COMPARABLE = 2000  # n of the tables in docs/
SHEET = 64  # samples on the sheet
WORDS = {
    "face rate": "share of images in which dlib's detector finds a face",
    "FDD": "Frechet distance of dlib's 128 features; real: the distance of two real sets of n",
    "precision": "share of generated faces among the real ones' neighbours",
    "recall": "share of real faces among the generated ones' neighbours",
    "1-NN accuracy": "how well a nearest neighbour tells them apart; 0.5 is perfect",
    "FID": "Frechet distance of Inception's features",
}


def evaluate_steps(checkpoint_dir, steps, seed, log_dir, out=None, cache_dir=None, **settings):
    """Evaluate checkpoints of a training: print their tables and write their files.

    out: the folder of the files; None: checkpoint_dir
    cache_dir: folder where features are kept; None: out
    steps: which, "all" or a list such as "500,1000", whose curves go to log_dir; None: the newest
    seed: of the generated faces
    settings: those of real.RealFaces

    Raises UserError.
    """
    chosen = choose_steps(checkpoint_dir, steps)
    dcgan = load_model(checkpoint_dir, chosen[-1])[0]
    real = RealFaces(checkpoint_dir, dcgan, cache_dir=cache_dir or out, **settings)
    if real.n < COMPARABLE:
        print(f"n = {real.n:,}: these numbers do not compare with tables that were made with n = {COMPARABLE:,}")
    curve = Curve(os.path.join(log_dir, "evaluation"), chosen[0]) if steps else None
    for step in chosen:
        try:
            result = evaluate(checkpoint_dir, step, seed, real, out)
        except DamagedError as error:
            if chosen == [step]:
                raise
            print(error, file=sys.stderr)
            continue
        if curve:
            curve.add(result)


def choose_steps(checkpoint_dir, steps):
    """The checkpoints that --steps names, ascending. [None]: the newest. Raises UserError for missing ones."""
    if steps is None:
        return [None]
    there = latest_steps(checkpoint_dir)
    chosen = there if steps == "all" else latents.parse_numbers(steps, "--steps")
    missing = sorted(set(chosen) - set(there))
    if missing or not chosen or not os.path.exists(os.path.join(checkpoint_dir, SETTINGS)):
        shown = ", ".join(map(str, there)) or "none"
        raise UserError(f"--steps {steps}: no such checkpoint in {checkpoint_dir} (there: {shown})")
    return sorted(chosen)


def measure(dcgan, real, seed):
    """Compare n generated faces with the real ones -> ({name: number}, the images, their features)."""
    images = generation.generate(dcgan, latents.draw(seed, range(real.n), dcgan.z_dim))
    features = dlib_features.features(images, what="generated faces")
    numbers = {"face rate": float(real.has_face(images, what="generated faces").mean())}
    return numbers | metrics.compare(real.features[real.compared], features), images, features


def evaluate(checkpoint_dir, step, seed, real, out=None):
    """Evaluate one checkpoint: print its table, write its files -> the numbers."""
    dcgan, step = load_model(checkpoint_dir, step)
    generated, images, features = measure(dcgan, real, seed)
    if real.inception_weights:
        print(f"FID: {inception.PROTOCOL}")
        rows = inception.features(real.network, images)
        generated["FID"] = metrics.frechet_distance(real.inception_features[0], rows)
    nearest, distances = metrics.nearest(features, real.features)
    name, others = real.other_distances
    result = {
        "step": step,
        "n": real.n,
        "seed": seed,
        "real faces": len(real.faces),
        "generated": generated,
        "real": real.table,
        "nearest training face": {
            kind: {f"{share} %": round(float(np.percentile(values, share)), 4) for share in (1, 10, 50, 90)}
            for kind, values in ((f"{real.n:,} generated faces", distances), (name, others))
        },
    }
    print_table(result)
    write_files(os.path.join(out or checkpoint_dir, f"evaluation-{step}"), result, images, nearest, real.faces)
    return result


def print_table(result):
    """Print what was found."""
    n, seed = result["n"], result["seed"]
    print(f"\nstep {result['step']:,}: {n:,} generated faces (seed {seed}) against the same number of real ones")
    print(f"{'':15}{'generated':>10}{'real':>10}")
    for name, value in result["generated"].items():
        print(f"{name:15}{value:10.4f}{result['real'][name]:10.4f}  {WORDS[name]}")
    print(f"distance to the nearest of {result['real faces']:,} training faces, at 1, 10, 50 and 90 % of them:")
    for name, shares in result["nearest training face"].items():
        print(f"  {'  '.join(f'{value:.3f}' for value in shares.values())}  {name}")


def write_files(path, result, images, nearest, faces):
    """Write the table as JSON, and a sheet of samples with the nearest training face at the right of each."""
    pairs = [image for k, index in enumerate(nearest[:SHEET]) for image in (images[k], faces[index])]
    utils.save_image(utils.merge(np.stack(pairs), 16), path + ".png")
    utils.write_text(path + ".json", json.dumps(result, indent=1) + "\n")
    print(f"{path}.json, and samples beside their nearest training faces in {path}.png")


class Curve:
    """The numbers of every step for TensorBoard. They replace those of an earlier evaluation."""

    def __init__(self, folder, first):
        os.makedirs(folder, exist_ok=True)
        self.summaries = Summaries(folder, first - 1)
        print(f"the curves: {tensorboard_command(os.path.dirname(folder))}")

    def add(self, result):
        """Add the numbers of one step."""
        self.summaries.evaluation(result["step"], result["generated"])
