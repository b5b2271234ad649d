"""tfgans: the row of the zoo, by its `train_step` alone and by its `fit`."""

import itertools
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

import tfgans
from peers import keras_steps, workloads
from tfgans import compat, data, export, layers, runs


class Ours(keras_steps.KerasSteps):
    """The compiled step of the row, without schedule and without an average."""

    def __init__(self, workload, folder, precision="float32"):
        compat.disable_remapper()  # as `tfgans.train` does
        self.precision = precision
        options = {"n_critic": workload.n_critic, "ema_decay": 0.0}
        options["generator.latent_dim"] = workload.latent_dim
        options["generator.width"], options["discriminator.width"] = workload.widths
        for optimizer in ("g_optimizer", "d_optimizer"):
            adam = {**workload.adam, "schedule": "constant"}
            options |= {f"{optimizer}.{key}": value for key, value in adam.items()}
        spec = tfgans.DataSpec(workload.image_shape)
        with runs.precision_scope(precision):
            model = tfgans.create(workload.variant, spec, **options)
        found = model.discriminator.layers
        self.normalized = [one for one in found if isinstance(one, layers.SpectralNormalization)]
        self.settle()
        rows = workloads.pictures(workload, folder).swapaxes(1, 2)  # part i is the rows i::n
        flat = rows.reshape(len(rows), -1, *workload.image_shape)
        super().__init__(model, [{"image": tf.constant(one)} for one in flat], workload, folder)

    def settle(self):
        """Normalises the kernels, as Keras' own layer does, and ends the power iterations."""
        for layer in self.normalized:
            kernel = layer.layer.kernel.numpy()
            left, sigmas, right = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), False)
            layer.layer.kernel.assign(kernel / sigmas[0])
            layer.v.assign(left[:, :1].T)
            layer.u.assign(right[:1])

    def export(self):
        """Stores the weights that the others start from."""
        arrays = {
            player: [variable.numpy() for variable in network.trainable_variables]
            for player, (network, _) in self.players.items()
        }
        arrays["u"] = [layer.u.numpy() for layer in self.normalized]
        workloads.write_weights(self.folder, arrays)

    def export_saved_model(self):
        """Stores the generator as users export it."""
        export.export(self.model, pathlib.Path(self.folder, f"saved_model_{self.precision}"), {})

    def environment(self):
        """Returns versions and threads."""
        return {key: runs.environment()[key] for key in ("versions", "threads")}

    def draw_from(self, draws):
        """Puts an iterator in place of the model's own draws."""
        self.model.latent = self.model.uniform = lambda stream, like: next(draws)

    def losses(self):
        """The logs are means since they were last reset, and each term has its own."""
        self.model.reset_metrics()
        logs = self.step()
        penalty = logs.get("gradient_penalty", 0.0)
        return {"d_loss": logs["d_loss"] + penalty, "g_loss": logs["g_loss"]}


class OursFit(Ours):
    """`model.fit` on the pipeline of `tfgans.data.load`."""

    def timed(self, count):
        """Returns the seconds from step to step, up to the first and after the last."""
        dataset, _ = data.load(
            str(pathlib.Path(self.folder, "pictures.npz")),
            batch_size=self.workload.batch,
            batches_per_step=self.workload.n_critic,
        )
        clock = Clock()
        start = time.perf_counter()
        self.model.fit(dataset, steps_per_epoch=count + 1, verbose=0, callbacks=[clock])
        end = time.perf_counter()
        seconds = [after - before for before, after in itertools.pairwise(clock.ends)]
        around = {"first_step_s": clock.ends[0] - start, "end_s": end - clock.ends[-1]}
        return {"seconds": seconds, **around}


class Clock(keras.callbacks.Callback):
    """Notes the time at which each step ends."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())
