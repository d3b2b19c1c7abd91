"""Serving the page until a signal comes, in a folder of its own for uploads."""

import os
import tempfile
import time

from cli.interruption import Interruption
from cli.program import Later

A_MOMENT = 0.2  # seconds until a signal is looked for
layout = Later("webpage.layout")  # which imports Gradio, and that reads GRADIO_TEMP_DIR


def show(checkpoint_dir, port):
    """Serve the page of a network until a signal comes -> the exit code. Raises UserError."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # Gradio asks its own page through it, and the page needs nothing from elsewhere
    with tempfile.TemporaryDirectory(prefix="dcgan-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where uploads lie until they are read
        page = layout.build(checkpoint_dir)
        print(f"the page: {layout.serve(page, port)} (Ctrl-C ends it)")
        with Interruption() as interruption:
            while not interruption.signal:
                time.sleep(A_MOMENT)
            page.close()
        return interruption.exit_code
