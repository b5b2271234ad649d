"""The verbs of the adversarial game, and the tricks that any of its schemes can be played with."""

from collections.abc import Iterator
from typing import ClassVar

import tensorflow as tf

from tfgans import replicas, tricks
from tfgans.base import GenerativeModel
from tfgans.errors import UsageError


class AdversarialModel(GenerativeModel):
    """A generator against a discriminator (or critic), each with its optimiser.

    The networks' input names say what they are given: `latent` or `image`, and any other key of
    the batch, such as `label`. A discriminator whose `image` has several times the generator's
    channels judges as many pictures together (Lin et al., 2017, arXiv:1712.04086).

    Args:
        generator: From {"latent": ...} to images in [-1, 1].
        discriminator: From {"image": ...} to logits `(batch, 1)`.
        n_critic: Discriminator steps for each generator step.
        instance_noise: Deviation of the Gaussian noise on all images that the discriminator is
            shown; it falls linearly to 0 over the run.
        feature_weight: Weight of feature matching, which is added to the generator's loss: the
            squared distance of the means of real and of generated images in the last features of
            the discriminator. The paper has it alone, to which a large weight comes.
        historical_weight: Weight of the squared distance of each player's weights from their mean
            over the run so far.
        kernel_weight: Weight of half the squared norm of the discriminator's kernels.
        alternate_every: Steps for which each player in turn trains while the other rests, first
            the discriminator, such as the batches of an epoch; 0: both train in each step.
        seed: Seed of every random number that training draws.
        ema_decay: Decay of the averaged network that is sampled and exported; 0: no average. At
            step t it is (1 + t) / (10 + t) while that is less.
        latent_distribution: normal, or uniform on [-1, 1].

    Reference:
        Salimans et al., 2016, arXiv:1606.03498, Section 3; noise: Arjovsky and Bottou, 2017,
        arXiv:1701.04862, Section 3; Sonderby et al., 2016, arXiv:1610.04490.
    """

    optimizes: ClassVar[dict[str, tuple[str, ...]]] = {
        "g_optimizer": ("generator",),
        "d_optimizer": ("discriminator",),
    }
    logs: ClassVar[tuple[str, ...]] = ("d_loss", "g_loss")
    anneals: ClassVar[tuple[str, ...]] = ("instance_noise",)
    tells_class: ClassVar[bool] = False  # whether the discriminator has logits of the class too

    def __init__(
        self,
        generator,
        discriminator,
        *,
        n_critic=1,
        instance_noise=0.0,
        feature_weight=0.0,
        historical_weight=0.0,
        kernel_weight=0.0,
        alternate_every=0,
        **kwargs,
    ):
        super().__init__({"generator": generator, "discriminator": discriminator}, **kwargs)
        if isinstance(discriminator.output, dict) != self.tells_class:
            wanted = "also tells" if self.tells_class else "does not tell"
            raise UsageError(
                f"discriminator: {type(self).__name__} wants one that {wanted} the class, as "
                "dcgan's does with labels=told"
            )
        if n_critic < 1:
            raise UsageError(f"n_critic={n_critic!r} must be at least 1")
        if instance_noise < 0.0:
            raise UsageError(f"instance_noise={instance_noise!r} must not be negative")
        if alternate_every < 0:
            raise UsageError(f"alternate_every={alternate_every!r} must not be negative")
        self.n_critic, self.alternate_every = n_critic, alternate_every
        self.instance_noise, self.feature_weight = instance_noise, feature_weight
        self.historical_weight, self.kernel_weight = historical_weight, kernel_weight
        self.pasts = {player: self._copies(player) for player in self.players}

    def _copies(self, player):
        """Returns variables for the mean of a player's weights, where it is needed."""
        variables = getattr(self, player).trainable_variables if self.historical_weight else ()
        copies = [
            self.add_weight(shape=one.shape, dtype="float32", trainable=False, name=f"past_{index}")
            for index, one in enumerate(variables)
        ]
        for copy, variable in zip(copies, variables, strict=True):
            copy.assign(variable)
        return copies

    @property
    def all_logs(self):
        """The scheme's logs, gradient norms, what the discriminator says, and the tricks'."""
        weights = {
            "instance_noise": self.instance_noise,
            "feature_loss": self.feature_weight,
            "historical_penalty/generator": self.historical_weight,
            "historical_penalty/discriminator": self.historical_weight,
            "kernel_penalty": self.kernel_weight,
        }
        used = [name for name, value in weights.items() if value]
        return (*super().all_logs, *self._told_of_logits, *used)

    @property
    def _told_of_logits(self):
        """Names of what is logged of them; several outputs tell real from generated in no order."""
        one = _logits(self.discriminator.output).shape[-1] == 1
        return ("d_real", "d_fake", "d_accuracy") if one else ("d_real", "d_fake")

    @property
    def batches_per_step(self):
        """Batches that one step takes: one for each discriminator step."""
        return self.n_critic

    def updates_per_step(self, name):
        """The discriminator's optimiser takes `n_critic` steps, the generator's one."""
        return self.n_critic if "discriminator" in self.optimizes[name] else 1

    def updates_in(self, name, steps):
        """Those of the steps in which it is the player's turn."""
        if self.alternate_every:
            first = "discriminator" in self.optimizes[name]
            steps = max(1, tricks.in_turn(steps, self.alternate_every, first))
        return super().updates_in(name, steps)

    def check_rows(self, rows, replicas=1):
        """As every model: a batch must be packs."""
        tricks.check_packs(rows, self.discriminator.input["image"].shape[-1], self.image_shape[-1])

    def compile(self, **given):
        """As every model; players cannot take turns on several replicas."""
        if self.alternate_every and replicas.several():
            raise UsageError(f"alternate_every={self.alternate_every!r}: works on one replica only")
        super().compile(**given)

    def state(self):
        """What training changes, the mean weights of historical averaging included."""
        pasts = {
            f"past/{player}/{index:03d}": variable.value
            for player, variables in self.pasts.items()
            for index, variable in enumerate(variables)
        }
        return {**super().state(), **pasts}

    def begin_from(self, source):
        """As every model; the mean of the weights begins where they do."""
        super().begin_from(source)
        for past, variable in self._pasts_and_weights():
            past.assign(variable)

    def _pasts_and_weights(self):
        """Yields each variable of historical averaging with the weight whose mean it holds."""
        for player, pasts in self.pasts.items():
            present = getattr(self, player).trainable_variables if pasts else ()
            yield from zip(pasts, present, strict=True)

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
                What it is given is what `discriminate` returns.
            *penalties: `(critic, real, fake)` -> scalar, already weighted, added to the loss.

        Returns:
            The loss; a list where it is one or there are penalties, of each term.
        """

        def objective(piece):
            fake = tf.stop_gradient(self.fake_images(piece, "discriminator_latent"))
            real, fake = self.presented(piece["image"], "real"), self.presented(fake, "fake")
            told = [self.discriminate(image, piece) for image in (real, fake)]
            self._watch_logits(*map(_logits, told))
            terms = [penalty(self.critic(piece), real, fake) for penalty in penalties]
            return [*tf.nest.flatten(loss(*told)), *terms]

        terms = self.minimize("d_optimizer", objective, batch)
        return terms if len(terms) > 1 else terms[0]

    def generator_step(self, batch, loss, *penalties):
        """Moves the generator on as many generated images as `batch` has rows.

        Args:
            batch: dict with `image`, which gives the number, and what else the networks take.
            loss: `(fake_logits)` -> scalar, one of `tfgans.losses`, or a list of such.
            *penalties: `(fake)` -> scalar, already weighted, added to the loss.

        Returns:
            The loss; a list where it is one or there are penalties, of each term.
        """

        def objective(piece):
            fake = self.fake_images(piece, "generator_latent")
            shown = self.presented(fake, "generator")
            terms = [penalty(fake) for penalty in penalties]
            terms = [*tf.nest.flatten(loss(self.discriminate(shown, piece))), *terms]
            return [*terms, *self.feature_terms(piece, shown)]

        terms = self.minimize("g_optimizer", objective, batch)
        terms = terms[:-1] if self.feature_weight else terms
        return terms if len(terms) > 1 else terms[0]

    def minimize(self, name, objective, batch):
        """As every model, where it is the turn of the player; else only what it would minimise."""
        if not self.alternate_every:
            return super().minimize(name, objective, batch)
        before = dict(self.notes.watched)
        self.notes.watched.clear()  # may hold tensors of another graph

        def move():
            terms = super(AdversarialModel, self).minimize(name, objective, batch)
            return terms, dict(self.notes.watched)

        def look(piece):
            return objective(piece), dict(self.notes.watched)

        def rest():
            self._seed_layers(name)
            terms, watched = replicas.in_pieces(look, batch, self.accumulate, self.notes)
            norms = {f"grad_norm/{player}": tf.constant(0.0) for player in self.optimizes[name]}
            return terms, {**watched, **self.regularizers(name), **norms}

        turn = self.step // self.alternate_every % 2
        first = "discriminator" in self.optimizes[name]
        terms, watched = tf.cond(tf.equal(turn, 0 if first else 1), move, rest)
        self.notes.watched.clear()
        self.notes.watched.update(before | watched)
        return terms

    def regularizers(self, name):
        """Historical averaging, and the penalty on the discriminator's kernels."""
        terms = {}
        for player in self.optimizes[name]:
            variables = getattr(self, player).trainable_variables
            if self.historical_weight:
                distance = tricks.squared_distance(variables, self.pasts[player])
                terms[f"historical_penalty/{player}"] = self.historical_weight * distance
            if self.kernel_weight and player == "discriminator":
                norm = tricks.half_squared_norm(variables)
                terms["kernel_penalty"] = self.kernel_weight * norm
        return terms

    def track(self, **values):
        """As every model; the mean weights take in those of this step."""
        share = 1.0 / (tf.cast(self.step, tf.float32) + 2.0)
        for past, variable in self._pasts_and_weights():
            past.assign_add(share * (variable.value - past.value))
        return super().track(**values)

    def fake_images(self, batch, stream):
        """Returns float32 images of the generator in training mode, one a row of `batch`."""
        latent = self.latent(stream, like=batch["image"])
        inputs = _declared(self.generator, {**batch, "latent": latent})
        return tf.cast(self.generator(inputs, training=True), tf.float32)

    def presented(self, image, stream):
        """Returns images as the discriminator is shown them: in its packs, and under noise.

        Args:
            image: float32 images.
            stream: What they are, for noise of their own.

        Raises:
            UsageError: If the images do not divide into packs.
        """
        image = tricks.packed(image, self.discriminator.input["image"].shape[-1])
        if self.instance_noise:
            level = self.instance_noise * (1.0 - self.progress())
            self.notes.watched["instance_noise"] = level
            image += level * self.normal(f"{stream}/instance_noise", image.shape)
        return image

    def feature_terms(self, batch, fake):
        """Returns the term of feature matching, if there is one; `fake` is as presented."""
        if not self.feature_weight:
            return []
        network = getattr(self.discriminator, "network", self.discriminator)
        features = tricks.before_logits(network)

        def mean(image):
            inputs = _declared(features, {**batch, "image": image})
            return tf.reduce_mean(tf.cast(features(inputs, training=True), tf.float32), axis=0)

        real = self.presented(batch["image"], "matched")
        real_mean, fake_mean = replicas.mean([mean(real), mean(fake)])
        loss = self.feature_weight * tf.reduce_sum(tf.square(real_mean - fake_mean))
        self.notes.watched["feature_loss"] = loss
        return [loss]

    def discriminate(self, image, batch):
        """Returns the discriminator's float32 logits on `image`, with the rest of `batch`.

        Where its network has more outputs, it is a dict of them.
        """
        inputs = _declared(self.discriminator, {**batch, "image": image})
        outputs = self.discriminator(inputs, training=True)
        return tf.nest.map_structure(lambda output: tf.cast(output, tf.float32), outputs)

    def _watch_logits(self, real, fake):
        """Notes the means, and in which share of pairs the real image has the higher logit."""
        values = (
            tf.reduce_mean(real),
            tf.reduce_mean(fake),
            0.5 + 0.5 * tf.reduce_mean(tf.sign(real - fake)),
        )
        self.notes.watched.update(zip(self._told_of_logits, values, strict=False))

    def critic(self, batch):
        """Returns the discriminator as a function from images alone to logits."""
        return lambda image: _logits(self.discriminate(image, batch))


def _declared(network, available):
    """Picks the inputs that `network` declares; Keras would pair others by sorted order."""
    return {name: available[name] for name in network.input}


def _logits(told):
    return told["logits"] if isinstance(told, dict) else told
