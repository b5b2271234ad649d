"""The SavedModel of our generator, with TensorFlow alone."""

import pathlib

import tensorflow as tf

from peers import workloads


class SavedModel:
    """Draws pictures as whoever deploys it would."""

    def __init__(self, workload, folder, precision="float32"):
        self.workload = workload
        self.loaded = tf.saved_model.load(str(pathlib.Path(folder, f"saved_model_{precision}")))

    def pictures(self, count):
        """Returns pictures of the shared latents, as lists."""
        latent = tf.constant(workloads.latents(self.workload, count))
        images = self.loaded.signatures["serving_default"](latent=latent)["image"]
        return workloads.to_uint8(images.numpy()).tolist()

    def sampled(self, count):
        """Returns the seconds that `count` pictures take."""
        return workloads.duration(lambda n: self.loaded.sample(n=n, seed=0)["image"].numpy(), count)
