"""Three batches of the TF1 graph's on N logical devices, in a process of its own: losses and weights into a file.

python train_replicas.py N FILE.npz
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

import numpy as np  # noqa: E402

from devices import start  # noqa: E402

number, path = int(sys.argv[1]), sys.argv[2]
strategy, _ = start.set_up(names=",".join(f"CPU:{k}" for k in range(number)))

import tensorflow as tf  # noqa: E402

from devices.replicas import Replicas  # noqa: E402
from model import DCGAN  # noqa: E402
from ops import batch_norm  # noqa: E402

tf1 = np.load(os.path.join(ROOT, "tests", "fixtures", "tf1_parity.npz"))
replicas = Replicas(4, strategy)
with replicas.strategy.scope():
    dcgan = DCGAN(z_dim=8, gf_dim=4, df_dim=4, ema=0.9)
for variable in dcgan.generator.variables + dcgan.discriminator.variables:
    variable.assign(tf1["init/" + variable.name.split(":")[0]])
found = {"replicas": replicas.number}
for step in range(3):
    images, z = (replicas.to_devices(tf1[f"{name}/{step}"][replicas.local_rows]) for name in ("images", "z"))
    losses, outputs = replicas.strategy.run(dcgan.compiled_update, (images, z))
    found |= {f"{name}/{step}": value.numpy() for name, value in replicas.first_of(losses).items()}
    found |= {f"{name}/{step}": value.numpy() for name, value in replicas.gather(outputs).items()}
# A channel that is constant, and one that hardly varies: their variance must not drown in rounding
x = np.stack([np.full([4, 2, 2], 3.3), np.random.default_rng(0).normal(20, 0.01, [4, 2, 2])], -1).astype(np.float32)


@tf.function(autograph=False)
def normalise(x):
    """Batch norm alone."""
    return replicas.strategy.run(lambda x: batch_norm(x, tf.ones(2), tf.zeros(2))[0], (x,))


found["normalised"] = replicas.gather(normalise(replicas.to_devices(x[replicas.local_rows]))).numpy()
networks = {"": dcgan.generator, "ema/": dcgan.g_ema, "d/": dcgan.discriminator}
for prefix, network in networks.items():
    for variable in network.variables:
        copies = [copy.numpy() for copy in replicas.strategy.experimental_local_results(variable)]
        assert len(copies) == number and all(np.array_equal(copy, copies[0]) for copy in copies), variable.name
        found[f"final/{prefix}{variable.name.split(':')[0]}"] = copies[0]
np.savez(path, **found)
