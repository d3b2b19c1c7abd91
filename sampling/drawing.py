"""What generate.py writes: pictures, a grid, their z, the generator."""

import os

import numpy as np

import utils
from recognition import dlib_features
from runs.loading import load_model
from sampling import figures, generation, latents
from sampling.onnx_export import export_onnx

BEST = 16  # pictures whose numbers --rank prints


def draw(network, options):
    """Draw, and print what was written. Raises UserError.

    network: a network.Network
    options: generate.py's flags
    """
    dcgan, step = load_model(network), network.step
    if options.z:
        z = latents.load(options.z, dcgan.z_dim)
        numbers = range(len(z))
    else:
        numbers = latents.parse_numbers(options.seeds, "--seeds") if options.seeds else range(options.n)
        numbers = list(dict.fromkeys(numbers))  # a picture that is named twice is drawn once
        z = latents.draw(options.seed, numbers, dcgan.z_dim)
    names = [f"{i:05d}.png" for i in numbers]
    if options.rank:
        scores, order = ranked(dcgan, z)
        z = z[order]
        numbers = [numbers[i] for i in order]
        names = [f"{rank:05d}_{scores[i]:.3f}_{names[i]}" for rank, i in enumerate(order)]
        print(f"D's scores: best {scores.max():.3f}, median {np.median(scores):.3f}")
        if not options.z:
            print(f"the best, for --seeds: {','.join(map(str, numbers[:BEST]))}")
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        for first in range(0, len(z), generation.BATCH):
            part = slice(first, first + generation.BATCH)
            for pixels, name in zip(generation.generate(dcgan, z[part]), names[part]):
                utils.save_image(pixels, os.path.join(options.out, name))
        print(f"{len(z):,} pictures of step {step} in {options.out}")
    if options.grid:
        pictures = generation.generate(dcgan, z)
        pictures = figures.captioned(pictures, numbers) if options.numbers else pictures
        utils.save_image(utils.merge(pictures, options.columns), options.grid)
        print(f"{len(z):,} pictures of step {step} in {options.grid}")
    if options.save_z:
        latents.save(options.save_z, z)
        print(f"their z in {options.save_z}")
    if options.export:
        export(dcgan, options.export)


def ranked(dcgan, z):
    """D's scores of pictures, and their order: those in which dlib's detector finds a face first, each by D's score.

    Where dlib is not installed, all of them by D's score. Prints which.
    """
    scores = generation.scores(dcgan, z)
    try:
        dlib_features.check_installed()
    except ModuleNotFoundError:
        print("ordered by D's score alone, since dlib is not installed; it says little about quality")
        return scores, scores.argsort(kind="stable")[::-1]
    found = dlib_features.has_face(generation.generate(dcgan, z), what="pictures")
    print(f"first the {found.sum():,} of {len(z):,} in which dlib's detector finds a face; each group by D's score")
    return scores, np.lexsort([scores, found])[::-1]


def export(dcgan, path):
    """Write the generator as an ONNX file, if the path ends so, or else as a SavedModel. Raises UserError."""
    if path.lower().endswith(".onnx"):
        export_onnx(dcgan, path)
        print(f"the generator as ONNX in {path}: z [N, {dcgan.z_dim}] -> images, uint8")
    else:
        generation.export(dcgan, path)
        print(f"the generator as a SavedModel in {path}: z [N, {dcgan.z_dim}] -> images")
