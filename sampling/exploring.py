"""What the commands of explore.py do. Each has the name of its command."""

import os

import numpy as np

import utils
from cli.progress import Progress
from errors import UserError
from recognition import dlib_features
from recognition.landmarks import MEASURES
from runs.loading import load_model
from sampling import blending, completion, faces, figures, latents, projection
from sampling import directions as named
from sampling.settings import ProjectionSettings

MOST_NAMED = 12  # files that the last line lists
STRIPS = 6  # faces in a strip of a direction with a name
WALKED = 10  # coordinates that walk takes unless told which


def explore(network, options):
    """Carry out options.command, and say what was written. Raises UserError.

    network: a network.Network
    options: the flags of the command
    """
    commands = (interpolate, arithmetic, walk, project, direction, directions, edit)
    {command.__name__: command for command in commands}[options.command](options, network)
    if not options.out:
        return
    files = sorted(os.listdir(options.out)) if os.path.isdir(options.out) else []
    shown = f": {', '.join(files)}" if len(files) <= MOST_NAMED else f": {len(files)} files"
    print(f"{options.command} of step {network.step} in {options.out}{shown if files else ''}")


def interpolate(options, network):
    """Draw interpolations. Raises UserError."""
    dcgan = load_model(network)
    z = chosen(options, dcgan)
    if len(z) < 2:
        raise UserError("interpolate needs at least two pictures in --seeds or --z")
    figures.interpolate(dcgan, z, options.steps, options.out)


def arithmetic(options, network):
    """Draw face arithmetic. Raises UserError."""
    dcgan = load_model(network)
    groups = [group(options, dcgan, flag) for flag in ("plus", "minus", "plus2")]
    figures.arithmetic(dcgan, *groups, seed=options.seed, out=options.out)


def walk(options, network):
    """Draw walks along coordinates. Raises UserError."""
    dcgan = load_model(network)
    z = chosen(options, dcgan)
    if options.coordinates:
        coordinates = latents.parse_numbers(options.coordinates, "--coordinates")
    else:
        coordinates = latents.strongest_coordinates(dcgan, z, WALKED)
        print(f"the coordinates that change these pictures most: {', '.join(map(str, coordinates))}")
    if max(coordinates) >= dcgan.z_dim:
        raise UserError(f"--coordinates {options.coordinates}: z has coordinates 0 to {dcgan.z_dim - 1}")
    figures.walk(dcgan, z, coordinates, options.steps, options.out)


def project(options, network):
    """Search the z of photos, and print how near their pictures come. Raises UserError."""
    dcgan = load_model(network)
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


def direction(options, network):
    """Write the difference of two means. Raises UserError."""
    dcgan = load_model(network)
    means = [group(options, dcgan, flag).mean(axis=0, keepdims=True) for flag in ("plus", "minus")]
    latents.save(options.out, means[0] - means[1])


def edit(options, network):
    """Draw z with less and more of a direction. Raises UserError."""
    dcgan = load_model(network)
    z = latents.load(options.z, dcgan.z_dim)
    if os.path.isfile(options.direction) or options.direction.lower().endswith(".npz"):
        loaded = latents.load(options.direction, dcgan.z_dim, "--direction")
        if len(loaded) > 1:
            raise UserError(
                f"--direction {options.direction}: holds {len(loaded)} z; give the file that direction wrote"
            )
        vector = loaded[0]
    else:
        if options.direction not in MEASURES and not named.load(network):
            raise UserError(f"--direction {options.direction}: neither a file nor one of {', '.join(MEASURES)}")
        vector = named.found(network, dcgan).vector(options.direction)
    figures.edit(dcgan, z, vector, options.steps, options.out)


def directions(options, network):
    """Find the directions with names, print what each one does, and draw strips of them. Raises UserError."""
    dcgan = load_model(network)
    found = named.found(network, dcgan)
    print("from less to more, in standard deviations of each measure; person: the distance of dlib's features")
    print("".join(f"{word:>9}" for word in ("", *MEASURES, "person")))
    for name, changes, person in zip(found.names, found.changes, found.persons):
        numbers = ("-" if np.isnan(number) else f"{number:.2f}" for number in (*changes, person))
        print(f"{name:>9}" + "".join(f"{number:>9}" for number in numbers))
    if options.out:
        z = latents.draw(0, range(STRIPS), dcgan.z_dim)
        for name, vector in zip(found.names, found.vectors):
            figures.edit(dcgan, z, vector, 7, options.out, name)


def group(options, dcgan, flag):
    """z of a group of pictures. Raises UserError."""
    return latents.group(getattr(options, flag), f"--{flag}", options.seed, dcgan.z_dim)


def chosen(options, dcgan):
    """z of the pictures in --seeds, or of --z. Raises UserError."""
    return latents.load(options.z, dcgan.z_dim) if options.z else group(options, dcgan, "seeds")
