"""TensorBoard's logs of a run: losses, histograms, sample grids, settings, evaluations."""

import contextlib
import os
import re
import shlex
import shutil
import sys
import time

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from errors import SaveError, short_reason

CHARTS = {  # of TensorBoard's page "Custom Scalars"
    "losses: d_loss ■, g_loss ◆": ["d_loss", "g_loss"],  # TensorBoard draws a run in one colour
    "d_loss in its parts: real ■, fake ◆": ["d_loss_real", "d_loss_fake"],
    "D's mean probabilities: real ■, fake ◆": ["d_real", "d_fake"],  # no parentheses: they are not drawn
    "images per second": ["images_per_second"],
}
EVALUATION = {
    "FDD": ["FDD"],
    "precision, recall, face rate": ["precision", "recall", "face_rate"],
    "1-NN accuracy": ["1-NN_accuracy"],
}
COMPARABLE = 2000  # n of the tables in docs/, whose numbers have plain names
ABOUT = ("n", "real face rate")  # what an evaluation says of its real faces, which is not drawn
MEANINGS = {
    "d_loss": "D's loss: d_loss_real + d_loss_fake. In a healthy run it averages 1 to 1.4",
    "d_loss_real": "D's loss for real images",
    "d_loss_fake": "D's loss for G's images",
    "g_loss": "G's loss after its last update. In a healthy run it averages 0.8 to 2",
    "d_real": "D(x): D's mean probability for real images",
    "d_fake": "D(G(z)): D's mean probability for G's images",
    "images_per_second": "images trained per second",
    "z": "what G draws from",
    "d": "D's probabilities for real images",
    "d_": "D's probabilities for G's images",
    "G": "what G draws from 64 fixed z",
}


class Summaries:
    """TensorBoard's logs, with the original's tags. Raises SaveError if they can't be written."""

    def __init__(self, log_dir, step):
        """log_dir: None writes nothing. step: batches already trained; later events of a killed process are dropped."""
        self.log_dir, self.charts = log_dir, dict(CHARTS)
        if log_dir is None:
            self.writer = tf.summary.create_noop_writer()
            return
        if os.path.isdir(log_dir):
            put_in_order(log_dir)
        with self._writing(), tf.Graph().as_default(), tf.compat.v1.summary.FileWriter(log_dir) as writer:
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            writer.add_session_log(start, step + 1)  # TensorBoard drops earlier events from this step on
        self.writer = tf.summary.create_file_writer(log_dir)

    def start(self, step, settings, real_images):
        """Write the layout of "Custom Scalars", the settings as a table, and a grid of real images (or None)."""
        given = {name: value for name, value in settings.items() if not (value is None or value is False)}
        rows = [f"| --{name} | {value} |" for name, value in given.items()]
        with self._writing(), self.writer.as_default(step):
            self._write_layout()
            tf.summary.text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]))
            if real_images is not None:
                tf.summary.image("real", real_images[None], description="real images, to compare with G")
            self.writer.flush()

    def _write_layout(self):
        """Write which charts "Custom Scalars" draws; the last layout counts."""
        charts = [
            layout_pb2.Chart(
                title=title, multiline=layout_pb2.MultilineChartContent(tag=[f"^{re.escape(t)}$" for t in tags])
            )
            for title, tags in self.charts.items()
        ]
        layout = layout_pb2.Layout(category=[layout_pb2.Category(title="training", chart=charts)])
        tf.summary.experimental.write_raw_pb(custom_scalar.pb(layout).SerializeToString())

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except tf.errors.OpError as error:
            raise SaveError(f"--log_dir {self.log_dir}: can't be written to ({short_reason(error)})") from error

    def scalars(self, step, losses, outputs, images_per_second):
        """Write losses, D's mean probabilities and the rate, and histograms of z, D(x) (d) and D(G(z)) (d_).

        All at once and without tf.summary's operations, which would keep a GPU waiting for longer than a batch takes.
        """
        numbers = losses | {"images_per_second": images_per_second}
        parts = [scalar_pb(name, value, MEANINGS[name]) for name, value in numbers.items()]
        parts += [histogram_pb(name, np.asarray(values), None, MEANINGS[name]) for name, values in outputs.items()]
        summary = Summary(value=[value for part in parts for value in part.value])
        with self._writing(), self.writer.as_default(step), tf.device("CPU:0"):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString())
            self.writer.flush()

    def add_evaluation_charts(self, n):
        """Let "Custom Scalars" draw the numbers of evaluations with n faces."""
        of = "" if n == COMPARABLE else f" (n = {n:,})"
        self.charts |= {title + of: [with_n(tag, n) for tag in tags] for title, tags in EVALUATION.items()}

    def evaluation(self, step, numbers, n):
        """Write the numbers of an evaluation. They depend on n, so only those of one n come into a chart."""
        before = dict(self.charts)
        self.add_evaluation_charts(n)
        with self._writing(), self.writer.as_default(step):
            if self.charts != before:
                self._write_layout()
            for name, value in numbers.items():
                tag = with_n(name.replace(" ", "_"), n)
                tf.summary.scalar(tag, value, description="as evaluate.py's; see docs/evaluation.md")
            self.writer.flush()

    def images(self, step, grid):
        """Write the sample grid, uint8 [H, W, C]."""
        with self._writing(), self.writer.as_default(step):
            tf.summary.image("G", grid[None], description=MEANINGS["G"])
            self.writer.flush()

    def close(self):
        """Close the file. Every write has been flushed."""
        with contextlib.suppress(tf.errors.OpError):  # an earlier error, once more
            self.writer.close()


def with_n(tag, n):
    """The tag of a number that an evaluation with n faces gave."""
    return tag if n == COMPARABLE else f"n={n}/{tag}"


def put_in_order(log_dir):
    """Give earlier names to logs from when the clock was ahead: TensorBoard reads logs in the order of their names.

    Else it would take what is written from now on for older than they are, and hide it.
    """
    now, pattern = int(time.time()), re.compile(r"(events\.out\.tfevents\.)(\d+)(\..*)")
    matches = sorted(filter(None, map(pattern.fullmatch, os.listdir(log_dir))), key=lambda match: int(match[2]))
    ahead = [match for match in matches if int(match[2]) >= now]
    for k, match in enumerate(ahead):
        earlier = f"{match[1]}{now - len(ahead) + k:010d}{match[3]}"
        os.replace(os.path.join(log_dir, match[0]), os.path.join(log_dir, earlier))


def tensorboard_command(log_dir):
    """The command that shows the logs, as it can be typed here: by its name in an environment, else by its path."""
    program = "tensorboard"
    if not shutil.which(program):
        program = shlex.quote(os.path.relpath(os.path.join(os.path.dirname(sys.executable), program)))
    return f"{program} --logdir {shlex.quote(log_dir)} --samples_per_plugin images=200"
