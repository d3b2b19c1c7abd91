"""Image completion: search z for which G(z) agrees with the known pixels of a photo.

Yeh et al., "Semantic Image Inpainting with Perceptual and Contextual Losses" (2016), as in
bamos/dcgan-completion.tensorflow.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from scipy import optimize

from cli.machine import cores
from sampling import latents
from sampling.settings import CompletionSettings

PHOTOS_AT_A_TIME = 4  # always, padded, so that no photo's result depends on the others
CURVATURE = 20  # steps that L-BFGS-B remembers; SciPy's default is 10
# Weight of |z|^2 with L-BFGS-B, per known number: it keeps z where G draws typical faces (docs/evaluation.md)
TYPICAL = 1 / 300
LOWRES = 8  # the original's --lowres: only the means of a photo's 8x8 blocks are known


def make_mask(kind, size, center_scale=CompletionSettings.centerScale, seed=CompletionSettings.seed):
    """A mask of the original -> float32 [size, size, 1], 1 where pixels are known, 0 in the hole.

    random: a fifth of the pixels is unknown
    center: the middle is unknown, from center_scale to 1 - center_scale
    left: the left half is unknown
    full: nothing is unknown
    grid: only every fourth pixel in both directions is known
    lowres: only the means of blocks are known
    """
    mask = np.ones([size, size, 1], np.float32)
    if kind == "random":
        mask[np.random.default_rng(seed).random([size, size]) < 0.2] = 0
    elif kind == "center":
        low, high = int(size * center_scale), int(size * (1 - center_scale))
        mask[low:high, low:high] = 0
    elif kind == "left":
        mask[:, : size // 2] = 0
    elif kind in ("grid", "lowres"):
        mask[:] = 0
        if kind == "grid":
            mask[::4, ::4] = 1
    return mask


class Search:
    """The compiled search for z, for PHOTOS_AT_A_TIME photos with some restarts each.

    settings: a settings.SearchSettings
    lowres: the means of blocks are known, instead of pixels
    """

    def __init__(self, dcgan, settings, lowres=False):
        self.dcgan, self.settings, self.lowres = dcgan, settings, lowres
        self.restarts, self.seed = settings.restarts, settings.seed
        self.step = {"adam": self.adam, "hmc": self.hmc}.get(settings.approach)
        self.compiled_run = tf.function(self.run, autograph=False) if self.step else self.lbfgs
        self.compiled_gradient = tf.function(self.gradient, autograph=False)
        self.compiled_losses = tf.function(self.losses, autograph=False)
        self.compiled_sampler = tf.function(lambda z: dcgan.sampler(z), autograph=False)

    def start(self):
        """The state before the first iteration: z, the same for every photo, and two moments of zero."""
        z = latents.draw(self.seed, range(self.restarts), self.dcgan.z_dim)
        if not self.step:
            z[0] = 0  # L-BFGS-B starts in the middle: better by 0.4 dB than at a random z
        z = tf.constant(np.tile(z, [PHOTOS_AT_A_TIME, 1]))
        return z, tf.zeros_like(z), tf.zeros_like(z)

    def run(self, state, images, mask, start, stop):
        """Iterations from start to stop -> the state after them."""

        def iterate(t, *state):
            return t + 1, *self.step(t, state, images, mask)

        return tf.while_loop(lambda t, *_: t < stop, iterate, (start, *state))[1:]

    def losses(self, z, images, mask):
        """Contextual and perceptual loss of each row, both [rows]. D and G in inference mode."""
        generated = self.dcgan.sampler(z)
        difference = blocks(generated - images) if self.lowres else mask * (generated - images)
        contextual = tf.reduce_sum(tf.abs(difference), axis=[1, 2, 3])
        logits = self.dcgan.discriminator(generated)[1][:, 0]
        return contextual, tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(logits), logits=logits)

    def gradient(self, z, images, mask):
        """Loss of each row [rows], and its gradient with respect to z [rows, z_dim]."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            contextual, perceptual = self.losses(z, images, mask)
            loss = contextual + self.settings.lam * perceptual
        return loss, tape.gradient(loss, z)

    def adam(self, t, state, images, mask):
        """One step of Adam, t counted from 0, then z is clipped to [-1, 1]."""
        s, (z, m, v) = self.settings, state
        _, gradient = self.gradient(z, images, mask)
        t = tf.cast(t + 1, tf.float32)
        m = s.beta1 * m + (1 - s.beta1) * gradient
        v = s.beta2 * v + (1 - s.beta2) * gradient**2
        move = s.lr * (m / (1 - s.beta1**t)) / (tf.sqrt(v / (1 - s.beta2**t)) + s.eps)
        return tf.clip_by_value(z - move, -1.0, 1.0), m, v

    def hmc(self, t, state, images, mask):
        """One proposal of Hamiltonian Monte Carlo: hmcL leapfrog steps, accepted or rejected."""
        s, (z, m, v) = self.settings, state
        beta = s.hmcBeta * s.hmcAnneal ** tf.cast(t, tf.float32)
        seed = tf.stack([tf.constant(self.seed, tf.int32), t])
        draws = tf.random.stateless_normal([self.restarts, z.shape[1]], seed)  # the same for every photo
        speed = first_speed = tf.tile(draws, [PHOTOS_AT_A_TIME, 1])
        first_loss, gradient = self.gradient(z, images, mask)

        def leapfrog(i, moved, speed, loss, gradient):
            speed -= s.hmcEps / 2 * beta * gradient
            moved = tf.clip_by_value(moved + s.hmcEps * speed, -1.0, 1.0)
            loss, gradient = self.gradient(moved, images, mask)
            return i + 1, moved, speed - s.hmcEps / 2 * beta * gradient, loss, gradient

        _, moved, speed, loss, _ = tf.while_loop(
            lambda i, *_: i < s.hmcL, leapfrog, (0, z, speed, first_loss, gradient)
        )
        energy = beta * (first_loss - loss) + tf.reduce_sum(first_speed**2 - speed**2, axis=1) / 2
        chance = tf.tile(tf.random.stateless_uniform([self.restarts], seed + [1, 0]), [PHOTOS_AT_A_TIME])
        accepted = tf.math.log(chance) < energy
        return tf.where(accepted[:, None], moved, z), m, v

    def lbfgs(self, state, images, mask, start, stop):
        """As `run`, by SciPy's L-BFGS-B (Byrd et al. 1995), which keeps z within [-1, 1]. Row by row."""
        if start == stop:
            return state
        size, c_dim = images.shape[2:]

        def search(row):
            known = images[row : row + 1], mask[row : row + 1]
            number = c_dim * ((size // LOWRES) ** 2 if self.lowres else np.sum(known[1]))
            if not number:
                return state[0][row]  # padding
            weight = TYPICAL * number

            def loss_and_gradient(z):
                loss, gradient = self.compiled_gradient(tf.constant(z[np.newaxis], tf.float32), *known)
                return float(loss[0]) + weight * z @ z, gradient[0].numpy() + 2 * weight * z

            return optimize.minimize(
                loss_and_gradient, state[0][row].numpy(), method="L-BFGS-B", jac=True,
                bounds=[(-1, 1)] * self.dcgan.z_dim, options=dict(maxiter=int(stop - start), maxcor=CURVATURE),
            ).x  # fmt: skip

        with ThreadPoolExecutor(cores()) as pool:
            z = list(pool.map(search, range(len(images))))
        return tf.constant(np.array(z), tf.float32), *state[1:]

    def reports(self, images, masks, advance=lambda iterations: None, stopped=lambda: False):
        """Complete photos [N, S, S, C] in [-1, 1] with masks [N, S, S, 1], some at a time, in turn.

        Yields (iteration, z, generated, contextual, perceptual), each of all photos with their best
        restart, before the first iteration, every outInterval iterations and after the last.

        advance: called with the number of iterations done, summed over photos
        stopped: whether to end now, without another report
        """
        settings, n = self.settings, PHOTOS_AT_A_TIME
        groups = [self.group(images[first : first + n], masks[first : first + n]) for first in range(0, len(images), n)]
        states, done = [self.start() for _ in groups], 0
        for stop in [*range(0, settings.nIter, settings.outInterval), settings.nIter]:
            found = []
            for k, (known, mask, photos) in enumerate(groups):
                states[k] = self.compiled_run(states[k], known, mask, tf.constant(done), tf.constant(stop))
                found.append(self.best(states[k][0], known, mask, photos))
                advance(photos * (stop - done))
                if stopped():
                    return
            done = stop
            yield done, *map(np.concatenate, zip(*found))

    def group(self, images, masks):
        """Photos and masks as the compiled search takes them, padded and once per restart; and how many there are."""
        padding = [(0, PHOTOS_AT_A_TIME - len(images)), (0, 0), (0, 0), (0, 0)]
        rows = [np.repeat(np.pad(array, padding), self.restarts, axis=0) for array in (images, masks)]
        return *(tf.constant(array, tf.float32) for array in rows), len(images)

    def best(self, z, images, masks, photos):
        """Each photo's best restart: z, G(z), contextual and perceptual loss."""
        contextual, perceptual = (loss.numpy() for loss in self.compiled_losses(z, images, masks))
        total = (contextual + self.settings.lam * perceptual).reshape(PHOTOS_AT_A_TIME, self.restarts)
        best = (np.arange(PHOTOS_AT_A_TIME) * self.restarts + total.argmin(axis=1))[:photos]
        generated = self.compiled_sampler(z).numpy()
        return z.numpy()[best], generated[best], contextual[best], perceptual[best]


def blocks(images):
    """Means of LOWRES x LOWRES blocks of images [B, H, W, C]."""
    return tf.nn.avg_pool2d(images, LOWRES, LOWRES, "VALID")


def known_blocks(pixels):
    """What the mask lowres shows: each block as its mean. [N, S, S, C] -> the same shape, float32."""
    means = blocks(tf.cast(pixels, tf.float32)).numpy()
    return means.repeat(LOWRES, axis=1).repeat(LOWRES, axis=2)
