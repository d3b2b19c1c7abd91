#!/usr/bin/env python3
"""Measure how good a trained network's faces are, against real ones.

    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned
    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned --steps all

Prints a table, and writes it as evaluation-STEP.json beside the checkpoint, with a sheet of samples
and the training face nearest to each, evaluation-STEP.png. What the numbers mean: docs/evaluation.md.
"""

import hashlib
import json
import os
import sys

import cli

cli.check_python()

from errors import UserError  # noqa: E402

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
    add("--n", type=cli.whole(10, 10**5), default=2000, metavar="N", help="faces of each kind (default: 2000)")
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
    if options.inception and options.n < 2048:
        raise UserError(
            f"--n {options.n}: FID needs at least 2048 faces; give --n 2048 or more, or leave out --inception"
        )
    import openface

    openface.find_model(openface.RECOGNITION)
    import devices

    devices.set_up()
    import checkpointing

    steps = choose_steps(options, checkpointing.latest_steps(options.checkpoint_dir))
    real = Real(options, checkpointing.read_settings(options.checkpoint_dir) or {})
    results = [evaluate(options, step, real) for step in steps]
    if options.steps:
        write_curve(os.path.join(options.log_dir, "evaluation"), results)
    return 0


def choose_steps(options, there):
    """The steps that --steps names of those there. [None]: the newest."""
    import latents

    if options.steps is None:
        return [None]
    steps = there if options.steps == "all" else latents.parse_picks(options.steps, "--steps")
    missing = sorted(set(steps) - set(there))
    if missing or not steps:
        shown = ", ".join(map(str, there)) or "none"
        raise UserError(f"--steps {options.steps}: no such checkpoint in {options.checkpoint_dir} (there: {shown})")
    return steps


class Real:
    """The real faces: those to compare with, as many for the floor, all (up to POOL) for memorisation."""

    def __init__(self, options, settings):
        self.cache_dir, self.workers = options.cache_dir or options.checkpoint_dir, options.workers
        self.settings = {name: settings.get(name) for name in ("crop", "train_size")}
        self.shape = settings.get("image_size", 64), settings.get("c_dim", 3)
        self.faces, self.features, found = self.look_at(options.dataset, "real faces")
        self.n = min(options.n, len(self.faces) // 2)
        if self.n < options.n:
            print(f"--n {options.n}: {len(self.faces):,} real faces are enough for {self.n:,} of each kind")
        if self.n < 10:
            raise UserError(f"--dataset {options.dataset}: {len(self.faces)} faces are too few to compare with")
        self.compared, self.floor = slice(0, self.n), slice(self.n, 2 * self.n)
        self.face_rate = float(found[self.compared].mean())
        self.held_out = self.look_at(options.held_out, "held-out faces")[1] if options.held_out else None

    def look_at(self, folder, what):
        """Up to POOL faces of a folder in an order of their own -> (images, features, found); features are kept."""
        import numpy as np

        import recognition
        import utils
        from dataset import ImageFolder

        image_size, c_dim = self.shape
        data = ImageFolder(folder, image_size, c_dim, 1, 0, cache="off", **self.settings)
        order = np.random.default_rng(0).permutation(len(data.paths))[:POOL]
        images = [data.image(index) for index in order]
        stats = [os.stat(os.path.join(folder, path)) for path in data.paths]
        contents = [(path, info.st_size, info.st_mtime_ns) for path, info in zip(data.paths, stats)]
        key = hashlib.sha256(
            repr((contents, self.shape, self.settings, POOL, recognition.PROTOCOL)).encode(errors="replace")
        )
        path = os.path.join(self.cache_dir, f"real-{key.hexdigest()[:16]}.npz")
        if os.path.exists(path):
            try:
                with np.load(path, allow_pickle=False) as kept:
                    return images, kept["features"], kept["found"]
            except Exception as error:  # cut off, say: made anew
                print(f"{path}: can't be used ({error}); looking again", file=sys.stderr)
        features, found = recognition.look_at(images, self.workers, what)
        os.makedirs(self.cache_dir, exist_ok=True)
        with utils.whole_file(path) as file:
            np.savez(file, features=features, found=found)
        return images, features, found


def evaluate(options, step, real):
    """Evaluate one checkpoint: print its table, write its files -> the numbers."""
    import checkpointing
    import evaluation
    import latents
    import recognition
    import sampling

    dcgan, step = checkpointing.load_model(options.checkpoint_dir, step)
    images = sampling.generate(dcgan, latents.draw(options.seed, range(real.n), dcgan.z_dim))
    features, found = recognition.look_at(images, options.workers, "generated faces")
    compared, floor = real.features[real.compared], real.features[real.floor]
    result = {
        "step": step,
        "n": real.n,
        "seed": options.seed,
        "real faces": len(real.faces),
        "generated": {"face rate": float(found.mean())} | evaluation.compare(compared, features),
        "real": {"face rate": real.face_rate} | evaluation.compare(compared, floor),
        "memorisation": memorisation(real, features),
    }
    if options.inception:
        result["generated"]["FID"], result["real"]["FID"] = fid(options.inception, images, real)
    print_table(options, result)
    write_files(options, result, images, features, real)
    return result


def memorisation(real, features):
    """Distances to the nearest training face, of generated faces and of real ones -> {name: {quantile: distance}}."""
    import numpy as np

    import evaluation

    if real.held_out is None:
        name = "training faces, of each other"
        others = evaluation.nearest(real.features[real.compared], real.features, leave_one_out=True)[1]
    else:
        name = "held-out faces"
        others = evaluation.nearest(real.held_out, real.features)[1]
    found = {"generated": evaluation.nearest(features, real.features)[1], name: others}
    shares = (0, 1, 50, 99)
    return {
        name: {f"{share} %": round(float(np.percentile(values, share)), 4) for share in shares}
        for name, values in found.items()
    }


def fid(weights, images, real):
    """FID of the generated and of the floor's real faces, against the real ones."""
    import numpy as np

    import evaluation
    import inception

    print(f"FID: {inception.PROTOCOL}")
    network = inception.load(weights)
    rows = [
        inception.features(network, np.stack(part))
        for part in (real.faces[real.compared], images, real.faces[real.floor])
    ]
    return [evaluation.frechet_distance(rows[0], other) for other in rows[1:]]


WORDS = {
    "face rate": "share in which dlib's detector finds a face",
    "FDD": "Frechet distance of dlib's 128 numbers; real: what is left between two real sets of n",
    "precision": "share of generated faces among the real ones' neighbours",
    "recall": "share of real faces among the generated ones' neighbours",
    "1-NN accuracy": "how well a nearest neighbour tells them apart; 0.5 is perfect",
    "FID": "Frechet distance of Inception's numbers",
}


def print_table(options, result):
    """Print what was found."""
    print(
        f"\nstep {result['step']:,}: {result['n']:,} generated faces (seed {result['seed']}) against as many real ones"
    )
    print(f"{'':15}{'generated':>10}{'real':>10}")
    for name, value in result["generated"].items():
        print(f"{name:15}{value:10.4f}{result['real'][name]:10.4f}  {WORDS[name]}")
    print(f"distance to the nearest of {result['real faces']:,} training faces:")
    for name, shares in result["memorisation"].items():
        print(f"  {name}: nearest {shares['0 %']:.3f}, 1 % below {shares['1 %']:.3f}, half below {shares['50 %']:.3f}")


def write_files(options, result, images, features, real):
    """Write the table as JSON, and the sheet of samples with the nearest training face at the right of each."""
    import numpy as np

    import evaluation
    import utils

    path = os.path.join(options.checkpoint_dir, f"evaluation-{result['step']}")
    nearest, _ = evaluation.nearest(features[:SHEET], real.features)
    pairs = [image for k, index in enumerate(nearest) for image in (images[k], real.faces[index])]
    utils.save_image(utils.merge(np.stack(pairs), 16), path + ".png")
    utils.write_text(path + ".json", json.dumps(result, indent=1) + "\n")
    print(f"{path}.json, and samples beside their nearest training faces in {path}.png")


def write_curve(folder, results):
    """Write the numbers of every step for TensorBoard."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(folder)
    for result in results:
        with writer.as_default(result["step"]):
            for name, value in result["generated"].items():
                tf.summary.scalar(name.replace(" ", "_"), value)
    writer.close()
    print(f"the curves: tensorboard --logdir {os.path.dirname(folder)}")


if __name__ == "__main__":
    cli.run(main)
