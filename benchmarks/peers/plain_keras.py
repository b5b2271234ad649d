"""Plain Keras: a `train_step` as the guides on keras.io write it, stock layers and losses.

Reference:
    https://keras.io/guides/custom_train_step_in_tensorflow and keras.io/examples/generative/wgan_gp
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from peers import keras_steps, workloads


class GAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim, d_steps, gp_weight):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.latent_dim, self.d_steps, self.gp_weight = latent_dim, d_steps, gp_weight
        self.built = True

    def compile(self, d_optimizer, g_optimizer, d_loss_fn, g_loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self.d_loss_fn, self.g_loss_fn = d_loss_fn, g_loss_fn

    def latent(self, batch_size):
        return tf.random.normal((batch_size, self.latent_dim))

    def mix(self, batch_size):
        return tf.random.uniform((batch_size, 1, 1, 1))

    def gradient_penalty(self, real_images, fake_images):
        alpha = self.mix(real_images.shape[0])
        interpolated = fake_images + alpha * (real_images - fake_images)
        with tf.GradientTape() as tape:
            tape.watch(interpolated)
            logits = self.discriminator(interpolated, training=True)
        gradients = tape.gradient(logits, interpolated)
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]))
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, data):
        batch_size = data.shape[1]
        for i in range(self.d_steps):
            fake_images = self.generator(self.latent(batch_size), training=True)
            with tf.GradientTape() as tape:
                real_logits = self.discriminator(data[i], training=True)
                fake_logits = self.discriminator(fake_images, training=True)
                d_loss = self.d_loss_fn(real_logits, fake_logits)
                if self.gp_weight:
                    d_loss += self.gp_weight * self.gradient_penalty(data[i], fake_images)
            weights = self.discriminator.trainable_variables
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        latent = self.latent(batch_size)
        with tf.GradientTape() as tape:
            fake_logits = self.discriminator(self.generator(latent, training=True), training=True)
            g_loss = self.g_loss_fn(fake_logits)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"d_loss": d_loss, "g_loss": g_loss}


cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)


def non_saturating(real, fake):
    real_loss = cross_entropy(tf.ones_like(real), real)
    return real_loss + cross_entropy(tf.zeros_like(fake), fake)


def hinge(real, fake):
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


LOSSES = {  # name -> the discriminator's and the generator's
    "non_saturating": (non_saturating, lambda fake: cross_entropy(tf.ones_like(fake), fake)),
    "wasserstein": (
        lambda real, fake: tf.reduce_mean(fake) - tf.reduce_mean(real),
        lambda fake: -tf.reduce_mean(fake),
    ),
    "hinge": (hinge, lambda fake: -tf.reduce_mean(fake)),
}


def sequential(game, generator, discriminator):
    generator = keras.Sequential([keras.Input((game.latent_dim,)), *generator])
    return generator, keras.Sequential([keras.Input(game.image_shape), *discriminator])


def mlp(game):
    g_width, d_width = game.widths
    generator = [layers.Dense(g_width, activation="relu") for _ in range(2)]
    generator += [layers.Dense(math.prod(game.image_shape), activation="tanh")]
    generator += [layers.Reshape(game.image_shape)]
    discriminator = [layers.Flatten()]
    for _ in range(2):
        discriminator += [layers.Dense(d_width), layers.LeakyReLU(0.2)]
    discriminator += [layers.Dense(1)]
    return sequential(game, generator, discriminator)


def batch_norm():
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def dcgan(game):
    side, (g_width, d_width) = game.first_side, game.widths
    multiples = [min(8, 2**level) for level in range(game.doublings)]
    first, *others = [g_width * multiple for multiple in reversed(multiples)]
    generator = [layers.Dense(side * side * first, use_bias=False)]
    generator += [layers.Reshape((side, side, first))]
    for channels in [*others, game.image_shape[-1]]:
        generator += [batch_norm(), layers.ReLU()]
        generator += [layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=False)]
    generator += [layers.Activation("tanh")]
    biased = bool(game.gp_weight)
    discriminator = []
    for level, multiple in enumerate(multiples):
        discriminator += [layers.Conv2D(d_width * multiple, 4, 2, "same", use_bias=biased)]
        if level and not biased:
            discriminator += [batch_norm()]
        discriminator += [layers.LeakyReLU(0.2)]
    discriminator += [layers.Conv2D(1, side, use_bias=biased), layers.Flatten()]
    return sequential(game, generator, discriminator)


def resnet(game):
    return resnet_generator(game), resnet_discriminator(game)


def resnet_generator(game):
    side, width = game.first_side, game.widths[0]
    latent = keras.Input((game.latent_dim,))
    maps = layers.Reshape((side, side, width))(layers.Dense(side * side * width)(latent))
    for _ in range(game.doublings):
        residual = layers.UpSampling2D()(layers.ReLU()(batch_norm()(maps)))
        residual = layers.Conv2D(width, 3, padding="same")(residual)
        residual = layers.ReLU()(batch_norm()(residual))
        residual = layers.Conv2D(width, 3, padding="same")(residual)
        shortcut = layers.Conv2D(width, 1)(layers.UpSampling2D()(maps))
        maps = layers.Add()([residual, shortcut])
    maps = layers.ReLU()(batch_norm()(maps))
    image = layers.Conv2D(game.image_shape[-1], 3, padding="same", activation="tanh")(maps)
    return keras.Model(latent, image)


def resnet_discriminator(game):
    def convolve(maps, kernel):
        convolution = layers.Conv2D(game.widths[1], kernel, padding="same")
        return layers.SpectralNormalization(convolution)(maps)

    image = keras.Input(game.image_shape)
    residual = convolve(layers.ReLU()(convolve(image, 3)), 3)
    shortcut = convolve(layers.AveragePooling2D(2)(image), 1)
    maps = layers.Add()([layers.AveragePooling2D(2)(residual), shortcut])
    for halved in (True, False, False):
        residual = convolve(layers.ReLU()(maps), 3)
        residual, shortcut = convolve(layers.ReLU()(residual), 3), maps
        if halved:
            shortcut = layers.AveragePooling2D(2)(convolve(maps, 1))
            residual = layers.AveragePooling2D(2)(residual)
        maps = layers.Add()([residual, shortcut])
    features = keras.ops.sum(layers.ReLU()(maps), axis=(1, 2))
    return keras.Model(image, layers.SpectralNormalization(layers.Dense(1))(features))


NETWORKS = {"mlp": mlp, "dcgan": dcgan, "resnet": resnet}


class PlainKeras(keras_steps.KerasSteps):
    """The compiled step of the plain model, which starts from the stored weights."""

    def __init__(self, workload, folder):
        generator, discriminator = NETWORKS[workload.networks](workload)
        model = GAN(
            discriminator, generator, workload.latent_dim, workload.n_critic, workload.gp_weight
        )
        optimizers = [keras.optimizers.Adam(**workload.adam) for _ in range(2)]
        for optimizer, network in zip(optimizers, (discriminator, generator), strict=True):
            optimizer.build(network.trainable_variables)
        model.compile(*optimizers, *LOSSES[workload.loss])
        elements = [tf.constant(batches) for batches in workloads.pictures(workload, folder)]
        super().__init__(model, elements, workload, folder)
        self.start_from(folder)

    def start_from(self, folder):
        """Gives the networks the weights that all contenders start from."""
        found = self.model.discriminator.layers
        normalized = [one for one in found if isinstance(one, layers.SpectralNormalization)]
        rows = {player: one.trainable_variables for player, (one, _) in self.players.items()}
        rows["u"] = [layer.vector_u for layer in normalized]
        for name, row in rows.items():
            for variable, array in zip(row, workloads.weights(folder, name), strict=True):
                variable.assign(array.reshape(variable.shape))

    def draw_from(self, draws):
        """Puts an iterator in place of the model's own draws."""
        self.model.latent = self.model.mix = lambda batch_size: next(draws)


class Predict(PlainKeras):
    """Draws pictures from the generator by Keras' `predict`."""

    def pictures(self, count):
        """Returns pictures of the shared latents, as lists."""
        return self.generated(workloads.latents(self.workload, count)).tolist()

    def sampled(self, count):
        """Returns the seconds that `count` pictures take."""
        draws = np.random.default_rng(0)
        shape = (count, self.workload.latent_dim)
        return workloads.duration(
            lambda n: self.generated(draws.standard_normal(shape, np.float32)), count
        )

    def generated(self, latents):
        """Returns uint8 pictures."""
        size = workloads.SAMPLES_AT_ONCE
        images = self.model.generator.predict(latents, batch_size=size, verbose=0)
        return workloads.to_uint8(images)
