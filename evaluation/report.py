"""Evaluating checkpoints: the table of each, its files, and the curves over the steps."""

import json
import os
import sys

import numpy as np

import utils
from errors import DamagedError, UserError
from evaluation import inception, metrics
from evaluation.real import RealFaces
from recognition import dlib_features
from runs.files import SETTINGS, latest_steps
from runs.loading import load_model, settings_of
from runs.network import describe, find_network
from runs.summaries import COMPARABLE, Summaries, tensorboard_command
from sampling import generation, latents

SHEET = 64  # samples on the sheet
WORDS = {
    "face rate": "share of images in which dlib's detector finds a face",
    "FDD": "Frechet distance of dlib's 128 features; real: the distance of two real sets of n",
    "precision": "share of generated faces among the real ones' neighbours",
    "recall": "share of real faces among the generated ones' neighbours",
    "1-NN accuracy": "how well a nearest neighbour tells them apart; 0.5 is perfect",
    "FID": "Frechet distance of Inception's features",
}


def evaluate_steps(checkpoint_dir, settings):
    """Evaluate the checkpoints of a training that settings.steps names: print their tables and write their files.

    settings: an EvaluationSettings

    Raises UserError.
    """
    chosen = [find_network(checkpoint_dir, step) for step in choose_steps(checkpoint_dir, settings.steps)]
    if settings.steps:
        describe(chosen[-1])
    shape = settings_of(chosen[-1])
    real = RealFaces(checkpoint_dir, shape["image_size"], shape["c_dim"], settings)
    if real.n < COMPARABLE:
        print(f"n = {real.n:,}: these numbers do not compare with tables that were made with n = {COMPARABLE:,}")
    curve = Curve(os.path.join(settings.log_dir, "evaluation"), chosen[0].step) if settings.steps else None
    for network in chosen:
        try:
            result = evaluate(network, real)
        except DamagedError as error:
            if len(chosen) == 1:
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


def measure(dcgan, real):
    """Compare n generated faces with the real ones -> ({name: number}, the images, their features)."""
    images = generation.generate(dcgan, latents.draw(real.settings.seed, range(real.n), dcgan.z_dim))
    features = dlib_features.features(images, what="generated faces")
    numbers = {"face rate": float(real.has_face(images, what="generated faces").mean())}
    return numbers | metrics.compare(real.features[real.compared], features), images, features


def evaluate(network, real):
    """Evaluate a network.Network: print its table, write its files -> the numbers."""
    step, settings = network.step, real.settings
    generated, images, features = measure(load_model(network), real)
    if settings.inception:
        print(f"FID: {inception.PROTOCOL}")
        rows = inception.features(real.network, images)
        generated["FID"] = metrics.frechet_distance(real.inception_features[0], rows)
    nearest, distances = metrics.nearest(features, real.features)
    name, others = real.other_distances
    result = {
        "step": step,
        "n": real.n,
        "seed": settings.seed,
        "real faces": len(real.faces),
        "generated": generated,
        "real": real.table,
        "nearest training face": {
            kind: {f"{share} %": round(float(np.percentile(values, share)), 4) for share in (1, 10, 50, 90)}
            for kind, values in ((f"{real.n:,} generated faces", distances), (name, others))
        },
    }
    print_table(result)
    path = os.path.join(settings.out or network.directory, f"evaluation-{step}")
    write_files(path, result, images, nearest, real.faces)
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
        self.summaries.evaluation(result["step"], result["generated"], result["n"])
