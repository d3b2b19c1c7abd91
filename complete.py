#!/usr/bin/env python3
"""Complete photos: fill a hole with what a trained network finds plausible.

    ./complete.py --align --blend party.jpg                         # finds the face in the photo
    ./complete.py --maskType left data/your-dataset/aligned         # faces that are aligned already
    ./complete.py --mask scratch.png --align --restarts 4 my-photos # a hole that you have drawn

The network knows aligned faces only: --align finds the face in each photo, aligns it, and puts the
completed face back into the whole photo. Without it, the central square of each photo is taken, resized
to the network's image size. --outDir receives overview.png (all photos: whole, hidden, completed),
before.png, masked.png, completed/ (a grid every --outInterval iterations, and each photo's last
completion), hats_imgs/ (G(z) alone) and logs/ (the losses of each photo).
"""

import cli.program
from cli.flags import Parser, check_empty
from cli.settings import add_settings, from_options
from devices import start
from errors import UserError
from photos.finding import photos_at
from runs.naming import add_network_flags, use_name
from runs.network import describe, find_network
from sampling.settings import GROUPS, CompletionSettings

completion_files = cli.program.Later("sampling.completion_files")


def flags():
    """The command line."""
    parser = Parser(__doc__)
    add_network_flags(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photos to complete, or folders of photos")
    add_settings(parser, CompletionSettings, GROUPS)
    return parser


def main(arguments):
    """Complete. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    settings = from_options(CompletionSettings, options)
    if settings.mask and any(argument.split("=")[0] == "--maskType" for argument in arguments):
        raise UserError(f"--mask {settings.mask}: hides what the picture says; leave out --maskType")
    check_empty("--outDir", settings.outDir)
    network = find_network(options.checkpoint_dir, options.step)
    describe(network)
    images = photos_at(options.images)
    start.set_up()
    return completion_files.complete(network, images, settings)


if __name__ == "__main__":
    cli.program.run(main, less_memory="fewer --restarts")
