"""Serving the page until a signal comes, in a folder of its own for uploads."""

import contextlib
import os
import tempfile
import time

from cli.interruption import Interruption
from cli.program import Later

A_MOMENT = 0.2  # seconds until a signal is looked for
LONGEST = 10  # seconds that a file may lie in the folder of uploads: each is read within a moment
layout = Later("webpage.layout")  # which imports Gradio, and that reads GRADIO_TEMP_DIR


def show(folder, port):
    """Serve the page, with the network in a folder first, until a signal comes -> the exit code. Raises UserError."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # Gradio asks its own page through it, and the page needs nothing from elsewhere
    with tempfile.TemporaryDirectory(prefix="dcgan-page-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads  # where uploads lie until they are read
        page = layout.build(folder)
        print(f"the page: {layout.serve(page, port)} (Ctrl-C ends it)")
        with Interruption() as interruption:
            while not interruption.signal:
                time.sleep(A_MOMENT)
                sweep(uploads)
            page.close()
        return interruption.exit_code


def sweep(folder):
    """Delete what has lain there for LONGEST: uploads that nobody read, and Gradio's copies of a painting."""
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                file = os.path.join(path, name)
                if os.path.getmtime(file) < time.time() - LONGEST:
                    os.remove(file)
