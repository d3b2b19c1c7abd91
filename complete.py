#!/usr/bin/env python3
"""Complete photos: fill a hole with what a trained network finds plausible.

    ./complete.py --checkpoint_dir checkpoints --maskType center my-photos/*.png

Photos of any size are cropped to their central square and resized to the network's image size;
aligned faces give the best results. --outDir receives before.png, masked.png, completed/ (a grid every
--outInterval iterations, and each photo's last completion), hats_imgs/ (G(z) alone) and logs/ (the
losses of each photo).
"""

import cli.program
from cli.flags import Parser, check_empty
from cli.settings import add_settings, from_options
from devices import start
from runs.naming import add_network_flags, use_name
from runs.network import find_network
from sampling.settings import GROUPS, CompletionSettings

completion_files = cli.program.Later("sampling.completion_files")


def flags():
    """The command line."""
    parser = Parser(__doc__)
    add_network_flags(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photos to complete")
    add_settings(parser, CompletionSettings, GROUPS)
    return parser


def main(arguments):
    """Complete. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    settings = from_options(CompletionSettings, options)
    check_empty("--outDir", settings.outDir)
    network = find_network(options.checkpoint_dir, options.step)
    start.set_up()
    return completion_files.complete(network, options.images, settings)


if __name__ == "__main__":
    cli.program.run(main, less_memory="fewer --restarts")
