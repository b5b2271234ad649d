"""A plain WGAN-GP, as one would write it from the Keras guides: the yardstick of `wgan_gp`.

    python benchmarks/plain_wgan_gp.py --seed=0 --out=plain.npz

The same digits and split as `train.py --variant=wgan_gp`, DCGAN networks of the same shapes, batch
64, five critic steps, Adam 2e-4 (0, 0.9), no average, no schedule. Nothing of tfgans but the data
is used. Writes 1,000 generated pictures, the steps and the seconds of training.
"""

import argparse
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgans import data

BATCH, CRITIC_STEPS, LATENT, PENALTY = 64, 5, 64, 10.0


def generator():
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(7 * 7 * 80, use_bias=False),
            layers.Reshape((7, 7, 80)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(40, 4, 2, "same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh"),
        ]
    )


def critic():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(128, 4, 2, "same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


class PlainWGANGP(keras.Model):
    def __init__(self):
        super().__init__()
        self.generator, self.critic = generator(), critic()
        self.built = True

    def compile(self, g_optimizer, d_optimizer):
        super().compile()
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer

    def penalty(self, real, fake):
        mixed = real + tf.random.uniform((BATCH, 1, 1, 1)) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            logits = self.critic(mixed, training=True)
        gradient = tape.gradient(logits, mixed)
        norm = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]) + 1e-12)
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, batch):
        for real in tf.split(batch["image"], CRITIC_STEPS):
            fake = self.generator(tf.random.normal((BATCH, LATENT)), training=True)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self.critic(fake, training=True))
                loss -= tf.reduce_mean(self.critic(real, training=True))
                loss += PENALTY * self.penalty(real, fake)
            variables = self.critic.trainable_variables
            self.d_optimizer.apply(tape.gradient(loss, variables), variables)
        with tf.GradientTape() as tape:
            fake = self.generator(tf.random.normal((BATCH, LATENT)), training=True)
            g_loss = -tf.reduce_mean(self.critic(fake, training=True))
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, variables), variables)
        return {"d_loss": loss, "g_loss": g_loss}


class StopAfter(keras.callbacks.Callback):
    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.steps = seconds, 0

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if time.perf_counter() - self.start >= self.seconds:
            self.model.stop_training = True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="generator steps; default 2000")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="end then; default no limit"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed; default 0")
    parser.add_argument("--out", required=True, help="file of the pictures, .npz")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    dataset, _ = data.load(
        "digits", batch_size=BATCH, batches_per_step=CRITIC_STEPS, seed=options.seed
    )
    model = PlainWGANGP()
    adam = {"learning_rate": 2e-4, "beta_1": 0.0, "beta_2": 0.9}
    model.compile(keras.optimizers.Adam(**adam), keras.optimizers.Adam(**adam))
    clock = StopAfter(options.seconds)
    start = time.perf_counter()
    # An epoch ends where training may stop.
    model.fit(
        dataset,
        steps_per_epoch=10,
        epochs=-(-options.steps // 10),
        verbose=0,
        shuffle=False,
        callbacks=[clock],
    )
    seconds = time.perf_counter() - start
    floats = model.generator.predict(tf.random.normal((1000, LATENT)), verbose=0)
    pictures = np.clip(np.rint((floats + 1) * 127.5), 0, 255).astype(np.uint8)
    np.savez_compressed(options.out, images=pictures, seconds=seconds, steps=clock.steps)
    print(f"{clock.steps} steps in {seconds:.0f} s")


if __name__ == "__main__":
    main()
