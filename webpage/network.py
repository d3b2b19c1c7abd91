"""The networks that the page offers: the newest of each run here, and the one that comes with the project."""

import glob
import os
import threading

from errors import UserError
from recognition.landmarks import MEASURES
from runs.files import EVALUATIONS, OUTPUTS, read_json
from runs.loading import load_model
from runs.network import INCLUDED, find_network, is_included
from sampling import completion, directions, latents

PRINCIPAL = 6  # directions of a network without named ones
INCLUDED_IS = "comes with the project, trained on 12,166 photos of LFW"  # networks/faces/README.md


class NewestModel:
    """The network of a checkpoint folder, loaded anew when a training has written a newer checkpoint.

    Searches are compiled once for each network, and kept with it.
    """

    def __init__(self, directory):
        self.directory, self.lock = directory, threading.RLock()
        self.network = self.dcgan = self.named = None
        self.searches = {}

    def get(self):
        """(dcgan, network.Network). Raises UserError, as while there is no checkpoint yet."""
        with self.lock:
            network = find_network(self.directory)
            if network != self.network:
                self.dcgan, self.network, self.named, self.searches = load_model(network), network, None, {}
            return self.dcgan, self.network

    def search(self, settings):
        """The completion.Search with these settings. Raises UserError."""
        with self.lock:
            dcgan, _ = self.get()
            if settings not in self.searches:
                self.searches[settings] = completion.Search(dcgan, settings)
            return self.searches[settings]

    def find_directions(self):
        """Find the directions with names, which takes a minute or two, and keep them. Yields as it goes on.

        Raises UserError.
        """
        dcgan, network = self.get()
        found = yield from directions.of(network, dcgan)
        with self.lock:
            if network == self.network:
                self.named = found

    def keep(self, name, vector):
        """Keep a direction of the user's own under a name -> whether it could be kept beside the checkpoint.

        Raises UserError.
        """
        with self.lock:
            _, network = self.get()
            named = self.named or directions.load(network)
            if not named:
                raise UserError("give the sliders names first")
            self.named = named.with_own(name, vector)
            if is_included(network.directory):  # the project's own files stay as they are
                return False
            try:
                directions.save(network, self.named, directions.fingerprint(network))
            except OSError:  # in a folder that is read-only it lasts as long as the page
                return False
            return True

    def sliders(self):
        """What sliders move z along: labels, and vectors [K, z_dim]; and whether the directions have names."""
        dcgan, network = self.get()
        if named := self.named or directions.load(network):
            return [MEASURES[name][1] if name in MEASURES else name for name in named.names], named.vectors, True
        vectors = latents.principal_directions(dcgan, PRINCIPAL) / 2
        return [f"principal direction {i + 1}" for i in range(len(vectors))], vectors, False

    def about(self):
        """What it is, in a sentence."""
        _, network = self.get()
        settings = network.settings or {}
        words = [INCLUDED_IS if is_included(network.directory) else network.directory, f"step {network.step:,}"]
        if settings.get("dataset"):
            words.append(f"trained on {os.path.relpath(settings['dataset'])}")
        numbers = (read_json(network.directory, EVALUATIONS, dict) or {}).get(str(network.step))
        measured = read_json(network.directory, f"evaluation-{network.step}.json", dict)
        numbers = numbers or (measured or {}).get("generated") or {}
        words += [f"FDD (distance to real faces) {numbers['FDD']:.4f}"] if "FDD" in numbers else []
        return ", ".join(words)


class Networks:
    """The networks of the page by their folder. first: the one that is shown at the start."""

    def __init__(self, first):
        self.first, self.models = first, {}

    def choices(self):
        """[(name, folder)] of what can be shown now."""
        top = OUTPUTS["checkpoint_dir"]
        folders = [self.first, top, *sorted(glob.glob(os.path.join(glob.escape(top), "*"))), INCLUDED]
        found = {}
        for folder in folders:
            try:
                find_network(folder)
            except (UserError, OSError):
                continue
            name = "networks/faces" if is_included(folder) else folder
            found.setdefault(os.path.realpath(folder), (name, folder))
        return list(found.values())

    def __getitem__(self, folder):
        return self.models.setdefault(folder, NewestModel(folder))
