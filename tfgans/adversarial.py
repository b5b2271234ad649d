"""The verbs of the adversarial game: critic batches, the discriminator's and generator's step."""

from collections.abc import Iterator
from typing import ClassVar

import tensorflow as tf

from tfgans.base import GenerativeModel
from tfgans.errors import UsageError


class AdversarialModel(GenerativeModel):
    """A generator against a discriminator (or critic), each with its optimiser.

    The networks' input names say what they are given: `latent` or `image`, and any other key of
    the batch, such as `label`.

    Args:
        generator: From {"latent": ...} to images in [-1, 1].
        discriminator: From {"image": ...} to logits `(batch, 1)`.
        n_critic: Discriminator steps for each generator step.
        seed: Seed of every random number that training draws.
        ema_decay: Decay of the averaged network that is sampled and exported; 0: no average.
        latent_distribution: normal, or uniform on [-1, 1].
    """

    optimizes: ClassVar[dict[str, tuple[str, ...]]] = {
        "g_optimizer": ("generator",),
        "d_optimizer": ("discriminator",),
    }
    logs: ClassVar[tuple[str, ...]] = ("d_loss", "g_loss")
    tells_class: ClassVar[bool] = False  # whether the discriminator has logits of the class too

    def __init__(self, generator, discriminator, *, n_critic=1, **kwargs):
        super().__init__({"generator": generator, "discriminator": discriminator}, **kwargs)
        if isinstance(discriminator.output, dict) != self.tells_class:
            wanted = "also tells" if self.tells_class else "does not tell"
            raise UsageError(
                f"discriminator: {type(self).__name__} wants one that {wanted} the class, as "
                "dcgan's does with labels=told"
            )
        if n_critic < 1:
            raise UsageError(f"n_critic={n_critic!r} must be at least 1")
        self.n_critic = n_critic

    @property
    def all_logs(self):
        """The scheme's logs, gradient norms, and the discriminator's mean outputs."""
        return (*super().all_logs, "d_real", "d_fake")

    @property
    def batches_per_step(self):
        """Batches that one step takes: one for each discriminator step."""
        return self.n_critic

    def updates_per_step(self, name):
        """The discriminator's optimiser takes `n_critic` steps, the generator's one."""
        return self.n_critic if "discriminator" in self.optimizes[name] else 1

    def critic_batches(self, batch) -> Iterator[dict[str, tf.Tensor]]:
        """Yields the `n_critic` batches that the pipeline packed into one.

        Part i is every n_critic-th row from i on, so that replicas that each hold a slice of the
        rows see, together, the very batches that one replica would.
        """
        for part in range(self.n_critic):
            self.notes.part = part  # the random draws of this part are its own
            yield {name: rows[part :: self.n_critic] for name, rows in batch.items()}

    def discriminator_step(self, batch, loss, *penalties):
        """Moves the discriminator on one batch of real and as many generated images.

        Args:
            batch: dict with `image` and what else the networks take.
            loss: `(real_logits, fake_logits)` -> scalar, one of `tfgans.losses`, or a list of such.
            *penalties: `(critic, real, fake)` -> scalar, already weighted, added to the loss.

        Returns:
            The loss; a list where it is one or there are penalties, of each term.
        """

        def objective(piece):
            real = piece["image"]
            fake = tf.stop_gradient(self.fake_images(piece, "discriminator_latent"))
            real_logits, fake_logits = map(self.critic(piece), (real, fake))
            self.notes.watched["d_real"] = tf.reduce_mean(real_logits)
            self.notes.watched["d_fake"] = tf.reduce_mean(fake_logits)
            terms = [penalty(self.critic(piece), real, fake) for penalty in penalties]
            return [*tf.nest.flatten(loss(real_logits, fake_logits)), *terms]

        terms = self.minimize("d_optimizer", objective, batch)
        return terms if len(terms) > 1 else terms[0]

    def generator_step(self, batch, loss, *penalties):
        """Moves the generator on as many generated images as `batch` has rows.

        Args:
            batch: dict with `image`, which gives the number, and what else the networks take.
            loss: `(fake_logits)` -> scalar, one of `tfgans.losses`.
            *penalties: `(fake)` -> scalar, already weighted, added to the loss.

        Returns:
            The loss; with penalties a list of the loss and each penalty.
        """

        def objective(piece):
            fake = self.fake_images(piece, "generator_latent")
            return [loss(self.critic(piece)(fake)), *(penalty(fake) for penalty in penalties)]

        terms = self.minimize("g_optimizer", objective, batch)
        return terms if penalties else terms[0]

    def fake_images(self, batch, stream):
        """Returns float32 images of the generator in training mode, one a row of `batch`."""
        latent = self.latent(stream, like=batch["image"])
        inputs = _declared(self.generator, {**batch, "latent": latent})
        return tf.cast(self.generator(inputs, training=True), tf.float32)

    def discriminate(self, image, batch):
        """Returns the discriminator's float32 logits on `image`, with the rest of `batch`.

        Where its network has more outputs, it is a dict of them.
        """
        inputs = _declared(self.discriminator, {**batch, "image": image})
        outputs = self.discriminator(inputs, training=True)
        return tf.nest.map_structure(lambda output: tf.cast(output, tf.float32), outputs)

    def critic(self, batch):
        """Returns the discriminator as a function from images alone to logits."""
        return lambda image: self.discriminate(image, batch)


def _declared(network, available):
    """Picks the inputs that `network` declares; Keras would pair others by sorted order."""
    return {name: available[name] for name in network.input}
