"""Loading a trained network from its checkpoint folder."""

import re
import threading

import tensorflow as tf

from errors import DamagedError
from model import DCGAN
from sampling import completion
from training import tf1
from training.checkpointing import read_checkpoint
from training.run_folder import (
    DRAWING,
    check_network,
    checkpoint_path,
    choose_step,
    find_tf1_checkpoint,
    latest_steps,
    read_settings,
)
from training.settings import CHECKPOINT_FOLDER


def load_model(directory, step=None, precision=None):
    """A trained DCGAN from a checkpoint folder, which is only read -> (dcgan, step).

    directory: a folder of this program, or one with a TF1 checkpoint of the original
    step: which checkpoint; None: the newest
    precision: overrides that of the training

    Raises UserError.
    """
    CHECKPOINT_FOLDER.check("--checkpoint_dir", directory)
    check_network(directory, step)
    settings = read_settings(directory)
    if settings is None:
        prefix = find_tf1_checkpoint(directory, step)
        dcgan = DCGAN(**tf1.read_shape_settings(prefix), precision=precision or "float32")
        tf1.load_weights(dcgan, prefix)
        return dcgan, int(re.search(r"\d*$", prefix)[0] or 0)
    keywords = {name: settings[name] for name in DRAWING if name in settings}
    dcgan = DCGAN(**keywords | ({"precision": precision} if precision else {}))
    step = choose_step(directory, step)
    try:
        read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), checkpoint_path(directory, step), partly=True)
    except DamagedError as error:
        earlier = [other for other in latest_steps(directory) if other < step]
        raise DamagedError(str(error) + (f"; the one before it is of step {earlier[-1]}" if earlier else "")) from error
    return dcgan, step


class NewestModel:
    """The network of a checkpoint folder, loaded anew when a training has written a newer checkpoint.

    Searches are compiled once for each network, and kept with it.
    """

    def __init__(self, directory):
        self.directory, self.lock = directory, threading.RLock()
        self.step = self.dcgan = None
        self.searches = {}

    def get(self):
        """(dcgan, step). Raises UserError, as while there is no checkpoint yet."""
        with self.lock:
            check_network(self.directory)
            steps = latest_steps(self.directory)
            if self.dcgan is None or (steps and steps[-1] != self.step):
                self.dcgan, self.step = load_model(self.directory)
                self.searches = {}
            return self.dcgan, self.step

    def search(self, settings):
        """The completion.Search with these settings. Raises UserError."""
        with self.lock:
            dcgan, _ = self.get()
            if settings not in self.searches:
                self.searches[settings] = completion.Search(dcgan, settings)
            return self.searches[settings]
