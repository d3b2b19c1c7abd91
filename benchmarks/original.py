"""The original's training loop, written anew with TensorFlow 1 sessions, to measure against.

The network, losses, updates, summaries and the three evaluations after each batch are those of
bamos/dcgan-completion.tensorflow as the article lists them.
"""

import tensorflow as tf

v1 = tf.compat.v1


def conv2d(x, dim, name):
    """5x5, stride 2."""
    with v1.variable_scope(name):
        w = v1.get_variable("w", [5, 5, x.shape[-1], dim], initializer=v1.truncated_normal_initializer(stddev=0.02))
        return v1.nn.bias_add(v1.nn.conv2d(x, w, [1, 2, 2, 1], "SAME"), v1.get_variable("biases", [dim]))


def conv2d_transpose(x, shape, name):
    """5x5, stride 2."""
    with v1.variable_scope(name):
        w = v1.get_variable("w", [5, 5, shape[-1], x.shape[-1]], initializer=v1.random_normal_initializer(stddev=0.02))
        y = v1.nn.conv2d_transpose(x, w, shape, [1, 2, 2, 1])
        return v1.nn.bias_add(y, v1.get_variable("biases", [shape[-1]]))


def linear(x, dim, name):
    """Fully connected."""
    with v1.variable_scope(name):
        matrix = v1.get_variable("Matrix", [x.shape[-1], dim], initializer=v1.random_normal_initializer(stddev=0.02))
        return v1.matmul(x, matrix) + v1.get_variable("bias", [dim])


def batch_norm(x, name):
    """By the batch's moments, moving averages by 0.1 on every pass."""
    with v1.variable_scope(name):
        gamma = v1.get_variable("gamma", [x.shape[-1]], initializer=v1.ones_initializer())
        beta = v1.get_variable("beta", [x.shape[-1]], initializer=v1.zeros_initializer())
        mean = v1.get_variable("moving_mean", [x.shape[-1]], initializer=v1.zeros_initializer(), trainable=False)
        variance = v1.get_variable("moving_variance", [x.shape[-1]], initializer=v1.ones_initializer(), trainable=False)
        y, batch_mean, batch_variance = v1.nn.fused_batch_norm(x, gamma, beta, epsilon=1e-5)
        moves = [
            v1.assign_sub(mean, 0.1 * (mean - batch_mean)),
            v1.assign_sub(variance, 0.1 * (variance - batch_variance)),
        ]
        with v1.control_dependencies(moves):
            return tf.identity(y)


def lrelu(x):
    """As the original wrote it."""
    return 0.6 * x + 0.4 * abs(x)


class Original:
    """The original's graph and session. `step` runs one batch as its loop did."""

    def __init__(self, log_dir, batch_size=64, dim=64):
        with tf.Graph().as_default():
            self.build(log_dir, batch_size, dim)

    def generator(self, z, batch, dim):
        """z -> images."""
        h = tf.reshape(linear(z, dim * 8 * 4 * 4, "g_h0_lin"), [-1, 4, 4, dim * 8])
        h = tf.nn.relu(batch_norm(h, "g_bn0"))
        for i, (side, width) in enumerate(zip((8, 16, 32), (4, 2, 1)), start=1):
            h = conv2d_transpose(h, [batch, side, side, dim * width], f"g_h{i}")
            h = tf.nn.relu(batch_norm(h, f"g_bn{i}"))
        return tf.nn.tanh(conv2d_transpose(h, [batch, 64, 64, 3], "g_h4"))

    def discriminator(self, images, dim, reuse):
        """images -> probability, logits."""
        with v1.variable_scope("discriminator", reuse=reuse):
            h = lrelu(conv2d(images, dim, "d_h0_conv"))
            for i in (1, 2, 3):
                h = lrelu(batch_norm(conv2d(h, dim * 2**i, f"d_h{i}_conv"), f"d_bn{i}"))
            logits = linear(tf.reshape(h, [-1, dim * 8 * 16]), 1, "d_h3_lin")
            return tf.nn.sigmoid(logits), logits

    def build(self, log_dir, batch, dim):
        """Graph, summaries, optimizers, session."""
        self.images = v1.placeholder(tf.float32, [batch, 64, 64, 3])
        self.z = v1.placeholder(tf.float32, [None, 100])
        G = self.generator(self.z, batch, dim)
        D, D_logits = self.discriminator(self.images, dim, reuse=False)
        D_, D_logits_ = self.discriminator(G, dim, reuse=True)

        def loss(logits, labels):
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))

        self.d_loss_real = loss(D_logits, tf.ones_like(D))
        self.d_loss_fake = loss(D_logits_, tf.zeros_like(D_))
        self.g_loss = loss(D_logits_, tf.ones_like(D_))
        d_loss = self.d_loss_real + self.d_loss_fake
        histogram, scalar = v1.summary.histogram, v1.summary.scalar
        z_sum, d_sum, d__sum = histogram("z", self.z), histogram("d", D), histogram("d_", D_)
        real_sum, fake_sum = scalar("d_loss_real", self.d_loss_real), scalar("d_loss_fake", self.d_loss_fake)
        G_sum = v1.summary.image("G", G)
        self.g_sum = v1.summary.merge([z_sum, d__sum, G_sum, fake_sum, scalar("g_loss", self.g_loss)])
        self.d_sum = v1.summary.merge([z_sum, d_sum, real_sum, scalar("d_loss", d_loss)])

        variables = v1.trainable_variables()
        d_vars = [v for v in variables if "d_" in v.name]
        g_vars = [v for v in variables if "g_" in v.name]
        self.d_optim = v1.train.AdamOptimizer(2e-4, beta1=0.5).minimize(d_loss, var_list=d_vars)
        self.g_optim = v1.train.AdamOptimizer(2e-4, beta1=0.5).minimize(self.g_loss, var_list=g_vars)
        self.session = v1.Session()
        self.session.run(v1.global_variables_initializer())
        self.writer = v1.summary.FileWriter(log_dir)
        self.counter = 0

    def step(self, images, z):
        """One batch of the article's loop: D, G, G, a summary each, and three evaluations."""
        self.counter += 1
        both = {self.images: images, self.z: z}
        _, summary = self.session.run([self.d_optim, self.d_sum], both)
        self.writer.add_summary(summary, self.counter)
        for _ in range(2):
            _, summary = self.session.run([self.g_optim, self.g_sum], {self.z: z})
            self.writer.add_summary(summary, self.counter)
        fake = self.session.run(self.d_loss_fake, {self.z: z})
        real = self.session.run(self.d_loss_real, {self.images: images})
        return fake + real, self.session.run(self.g_loss, {self.z: z})
