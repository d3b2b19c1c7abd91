"""Serving the page until a signal comes, in a folder of its own for uploads."""

import os
import tempfile
import threading

from cli.program import Later, raise_on_signals

layout = Later("webpage.layout")  # which imports Gradio, and that reads GRADIO_TEMP_DIR


def show(checkpoint_dir, port):
    """Serve the page of a network until a signal comes -> the exit code. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="dcgan-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where uploads lie until they are read
        page = layout.build(checkpoint_dir)
        print(f"the page: {layout.serve(page, port)} (Ctrl-C ends it)")
        raise_on_signals()
        try:
            threading.Event().wait()
        except KeyboardInterrupt as interruption:
            page.close()
            return interruption.args[0]
