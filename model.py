"""DCGAN: generator, discriminator, losses, Adam, and the alternating update.

The networks are those of Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", ICLR 2016. The update (D once, then G twice) is that of
carpedm20/DCGAN-tensorflow and bamos/dcgan-completion.tensorflow. Knows nothing of files, summaries or
clocks.
"""

import tensorflow as tf

from ops import PER_REPLICA, BatchNorm, Conv2D, Conv2DTranspose, Linear, for_xla, lrelu, mean_over_replicas

ADAM_BETA2 = 0.999  # TF1's AdamOptimizer defaults, which the original kept
ADAM_EPSILON = 1e-8


def layer_widths(image_size, base):
    """Channels of the feature maps from the image's end to the 4x4 end.

    One layer for each halving of image_size down to 4, doubling from `base` and capped at
    8 times it: layer_widths(64, 64) == [64, 128, 256, 512]. A list as base is returned as it is.

    Raises ValueError for an image_size that is not a power of two from 16 on, or a list of another length.
    """
    if image_size < 16 or image_size & (image_size - 1):
        raise ValueError(f"image_size {image_size}: must be a power of two, at least 16")
    layers = image_size.bit_length() - 3  # 16: 2, 32: 3, 64: 4, ...
    widths = list(base) if isinstance(base, (list, tuple)) else [base * min(2**i, 8) for i in range(layers)]
    if len(widths) != layers:
        raise ValueError(f"{len(widths)} widths, but image_size {image_size} has {layers} layers")
    return widths


class Generator(tf.Module):
    """z [B, z_dim] in [-1, 1) -> images [B, image_size, image_size, c_dim] in (-1, 1)."""

    def __init__(self, image_size, z_dim, gf_dim, c_dim, seed=0, precision="float32", name="generator"):
        super().__init__(name=name)
        self.precision = precision  # of convolutions and matrix products
        widths = layer_widths(image_size, gf_dim)[::-1]  # 64x64: 512, 256, 128, 64
        self.width0 = widths[0]
        with self.name_scope:
            self.h0 = Linear(z_dim, 4 * 4 * widths[0], seed, name="g_h0_lin")
            self.convs = [
                Conv2DTranspose(in_dim, out_dim, seed, name=f"g_h{i}")
                for i, (in_dim, out_dim) in enumerate(zip(widths, widths[1:] + [c_dim]), start=1)
            ]
            self.norms = [BatchNorm(dim, name=f"g_bn{i}") for i, dim in enumerate(widths)]

    def __call__(self, z, training=False, passes=1):
        """passes: as in ops.BatchNorm, when training. The comments show the shapes of 64x64 images."""
        z = tf.cast(z, self.precision)
        h = tf.reshape(self.h0(z), [-1, 4, 4, self.width0])  # [B, 4, 4, 512]
        for norm, conv in zip(self.norms, self.convs):
            h = conv(tf.nn.relu(norm(h, training, passes)))  # 8x8x256, 16x16x128, 32x32x64, 64x64x3
        return tf.nn.tanh(tf.cast(h, tf.float32))


class Discriminator(tf.Module):
    """images [B, image_size, image_size, c_dim] in [-1, 1] -> (probability, logits), both [B, 1]."""

    def __init__(self, image_size, df_dim, c_dim, seed=0, precision="float32", name="discriminator"):
        super().__init__(name=name)
        self.precision = precision
        widths = layer_widths(image_size, df_dim)  # 64x64: 64, 128, 256, 512
        with self.name_scope:
            self.convs = [
                Conv2D(in_dim, out_dim, seed, name=f"d_h{i}_conv")
                for i, (in_dim, out_dim) in enumerate(zip([c_dim] + widths, widths))
            ]
            # None on the first layer: DCGAN paper, section 3
            self.norms = [BatchNorm(dim, name=f"d_bn{i}") for i, dim in enumerate(widths) if i > 0]
            self.lin = Linear(4 * 4 * widths[-1], 1, seed, name=f"d_h{len(widths) - 1}_lin")

    def __call__(self, images, training=False):
        """The comments show the shapes of 64x64 images."""
        images = tf.cast(images, self.precision)
        h = lrelu(self.convs[0](images))  # [B, 32, 32, 64]
        for conv, norm in zip(self.convs[1:], self.norms):
            h = lrelu(norm(conv(h), training))  # 16x16x128, 8x8x256, 4x4x512
        logits = self.lin(tf.reshape(h, [-1, self.lin.matrix.shape[0]]))  # [B, 1]
        logits = tf.cast(logits, tf.float32)
        return tf.nn.sigmoid(logits), logits


class Adam(tf.Module):
    """Adam as TF1 computed it (Kingma and Ba 2015, the form just before section 2.1).

    epsilon is added to sqrt(v), and the bias correction is folded into the step size. The moments are
    created here and not at the first step, so that a checkpoint restores completely at once.
    """

    def __init__(self, variables, learning_rate, beta1, name=None):
        super().__init__(name=name)
        self.parameters = list(variables)
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.iterations = tf.Variable(0, dtype=tf.int64, name="iterations", **PER_REPLICA)
        self.m = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.parameters]
        self.v = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.parameters]

    def apply(self, gradients, rate=1.0):
        """Move each parameter by its gradient, averaged over the replicas. Same order and shapes as the parameters.

        rate: factor of the learning rate
        """
        gradients = mean_over_replicas(gradients)
        t = tf.cast(self.iterations.assign_add(1), tf.float32)
        beta1_power, beta2_power = self.beta1**t, ADAM_BETA2**t
        for var, m, v, grad in zip(self.parameters, self.m, self.v, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(  # TF1's own kernel
                var=var.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=beta1_power,
                beta2_power=beta2_power,
                lr=self.learning_rate * rate,
                beta1=self.beta1,
                beta2=ADAM_BETA2,
                epsilon=ADAM_EPSILON,
                grad=grad,
            )


def cross_entropy(logits, label):
    """Mean sigmoid cross entropy of logits [B, 1] against one label (1 real, 0 fake) -> scalar."""
    labels = tf.fill(tf.shape(logits), float(label))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


class DCGAN(tf.Module):
    """Generator and discriminator with their optimizers. `update` trains them on a batch.

    `train_step` is its short form for one device; the training loop calls it on each replica, through
    devices/replicas.py.

    image_size: height and width of the images in pixels, a power of two from 16 on
    z_dim: length of z
    gf_dim, df_dim: channels of the generator's last hidden layer and of the discriminator's first; or
        those of all layers as a list, from the image's end, as some TF1 networks need
    c_dim: channels of the images, 3 for colour and 1 for gray
    learning_rate, beta1: of both Adam optimizers
    d_learning_rate, g_learning_rate: of one of them; None: learning_rate
    g_steps: generator updates per batch; the original's 2
    ema: decay of a moving average of the generator's weights, which `sample` then draws with; None: no
        average, as in the original
    seed: the initial weights and the stream of z follow from it
    precision: "float32" or "bfloat16", of convolutions and matrix products; everything else is float32
    xla: compile the update with XLA; None: no

    Raises ValueError for a wrong image_size.
    """

    def __init__(
        self,
        image_size=64,
        z_dim=100,
        gf_dim=64,
        df_dim=64,
        c_dim=3,
        learning_rate=2e-4,
        beta1=0.5,
        d_learning_rate=None,
        g_learning_rate=None,
        g_steps=2,
        ema=None,
        seed=0,
        precision="float32",
        xla=None,
        name=None,
    ):
        super().__init__(name=name)
        self.image_size, self.z_dim, self.c_dim = image_size, z_dim, c_dim
        self.gf_dim, self.df_dim = gf_dim, df_dim
        self.g_steps, self.ema, self.seed = g_steps, ema, seed
        self.generator = Generator(image_size, z_dim, gf_dim, c_dim, seed, precision)
        self.discriminator = Discriminator(image_size, df_dim, c_dim, seed, precision)
        self.g_optim = Adam(self.generator.trainable_variables, g_learning_rate or learning_rate, beta1)
        self.d_optim = Adam(self.discriminator.trainable_variables, d_learning_rate or learning_rate, beta1)
        self.g_ema = Generator(image_size, z_dim, gf_dim, c_dim, seed, precision) if ema else None  # starts as G does
        update = for_xla(bool(xla))(self.update)
        self.compiled_update = tf.function(update, autograph=False, jit_compile=xla or None)
        self.compiled_sampler = tf.function(lambda z: self.sampler(z), autograph=False)

    def draw_z(self, batch_size, step):
        """z of one step [batch_size, z_dim], uniform on [-1, 1): a function of (seed, step). Not for use in a graph."""
        with tf.device("CPU:0"):  # one operation, not tf.random's several: each costs a tenth of a millisecond
            seed = [self.seed, int(step)]
            uniform = tf.raw_ops.StatelessRandomUniform(shape=[batch_size, self.z_dim], seed=seed).numpy()
            return tf.constant(2 * uniform - 1)

    def train_step(self, images, z=None):
        """One batch: one D update, then g_steps G updates, all on the same z.

        images: [B, image_size, image_size, c_dim] float32 in [-1, 1]
        z: [B, z_dim], or None to draw it from the model's own stream

        Returns a dict of scalars that the updates computed: d_loss, d_loss_real, d_loss_fake, g_loss
        (of the last G update), and the means of D's probabilities d_real = D(x) and d_fake = D(G(z)).
        """
        images = tf.convert_to_tensor(images, tf.float32)
        if z is None:
            z = self.draw_z(images.shape[0], self.d_optim.iterations)
        return self.compiled_update(images, tf.convert_to_tensor(z, tf.float32))[0]

    def update(self, images, z, rate=1.0):
        """The article's batch, compiled as one graph -> (losses, outputs).

        rate: factor of both learning rates
        losses: as train_step returns them
        outputs: {"z": z, "d": D(x) [B, 1], "d_": D(G(z)) [B, 1]}

        Within a tf.distribute strategy, images and z are one replica's slices. The moments of batch
        norm, the gradients and the losses are the whole batch's, on every replica.
        """
        # G(z), for the D update and the first G update: G does not change in between. The original ran
        # it twice, so the moving averages move twice.
        with tf.GradientTape() as g_tape:
            fake_images = self.generator(z, training=True, passes=2)

        # Update D
        losses, outputs = self.update_discriminator(images, tf.stop_gradient(fake_images), rate)

        # Update G
        losses |= self.update_generator(fake_images, g_tape, rate)

        # Update G again, on the same z, so that D does not win (d_loss does not go to zero)
        for _ in range(self.g_steps - 1):
            with tf.GradientTape() as g_tape:
                fake_images = self.generator(z, training=True)
            losses |= self.update_generator(fake_images, g_tape, rate)

        if self.g_ema:
            self.update_ema()
        means = tf.unstack(mean_over_replicas(tf.stack(list(losses.values()))))
        return dict(zip(losses, means)), outputs | {"z": z}

    def update_discriminator(self, real_images, fake_images, rate=1.0):
        """One Adam step of D -> (losses, outputs). Real and fake are separate batches, each with its own moments."""
        variables = self.d_optim.parameters
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            real, real_logits = self.discriminator(real_images, training=True)
            fake, fake_logits = self.discriminator(fake_images, training=True)
            d_loss_real = cross_entropy(real_logits, 1)
            d_loss_fake = cross_entropy(fake_logits, 0)
            d_loss = d_loss_real + d_loss_fake
        self.d_optim.apply(tape.gradient(d_loss, variables), rate)
        losses = {
            "d_loss": d_loss,
            "d_loss_real": d_loss_real,
            "d_loss_fake": d_loss_fake,
            "d_real": tf.reduce_mean(real),
            "d_fake": tf.reduce_mean(fake),
        }
        return losses, {"d": real, "d_": fake}

    def update_generator(self, fake_images, g_tape, rate=1.0):
        """One Adam step of G on fake_images, which G made while g_tape recorded -> losses."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(fake_images)  # and not D's weights: they need no gradient here
            _, fake_logits = self.discriminator(fake_images, training=True)
            g_loss = cross_entropy(fake_logits, 1)
        image_gradients = tape.gradient(g_loss, fake_images)
        variables = self.g_optim.parameters
        self.g_optim.apply(g_tape.gradient(fake_images, variables, image_gradients), rate)
        return {"g_loss": g_loss}

    def update_ema(self):
        """Move g_ema's weights and moving averages towards G's.

        Early in a run the average is shorter, as in TF1's ExponentialMovingAverage(num_updates), so that
        it forgets the initial weights.
        """
        t = tf.cast(self.d_optim.iterations, tf.float32)
        rate = 1.0 - tf.minimum(self.ema, (1.0 + t) / (10.0 + t))
        for mean, value in zip(self.g_ema.variables, self.generator.variables):
            tf.raw_ops.AssignSubVariableOp(resource=mean.handle, value=rate * (mean - value))

    def sample(self, z):
        """z [N, z_dim] -> images [N, image_size, image_size, c_dim] in [-1, 1], inference mode."""
        return self.compiled_sampler(z)

    @property
    def sampler(self):
        """The generator to draw with: the moving average, where there is one."""
        return self.g_ema or self.generator
