"""What the commands of explore.py do. Each has the name of its command."""

import os

import numpy as np

import utils
from cli.progress import Progress
from errors import UserError
from recognition import dlib_features
from runs.loading import load_model
from sampling import blending, completion, faces, figures, latents, projection
from sampling.settings import ProjectionSettings

MOST_NAMED = 12  # files that the last line lists
WALKED = 10  # coordinates that walk takes unless told which


def explore(network, options):
    """Carry out options.command, and say what was written. Raises UserError.

    network: a network.Network
    options: the flags of the command
    """
    commands = (interpolate, arithmetic, walk, project, direction, edit)
    {command.__name__: command for command in commands}[options.command](options, load_model(network))
    files = sorted(os.listdir(options.out)) if os.path.isdir(options.out) else []
    shown = f": {', '.join(files)}" if len(files) <= MOST_NAMED else f": {len(files)} files"
    print(f"{options.command} of step {network.step} in {options.out}{shown if files else ''}")


def interpolate(options, dcgan):
    """Draw interpolations. Raises UserError."""
    z = chosen(options, dcgan)
    if len(z) < 2:
        raise UserError("interpolate needs at least two pictures in --seeds or --z")
    figures.interpolate(dcgan, z, options.steps, options.out)


def arithmetic(options, dcgan):
    """Draw face arithmetic. Raises UserError."""
    groups = [group(options, dcgan, flag) for flag in ("plus", "minus", "plus2")]
    figures.arithmetic(dcgan, *groups, seed=options.seed, out=options.out)


def walk(options, dcgan):
    """Draw walks along coordinates. Raises UserError."""
    z = chosen(options, dcgan)
    if options.coordinates:
        coordinates = latents.parse_numbers(options.coordinates, "--coordinates")
    else:
        coordinates = latents.strongest_coordinates(dcgan, z, WALKED)
        print(f"the coordinates that change these pictures most: {', '.join(map(str, coordinates))}")
    if max(coordinates) >= dcgan.z_dim:
        raise UserError(f"--coordinates {options.coordinates}: z has coordinates 0 to {dcgan.z_dim - 1}")
    figures.walk(dcgan, z, coordinates, options.steps, options.out)


def project(options, dcgan):
    """Search the z of photos, and print how near their pictures come. Raises UserError."""
    photos = faces.read(options.images, dcgan.image_size, dcgan.c_dim, options.align)
    pixels = np.stack([photo.pixels for photo in photos])
    settings = ProjectionSettings(nIter=options.nIter, restarts=options.restarts, seed=options.seed)
    progress = Progress("searching", len(pixels) * options.nIter)
    *_, (_, z, generated) = projection.project(completion.Search(dcgan, settings), pixels, progress.advance)
    progress.close()
    distances, captions = face_distances(pixels, generated), []
    for i, photo in enumerate(photos):
        decibels = blending.psnr(utils.transform(generated[i]), utils.transform(pixels[i]))
        distance = f", distance {distances[i]:.2f}" if distances is not None else ""
        captions.append(f"{decibels:.1f} dB{distance}")
        print(f"{photo.path}: PSNR {captions[-1]}")
    if distances is not None:
        print(
            "distance: of dlib's features; below 0.6 for most pairs of photos of one person, and 0.48 for the nearest "
            "of thousands of strangers"
        )
    projection.write(options.out, [photo.path for photo in photos], pixels, generated, z, captions)


def face_distances(pixels, generated):
    """dlib's distance of each pair of faces [N]; None where dlib is not installed."""
    try:
        dlib_features.check_installed()
    except ModuleNotFoundError:
        return None
    pair = dlib_features.features(pixels, "photos"), dlib_features.features(generated, "pictures")
    return np.linalg.norm(pair[0] - pair[1], axis=1)


def direction(options, dcgan):
    """Write the difference of two means. Raises UserError."""
    means = [group(options, dcgan, flag).mean(axis=0, keepdims=True) for flag in ("plus", "minus")]
    latents.save(options.out, means[0] - means[1])


def edit(options, dcgan):
    """Draw z with less and more of a direction. Raises UserError."""
    z = latents.load(options.z, dcgan.z_dim)
    directions = latents.load(options.direction, dcgan.z_dim, "--direction")
    if len(directions) > 1:
        raise UserError(
            f"--direction {options.direction}: holds {len(directions)} z; give the file that direction wrote"
        )
    figures.edit(dcgan, z, directions[0], options.steps, options.out)


def group(options, dcgan, flag):
    """z of a group of pictures. Raises UserError."""
    return latents.group(getattr(options, flag), f"--{flag}", options.seed, dcgan.z_dim)


def chosen(options, dcgan):
    """z of the pictures in --seeds, or of --z. Raises UserError."""
    return latents.load(options.z, dcgan.z_dim) if options.z else group(options, dcgan, "seeds")
