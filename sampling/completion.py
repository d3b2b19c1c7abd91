"""Image completion: find z whose G(z) agrees with what is known of a photo, and fill its hole.

Yeh et al., "Semantic Image Inpainting with Perceptual and Contextual Losses" (2016), as in
bamos/dcgan-completion.tensorflow. Knows nothing of flags.
"""

import numpy as np
import tensorflow as tf
from scipy import sparse
from scipy.sparse.linalg import spsolve

from sampling import latents

MASKS = ("random", "center", "left", "full", "grid", "lowres")
LOWRES = 8  # the original's --lowres: a photo is known by the means of its 8x8 blocks
BATCH = 4  # photos searched at once, always, padded: so that none's result depends on the others


def make_mask(kind, size, center_scale=0.25, seed=0):
    """A mask of the original -> float32 [size, size, 1], 1 where pixels are known, 0 in the hole.

    random: a fifth is unknown. center: the middle, from center_scale to 1 - center_scale. left: the
    left half. full: nothing is unknown. grid: every fourth pixel in both directions is known.
    lowres: nothing but the means of blocks is known.
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
    """The compiled search for z, of BATCH photos with some restarts each.

    options: approach ("adam" or "hmc") and its settings under the original's names, lam, the weight
    of the perceptual loss, nIter, outInterval, restarts and seed. lowres: the means of blocks are
    known instead of pixels.
    """

    def __init__(self, dcgan, options, lowres=False):
        self.dcgan, self.options, self.lowres = dcgan, options, lowres
        self.restarts, self.seed = options.restarts, options.seed
        step = {"adam": self.adam, "hmc": self.hmc}[options.approach]
        self.run = tf.function(lambda state, images, mask, start, stop: tf.while_loop(
            lambda t, *_: t < stop, lambda t, *state: (t + 1, *step(t, state, images, mask)), (start, *state)
        )[1:], autograph=False)  # fmt: skip
        self.evaluate = tf.function(self.losses, autograph=False)
        self.generate = tf.function(lambda z: dcgan.sampler(z), autograph=False)

    def start(self):
        """The state before the first iteration: z, the same for every photo, and two moments of zero."""
        z = latents.draw(self.seed, range(self.restarts), self.dcgan.z_dim)
        z = tf.constant(np.tile(z, [BATCH, 1]))
        return z, tf.zeros_like(z), tf.zeros_like(z)

    def losses(self, z, images, mask):
        """Contextual and perceptual loss of each row, both [rows]. D and G in inference mode."""
        generated = self.dcgan.sampler(z)
        difference = blocks(generated - images) if self.lowres else mask * (generated - images)
        contextual = tf.reduce_sum(tf.abs(difference), axis=[1, 2, 3])
        logits = self.dcgan.discriminator(generated)[1][:, 0]
        return contextual, tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(logits), logits=logits)

    def gradient(self, z, images, mask):
        """Loss of each row [rows], and its gradient towards z [rows, z_dim]."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            contextual, perceptual = self.losses(z, images, mask)
            loss = contextual + self.options.lam * perceptual
        return loss, tape.gradient(loss, z)

    def adam(self, t, state, images, mask):
        """One step of Adam, t counted from 0, then z is clipped to [-1, 1]."""
        o, (z, m, v) = self.options, state
        _, gradient = self.gradient(z, images, mask)
        t = tf.cast(t + 1, tf.float32)
        m = o.beta1 * m + (1 - o.beta1) * gradient
        v = o.beta2 * v + (1 - o.beta2) * gradient**2
        move = o.lr * (m / (1 - o.beta1**t)) / (tf.sqrt(v / (1 - o.beta2**t)) + o.eps)
        return tf.clip_by_value(z - move, -1.0, 1.0), m, v

    def hmc(self, t, state, images, mask):
        """One proposal of Hamiltonian Monte Carlo: hmcL leapfrog steps, accepted or refused."""
        o, (z, m, v) = self.options, state
        beta = o.hmcBeta * o.hmcAnneal ** tf.cast(t, tf.float32)
        seed = tf.stack([tf.constant(self.seed, tf.int32), t])
        draws = tf.random.stateless_normal([self.restarts, z.shape[1]], seed)  # the same for every photo
        speed = first_speed = tf.tile(draws, [BATCH, 1])
        first_loss, gradient = self.gradient(z, images, mask)

        def leapfrog(i, moved, speed, loss, gradient):
            speed -= o.hmcEps / 2 * beta * gradient
            moved = tf.clip_by_value(moved + o.hmcEps * speed, -1.0, 1.0)
            loss, gradient = self.gradient(moved, images, mask)
            return i + 1, moved, speed - o.hmcEps / 2 * beta * gradient, loss, gradient

        _, moved, speed, loss, _ = tf.while_loop(
            lambda i, *_: i < o.hmcL, leapfrog, (0, z, speed, first_loss, gradient)
        )
        energy = beta * (first_loss - loss) + tf.reduce_sum(first_speed**2 - speed**2, axis=1) / 2
        chance = tf.tile(tf.random.stateless_uniform([self.restarts], seed + [1, 0]), [BATCH])
        accepted = tf.math.log(chance) < energy
        return tf.where(accepted[:, None], moved, z), m, v

    def complete(self, images, masks, report):
        """Complete photos, BATCH at most: images [N, S, S, C] in [-1, 1], masks [N, S, S, 1].

        report(iteration, z, generated, contextual, perceptual) is called before the first iteration,
        every outInterval of them, and after the last, with what each photo's best restart gives.
        """
        n, restarts, options = len(images), self.restarts, self.options
        padding = [(0, BATCH - n), (0, 0), (0, 0), (0, 0)]
        rows = [np.repeat(np.pad(array, padding), restarts, axis=0) for array in (images, masks)]
        images, masks = (tf.constant(array, tf.float32) for array in rows)
        state, done = self.start(), 0
        for stop in [*range(0, options.nIter, options.outInterval), options.nIter]:
            state = self.run(state, images, masks, tf.constant(done), tf.constant(stop))
            done = stop
            contextual, perceptual = (loss.numpy() for loss in self.evaluate(state[0], images, masks))
            total = (contextual + options.lam * perceptual).reshape(BATCH, restarts)
            best = (np.arange(BATCH) * restarts + total.argmin(axis=1))[:n]
            generated = self.generate(state[0]).numpy()[best]
            report(done, state[0].numpy()[best], generated, contextual[best], perceptual[best])


def blocks(images):
    """Means of LOWRES x LOWRES blocks of images [B, H, W, C]."""
    return tf.nn.avg_pool2d(images, LOWRES, LOWRES, "VALID")


def known_blocks(pixels):
    """What the mask lowres leaves to see: each block its mean. [N, S, S, C] -> the same shape, float32."""
    means = blocks(tf.cast(pixels, tf.float32)).numpy()
    return means.repeat(LOWRES, axis=1).repeat(LOWRES, axis=2)


def fill(images, generated, masks):
    """The photo where it is known, G(z) in the hole. All [N, S, S, C or 1]."""
    return masks * images + (1 - masks) * generated


def blend(image, generated, mask):
    """As fill, without a seam: the hole takes G(z)'s gradients and the photo's pixels at its rim.

    Solves Poisson's equation in the hole (Perez et al., "Poisson Image Editing", 2003). One photo
    [S, S, C], generated [S, S, C], mask [S, S, 1] -> [S, S, C] in [-1, 1].
    """
    size = mask.shape[0]
    hole = mask[..., 0] < 0.5
    number = np.full([size, size], -1)
    number[hole] = np.arange(hole.sum())
    if not hole.any() or hole.all():  # nothing to fill, or no rim to start from
        return fill(image, generated, mask)
    rows, columns, values = [], [], []
    right = np.zeros([hole.sum(), image.shape[2]])
    y, x = np.nonzero(hole)
    here = number[y, x]
    count = np.zeros(len(here))
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        inside = (y + dy >= 0) & (y + dy < size) & (x + dx >= 0) & (x + dx < size)
        near_y, near_x = y[inside] + dy, x[inside] + dx
        count[inside] += 1
        right[inside] += generated[y[inside], x[inside]] - generated[near_y, near_x]
        unknown = hole[near_y, near_x]
        rows.append(here[inside][unknown])
        columns.append(number[near_y, near_x][unknown])
        values.append(-np.ones(unknown.sum()))
        known = np.flatnonzero(inside)[~unknown]
        right[known] += image[near_y[~unknown], near_x[~unknown]]
    rows, columns, values = (np.concatenate([*parts, last]) for parts, last in
                             ((rows, here), (columns, here), (values, count)))  # fmt: skip
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=[len(here)] * 2)
    filled = np.array(image, np.float64)
    filled[hole] = np.stack([spsolve(matrix, channel) for channel in right.T], axis=-1)
    return np.clip(filled, -1, 1).astype(np.float32)


def psnr(a, b, where):
    """Peak signal to noise ratio in dB of a against b, both [S, S, C] in [-1, 1], where mask [S, S, 1] is 0."""
    hole = np.broadcast_to(where < 0.5, a.shape)
    error = np.mean((a[hole] - b[hole]) ** 2) if hole.any() else 0.0
    return float("inf") if error == 0 else 10 * np.log10(4 / error)  # the range is 2, its square 4
