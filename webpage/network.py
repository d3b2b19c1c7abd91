"""The network that the page shows: the newest of a run."""

import threading

from runs.loading import load_model
from runs.network import find_network
from sampling import completion


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
            network = find_network(self.directory)
            if network.step != self.step:
                self.dcgan, self.step, self.searches = load_model(network), network.step, {}
            return self.dcgan, self.step

    def search(self, settings):
        """The completion.Search with these settings. Raises UserError."""
        with self.lock:
            dcgan, _ = self.get()
            if settings not in self.searches:
                self.searches[settings] = completion.Search(dcgan, settings)
            return self.searches[settings]
