#!/usr/bin/env python3
"""Measure how good a trained network's faces are, against real ones.

    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned
    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned --steps all

Prints a table, and writes it as evaluation-STEP.json beside the checkpoint, with a sheet of samples
and the training face nearest to each, evaluation-STEP.png. What the numbers mean: docs/evaluation.md.
"""

import functools
import hashlib
import importlib.util
import io
import json
import os
import sys

import cli

cli.check_python()

from errors import DamagedError, UserError  # noqa: E402

POOL = 20_000  # real faces that are looked at, at most
SHEET = 64  # samples on the sheet


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    add = parser.add_argument
    add("--checkpoint_dir", default="checkpoints", metavar="DIR", help="of the training (default: checkpoints)")
    add("--dataset", required=True, metavar="DIR", help="the images that it was trained on (required)")
    add("--held_out", metavar="DIR", help="real faces that it was not trained on, to compare distances with")
    add("--steps", metavar="LIST", help="checkpoints: all, or such as 500,1000; their curve goes to TensorBoard too "
        "(default: the newest)")  # fmt: skip
    add("--n", type=cli.whole(10, POOL // 2), default=2000, metavar="N", help="faces of each kind (default: 2000)")
    add("--seed", type=cli.whole(0), default=0, metavar="N", help="of the generated faces (default: 0)")
    add("--inception", metavar="FILE", help="FID too: weights of Keras' InceptionV3, or imagenet to download them")
    add("--log_dir", default="logs", metavar="DIR", help="where the curve of --steps goes (default: logs)")
    add("--cache_dir", metavar="DIR", help="where the real faces' features are kept (default: --checkpoint_dir)")
    add("--workers", type=cli.whole(1), metavar="N", help="processes (default: one a core)")
    return parser


def main(arguments):
    """Evaluate. Returns the exit code."""
    options = flags().parse_args(arguments)
    for flag in ("dataset", "held_out"):
        folder = getattr(options, flag)
        if folder and not os.path.isdir(folder):
            raise UserError(f"--{flag} {folder}: no such folder")
    from alignment import openface

    openface.find_model(openface.RECOGNITION)
    if importlib.util.find_spec("dlib") is None:
        raise ModuleNotFoundError("No module named 'dlib'", name="dlib")
    if options.inception:  # Keras asks for it when it is imported
        os.environ.setdefault("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    from training import devices

    devices.set_up()
    from training import checkpointing

    steps = choose_steps(options, checkpointing.latest_steps(options.checkpoint_dir))
    real = Real(options, checkpointing.load_model(options.checkpoint_dir, steps[-1])[0])
    curve = Curve(os.path.join(options.log_dir, "evaluation"), steps[0]) if options.steps else None
    for step in steps:
        try:
            result = evaluate(options, step, real)
        except DamagedError as error:
            if steps == [step]:
                raise
            print(error, file=sys.stderr)
            continue
        if curve:
            curve.add(result)
    return 0


def choose_steps(options, there):
    """The steps that --steps names of those there. [None]: the newest."""
    from sampling import latents

    if options.steps is None:
        return [None]
    steps = there if options.steps == "all" else latents.parse_picks(options.steps, "--steps")
    missing = sorted(set(steps) - set(there))
    if missing or not steps or not os.path.exists(os.path.join(options.checkpoint_dir, "settings.json")):
        shown = ", ".join(map(str, there)) or "none"
        raise UserError(f"--steps {options.steps}: no such checkpoint in {options.checkpoint_dir} (there: {shown})")
    return sorted(steps)


class Real:
    """The real faces: those to compare with, as many for the floor, all (up to POOL) for memorisation."""

    def __init__(self, options, dcgan):
        from training import checkpointing

        self.options, self.dcgan = options, dcgan
        self.settings = checkpointing.read_settings(options.checkpoint_dir) or {}
        self.faces = self.find(options.dataset, self.settings.get("train_size"))
        self.n = min(options.n, len(self.faces) // 2)
        if self.n < options.n:
            print(f"--n {options.n}: {len(self.faces):,} real faces are enough for {self.n:,} of each kind")
        if self.n < 10:
            raise UserError(f"--dataset {options.dataset}: {len(self.faces)} faces are too few to compare with")
        if options.inception:
            from evaluation import inception

            if self.n < inception.LEAST:
                raise UserError(
                    f"--inception: FID needs at least {inception.LEAST:,} faces of each kind, not {self.n:,}"
                )
            self.network = inception.load(options.inception)
        self.features, found = self.keep(
            "dlib", options.dataset, self.faces, functools.partial(self.look_at, "real faces")
        )
        self.compared, self.floor = slice(0, self.n), slice(self.n, 2 * self.n)
        self.face_rate = float(found[self.compared].mean())
        self.held_out = None
        if options.held_out:
            faces = self.find(options.held_out)
            look_at = functools.partial(self.look_at, "held-out faces")
            self.held_out, _ = self.keep("dlib", options.held_out, faces, look_at)

    def find(self, folder, train_size=None):
        """Up to POOL faces of a folder, in an order of their own, as training reads them; broken files left out."""
        import numpy as np

        from training.dataset import ImageFolder
        from training.loop import written_before

        leave_out = [self.options.checkpoint_dir, *written_before(self.options.checkpoint_dir)]
        data = ImageFolder(
            folder, self.dcgan.image_size, self.dcgan.c_dim, 1, 0, train_size, self.settings.get("crop"), cache="off",
            leave_out=leave_out,
        )  # fmt: skip
        return Faces(data, np.random.default_rng(0).permutation(len(data.paths))[:POOL])

    def look_at(self, what, images):
        """dlib's features of those images, and whether it found a face."""
        from evaluation import dlib_features

        return dlib_features.look_at(images, self.options.workers, what)

    def keep(self, name, folder, faces, make):
        """make(the images), two arrays, from --cache_dir where these very files were looked at before."""
        import numpy as np

        import utils
        from evaluation import dlib_features

        stats = [(path, os.stat(os.path.join(folder, path))) for path in faces.data.paths]
        contents = [(path, info.st_size, info.st_mtime_ns) for path, info in stats]
        protocol = name, dlib_features.PROTOCOL, self.dcgan.image_size, self.dcgan.c_dim, faces.data.crop, POOL
        key = hashlib.sha256(repr((contents, protocol)).encode(errors="replace")).hexdigest()[:16]
        cache_dir = self.options.cache_dir or self.options.checkpoint_dir
        path = os.path.join(cache_dir, f"real-{key}.npz")
        if os.path.exists(path):
            try:
                with np.load(path, allow_pickle=False) as kept:
                    return kept["first"], kept["second"]
            except Exception as error:  # cut off, say: made anew
                print(f"{path}: can't be used ({error}); looking again", file=sys.stderr)
        print(f"looking at the {len(faces):,} images of {folder}; kept for the next time in {path}")
        first, second = make(faces)
        os.makedirs(cache_dir, exist_ok=True)
        with utils.whole_file(path) as file:
            np.savez(file, first=first, second=second)
        return first, second

    @functools.cached_property
    def table(self):
        """What the floor's real faces get against those to compare with."""
        from evaluation import metrics

        numbers = metrics.compare(self.features[self.compared], self.features[self.floor])
        if self.options.inception:
            numbers["FID"] = metrics.frechet_distance(*self.inception)
        return {"face rate": self.face_rate} | numbers

    @functools.cached_property
    def inception(self):
        """Inception features of the faces to compare with, and of the floor's."""
        from evaluation import inception

        def features(faces):
            return [inception.features(self.network, faces[part]) for part in (self.compared, self.floor)]

        with open(self.options.inception, "rb") if os.path.exists(self.options.inception) else io.BytesIO() as file:
            weights = hashlib.sha256(file.read()).hexdigest()
        return self.keep((inception.PROTOCOL, weights, self.n), self.options.dataset, self.faces, features)

    @functools.cached_property
    def others(self):
        """(what they are, their distances to the nearest training face), to compare the generated faces' with."""
        from evaluation import metrics

        if self.held_out is None:
            rows = self.features[self.compared]
            name = f"{len(rows):,} training faces, to the nearest other"
            return name, metrics.nearest(rows, self.features, leave_one_out=True)[1]
        return f"{len(self.held_out):,} held-out faces", metrics.nearest(self.held_out, self.features)[1]


class Faces:
    """Images of a folder in an order, decoded when they are asked for: uint8 [image_size, image_size, c_dim] each."""

    def __init__(self, data, order):
        from photos import decoding

        self.data, self.order, bad = data, [], []
        for index in order:
            try:
                data.decode(index)
                self.order.append(index)
            except decoding.PhotoError as error:
                bad.append(f"{data.paths[index]} ({error})")
        if bad:
            print(f"{data.folder}: left out {len(bad):,} files that do not decode, such as {bad[0]}")

    def __len__(self):
        return len(self.order)

    def __getitem__(self, which):
        if isinstance(which, slice):
            return [self.data.decode(index) for index in self.order[which]]
        return self.data.decode(self.order[which])


def evaluate(options, step, real):
    """Evaluate one checkpoint: print its table, write its files -> the numbers."""
    import numpy as np

    from evaluation import metrics
    from sampling import generation, latents
    from training import checkpointing

    dcgan, step = checkpointing.load_model(options.checkpoint_dir, step)
    images = generation.generate(dcgan, latents.draw(options.seed, range(real.n), dcgan.z_dim))
    features, found = real.look_at("generated faces", images)
    generated = {"face rate": float(found.mean())} | metrics.compare(real.features[real.compared], features)
    if options.inception:
        from evaluation import inception

        print(f"FID: {inception.PROTOCOL}")
        rows = inception.features(real.network, images)
        generated["FID"] = metrics.frechet_distance(real.inception[0], rows)
    nearest, distances = metrics.nearest(features, real.features)
    name, others = real.others
    result = {
        "step": step,
        "n": real.n,
        "seed": options.seed,
        "real faces": len(real.faces),
        "generated": generated,
        "real": real.table,
        "nearest training face": {
            kind: {f"{share} %": round(float(np.percentile(values, share)), 4) for share in (1, 10, 50, 90)}
            for kind, values in ((f"{real.n:,} generated faces", distances), (name, others))
        },
    }
    print_table(result)
    write_files(options, result, images, nearest, real)
    return result


WORDS = {
    "face rate": "share in which dlib's detector finds a face",
    "FDD": "Frechet distance of dlib's 128 numbers; real: what is left between two real sets of n",
    "precision": "share of generated faces among the real ones' neighbours",
    "recall": "share of real faces among the generated ones' neighbours",
    "1-NN accuracy": "how well a nearest neighbour tells them apart; 0.5 is perfect",
    "FID": "Frechet distance of Inception's numbers",
}


def print_table(result):
    """Print what was found."""
    print(
        f"\nstep {result['step']:,}: {result['n']:,} generated faces (seed {result['seed']}) against as many real ones"
    )
    print(f"{'':15}{'generated':>10}{'real':>10}")
    for name, value in result["generated"].items():
        print(f"{name:15}{value:10.4f}{result['real'][name]:10.4f}  {WORDS[name]}")
    print(f"distance to the nearest of {result['real faces']:,} training faces, at 1, 10, 50 and 90 % of them:")
    for name, shares in result["nearest training face"].items():
        print(f"  {'  '.join(f'{value:.3f}' for value in shares.values())}  {name}")


def write_files(options, result, images, nearest, real):
    """Write the table as JSON, and the sheet of samples with the nearest training face at the right of each."""
    import numpy as np

    import utils

    path = os.path.join(options.checkpoint_dir, f"evaluation-{result['step']}")
    pairs = [image for k, index in enumerate(nearest[:SHEET]) for image in (images[k], real.faces[index])]
    utils.save_image(utils.merge(np.stack(pairs), 16), path + ".png")
    utils.write_text(path + ".json", json.dumps(result, indent=1) + "\n")
    print(f"{path}.json, and samples beside their nearest training faces in {path}.png")


class Curve:
    """The numbers of every step for TensorBoard; what an earlier evaluation wrote is superseded."""

    def __init__(self, folder, first):
        from training.progress import Summaries

        os.makedirs(folder, exist_ok=True)
        self.writer = Summaries(folder, first - 1).writer
        print(f"the curves: tensorboard --logdir {os.path.dirname(folder)}")

    def add(self, result):
        """One step's numbers."""
        import tensorflow as tf

        with self.writer.as_default(result["step"]):
            for name, value in result["generated"].items():
                tf.summary.scalar(name.replace(" ", "_"), value)
        self.writer.flush()


if __name__ == "__main__":
    cli.run(main)
