"""The training base of every system: players, optimisers, an averaged network, logs, state.

A system is a subclass whose `train_step` says, with the verbs of its base, what its paper's
algorithm box says. `tfgans.adversarial` adds the verbs of the adversarial game.
"""

import hashlib
from typing import ClassVar

import keras
import tensorflow as tf

from tfgans import layer_states, randomness, replicas
from tfgans.errors import UsageError
from tfgans.sampling import Sampling
from tfgans.serialization import SerializableModel

_LossScale = keras.optimizers.LossScaleOptimizer


class GenerativeModel(Sampling, SerializableModel):
    """A model that learns to make pictures.

    Args:
        players: The networks by name; each becomes an attribute of that name.
        seed: Seed of every random number that training draws.
        ema_decay: Decay of the averaged network that is sampled and exported; 0: no average. At
            step t it is (1 + t) / (10 + t) while that is less.
        latent_distribution: normal, or uniform on [-1, 1].
        classes: Labels of the training data; a network that takes a label is given only these.
        steps: Length of the run, for what is annealed over it.
    """

    optimizes: ClassVar[dict[str, tuple[str, ...]]] = {}  # optimiser -> players it moves
    logs: ClassVar[tuple[str, ...]] = ()  # what `train_step` tracks
    anneals: ClassVar[tuple[str, ...]] = ()  # options that fade over the run, unless they are 0

    def __init__(
        self,
        players,
        *,
        seed=0,
        ema_decay=0.0,
        latent_distribution="normal",
        classes=(),
        steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 0.0 <= ema_decay < 1.0:
            raise UsageError(f"ema_decay={ema_decay!r} must lie in [0, 1)")
        if latent_distribution not in ("normal", "uniform"):
            raise UsageError(
                f"latent_distribution={latent_distribution!r} must be 'normal' or 'uniform'"
            )
        self.players = tuple(players)
        for player, network in players.items():
            setattr(self, player, network)
        self.seed, self.steps, self.ema_decay = seed, steps, ema_decay
        self.latent_distribution, self.classes = latent_distribution, list(classes)
        self.average = None
        if ema_decay:
            network = players[self.generates]
            self.average = keras.models.clone_model(network)
            self.average.set_weights(network.get_weights())
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="step"
        )
        self.means = {}
        self.notes = replicas.Notes()
        self.built = True

    # What it needs and tells.

    @property
    def all_logs(self) -> tuple[str, ...]:
        """Names of everything that is logged: the scheme's own and each gradient norm."""
        return (*self.logs, *(f"grad_norm/{player}" for player in self.players))

    @property
    def batches_per_step(self) -> int:
        """Batches that one step takes from the pipeline."""
        return 1

    @property
    def metrics(self):
        """The running means behind the logs."""
        return list(self.means.values())

    def foresight(self, images) -> str:
        """Returns what a user should hear before a run that shows so many images, or nothing."""
        del images
        return ""

    # Training.

    def compile(self, *, jit_compile=False, accumulate=1, run_eagerly=False, **optimizers):
        """Takes one Keras optimiser for each name in `optimizes`.

        Args:
            jit_compile: Whether XLA compiles the step; slower on a CPU.
            accumulate: Pieces that each batch is worked through in, to need less memory.
            run_eagerly: Whether the step runs as plain Python.
            **optimizers: The optimisers by name, such as `g_optimizer`.

        Raises:
            ValueError: If the names are not those of `optimizes`.
        """
        if set(optimizers) != set(self.optimizes):
            raise ValueError(f"compile takes {sorted(self.optimizes)}, got {sorted(optimizers)}")
        super().compile(optimizer=None, jit_compile=jit_compile, run_eagerly=run_eagerly)
        self.means = {name: replicas.Mean(name) for name in self.all_logs}
        self.accumulate = accumulate
        for layer in self._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = replicas.several()
        for name, optimizer in optimizers.items():
            # Keras would scale the losses of `model.optimizer` only.
            if self._is_float16() and not isinstance(optimizer, _LossScale):
                optimizer = _LossScale(optimizer)
            optimizer.build(self._variables_of(name))
            setattr(self, name, replicas.expecting_means(optimizer))

    def fit(self, *args, shuffle=False, **kwargs):
        """Keras' own `fit`; the pipeline has shuffled already."""
        return super().fit(*args, shuffle=shuffle, **kwargs)

    def make_train_function(self, force=False):
        """Keras' own, and for several replicas one of ours."""
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return super().make_train_function(force)
        if force or not getattr(self, "train_function", None):
            self.train_function = replicas.train_function(self)
        return self.train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds nothing: all is built, and Keras would fail at it with several workers."""

    def check_rows(self, rows, replicas=1):
        """Refuses images that a step could not work through so many at a time.

        Args:
            rows: Images of a piece of a batch.
            replicas: Replicas that each have as many.

        Raises:
            UsageError: If it could not.
        """

    def updates_per_step(self, name):
        """Steps that the optimiser `name` takes in one `train_step`."""
        del name
        return 1

    def updates_in(self, name, steps):
        """Steps that the optimiser `name` takes in a run of `steps`."""
        return steps * self.updates_per_step(name)

    def regularizers(self, name) -> dict[str, tf.Tensor]:
        """Terms of the weights alone that are added to what the optimiser `name` minimises."""
        del name
        return {}

    def moving(self, player):
        """Returns the variables of a player that a step moves."""
        return getattr(self, player).trainable_variables

    def minimize(self, name, objective, batch):
        """Takes one step of the optimiser `name` on the sum of what `objective` returns.

        Args:
            name: Key of `optimizes`; its players move and no others.
            objective: From a batch to a list of scalar loss terms, means over its rows.
            batch: dict of tensors; worked through in `accumulate` pieces, one after the other.

        Returns:
            The list of terms.
        """
        optimizer = getattr(self, name)
        variables = [v for player in self.optimizes[name] for v in self.moving(player)]
        before = dict(self.notes.watched)
        self.notes.watched.clear()  # it may hold tensors of another graph
        self._advance_layers(name)
        self._seed_layers(name)

        def work(piece):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([variable.value for variable in variables])
                terms, of_weights = objective(piece), self.regularizers(name)
                loss = optimizer.scale_loss(tf.add_n([*terms, *of_weights.values()]))
            self.notes.watched.update(of_weights)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            return terms, gradients, dict(self.notes.watched)

        terms, gradients, watched = replicas.in_pieces(work, batch, self.accumulate, self.notes)
        self.notes.watched.update(before | watched)
        gradients = replicas.mean(gradients)
        self._watch_norms(name, gradients)
        optimizer.apply(gradients, variables)
        return terms

    def track(self, **values):
        """Ends a step: counts it, moves the average, and returns the running means of the logs.

        Raises:
            ValueError: If the names are not those that the class declares in `logs`.
        """
        if set(values) != set(self.logs):
            raise ValueError(f"{type(self).__name__} declares {self.logs}, tracks {list(values)}")
        self._move_average()
        self.step.assign_add(1)
        values |= self.notes.watched
        for name, value in zip(values, replicas.mean(list(values.values())), strict=True):
            self.means[name].update_state(value)
        self.notes.watched.clear()
        return {name: mean.result() for name, mean in self.means.items()}

    def latent(self, stream, like):
        """Draws training latents, one for each example of `like`."""
        shape = (like.shape[0], self.latent_dim)
        if self.latent_distribution == "uniform":
            return 2.0 * self.uniforms(stream, shape) - 1.0
        return self.normal(stream, shape)

    def normal(self, stream, shape):
        """Draws standard normals that depend on seed, step, stream and critic part alone."""
        return self._drawn(randomness.normal, stream, shape)

    def uniform(self, stream, like):
        """Draws one number in [0, 1) for each image of `like`: shape `(batch, 1, 1, 1)`."""
        return self.uniforms(stream, (like.shape[0], *[1] * (like.shape.rank - 1)))

    def uniforms(self, stream, shape):
        """Draws numbers in [0, 1), as `normal` does."""
        return self._drawn(randomness.uniform, stream, shape)

    def progress(self):
        """Returns how much of the run is over, from 0 to 1: what is annealed follows it."""
        return tf.minimum(tf.cast(self.step, tf.float32) / float(self.steps), 1.0)

    def steps_averaged(self):
        """Returns how many steps the average is old; a young one moves faster."""
        return self.step

    def begin_from(self, source):
        """Takes over what of a trained model's state goes with its networks, which it has already.

        Args:
            source: A model with the same players.
        """

    # What makes a run repeatable.

    def state(self) -> dict[str, tf.Variable]:
        """Returns all that training changes, in a fixed order: networks, average, optimisers.

        The states of layers that draw are left out: each step sets them anew.
        """
        owners = {player: getattr(self, player) for player in self.players}
        if self.average is not None:
            owners["average"] = self.average
        owners |= {name: getattr(self, name) for name in self.optimizes}
        named = {"step": self.step.value}
        for owner, keeper in owners.items():
            for index, variable in enumerate(keeper.variables):
                if not variable.path.endswith("seed_generator_state"):
                    named[f"{owner}/{index:03d}"] = variable.value
        return named

    def weights_sha256(self) -> str:
        """Returns the SHA-256 of the state; equal runs have equal hashes."""
        digest = hashlib.sha256()
        for name, variable in self.state().items():
            digest.update(f"{name}{variable.shape}".encode())
            digest.update(variable.numpy().tobytes())
        return digest.hexdigest()

    # Inner workings.

    def _drawn(self, draw, stream, shape):
        return draw(self.seed, self.step, stream, shape, self.notes.part, self.notes.piece)

    def _variables_of(self, name):
        return [
            v for player in self.optimizes[name] for v in getattr(self, player).trainable_variables
        ]

    def _is_float16(self):
        networks = [getattr(self, player) for player in self.players]
        return any(layer.compute_dtype == "float16" for net in networks for layer in net.layers)

    def _advance_layers(self, name):
        """Advances the power iterations of the players that move."""
        for player in self.optimizes[name]:
            layer_states.advance(getattr(self, player))

    def _seed_layers(self, name):
        """Seeds the layers of all players that draw."""

        def key_of(index, number):
            part = self.notes.part * number + index
            return randomness.key(self.seed, self.step, f"layers/{name}", part)

        layer_states.seed([getattr(self, player) for player in self.players], key_of)

    def _watch_norms(self, name, gradients):
        optimizer = getattr(self, name)
        scaled = isinstance(optimizer, _LossScale)
        scale = 1.0 / optimizer.dynamic_scale if scaled else 1.0
        for player in self.optimizes[name]:
            count = len(self.moving(player))
            norm = tf.linalg.global_norm(gradients[:count]) * scale
            gradients = gradients[count:]
            if scaled:  # an overflow makes the optimiser skip the step and lower the scale
                norm = tf.where(tf.math.is_finite(norm), norm, 0.0)
            self.notes.watched[f"grad_norm/{player}"] = norm

    def _move_average(self):
        if self.average is None:
            return
        steps = tf.cast(self.steps_averaged(), tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))
        layer_states.follow(self.average, getattr(self, self.generates), decay)
