#!/usr/bin/env python3
"""A page to play with a trained network: pick, mix, edit and complete faces in a browser.

    ./page.py --checkpoint_dir checkpoints

It listens on this machine alone, loads nothing from elsewhere, and keeps no photo: each is deleted as soon
as it is read. While a training runs, the page follows its newest checkpoint. `make page` installs what it
needs, and opens it.
"""

import cli.program
from cli.flags import Parser, add_flag
from cli.kinds import whole
from devices import start
from runs.naming import add_network_flags, use_name
from runs.network import describe, find_network

serving = cli.program.Later("webpage.serving")


def flags():
    """The command line."""
    parser = Parser(__doc__)
    add_network_flags(parser, step=False)
    what = "port on this machine (default: the first free one from 7860 on)"
    add_flag(parser, "port", whole(1, 65535), None, what)
    return parser


def main(arguments):
    """Serve the page until Ctrl-C. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    network = find_network(options.checkpoint_dir)
    describe(network)
    start.set_up()
    return serving.show(network.directory, options.port)


if __name__ == "__main__":
    cli.program.run(main)
