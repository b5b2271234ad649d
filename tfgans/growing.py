"""The game of networks that grow: which stage is in use, and pictures of its size."""

from collections.abc import Callable

import tensorflow as tf

from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError


class GrowingModel(AdversarialModel):
    """An adversarial game that begins with small pictures and goes on to larger ones.

    Which stage of the networks is in use, and how far the next size has faded in, depends on the
    number of real images shown so far alone, which is part of the state: a run goes on from
    wherever it was. Each stage is a graph of its own. Outside of graphs the networks enter the
    stage by themselves; in a graph, images beyond its stage are an error.

    Pictures that are drawn have the full size in every stage.

    Args:
        generator: `tfgans.networks.growing.Growing`, from {"latent": ...} to images.
        discriminator: The same, from {"image": ...} to logits, with as many stages.
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        numbers = [len(network.networks) for network in (generator, discriminator)]
        if numbers[0] != numbers[1]:
            raise UsageError(
                f"the generator has {numbers[0]} stages and the discriminator {numbers[1]}: give "
                "generator.start_size and discriminator.start_size one value"
            )
        self.shown = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="shown"
        )
        self.images_per_step = 1  # as soon as there is a step, its own

    def state(self):
        """What training changes, the number of images shown included."""
        return {**super().state(), "shown": self.shown.value}

    def begin_from(self, source):
        """As every model; the networks have grown as far as those of the source."""
        super().begin_from(source)
        self.shown.assign(source.shown)

    # Stages.

    def enter_stage(self) -> int:
        """Returns the stage; outside of graphs, puts the networks into it before."""
        if tf.executing_eagerly():
            phases = int(self.shown.numpy()) // self.generator.phase_images
            stage = min(phases, len(self.generator.networks) - 1)
            for network in (self.generator, self.discriminator, self.average):
                if network is not None:
                    network.stage = stage
        return self.generator.stage

    def moving(self, player):
        """The variables of the stage in use."""
        return getattr(self, player).network.trainable_variables

    def grown(self, batch):
        """Returns a batch as its stage wants it, and counts its images as shown.

        Pictures are reduced to the stage's size by means. While a size fades in, they go over from
        the next smaller size, doubled, as the networks do, and `fade` says how far.
        """
        stage, image = self.enter_stage(), batch["image"]
        known = [self._check_stage(stage)] if not tf.executing_eagerly() else []
        with tf.control_dependencies(known):
            image = tf.identity(image)
        image = _reduced(image, self.discriminator.input["image"].shape[1])
        if self.generator.fades:
            fade = self.fade(image.shape[0])
            share = tf.reshape(fade, (-1, 1, 1, 1))
            small = _enlarged(_reduced(image, image.shape[1] // 2), image.shape[1])
            batch = {**batch, "fade": fade}
            image = (1.0 - share) * small + share * image
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.images_per_step = image.shape[0] * replicas
        self.shown.assign_add(self.images_per_step)
        return {**batch, "image": image}

    def fade(self, n):
        """Returns how far the stage's size has faded in, from 0 to 1, float32 `(n,)`."""
        phase_images = self.generator.phase_images
        done = tf.convert_to_tensor(self.shown) - self.generator.stage * phase_images
        return tf.fill((n,), tf.cast(done, tf.float32) / float(phase_images))

    def steps_averaged(self):
        """As of an average that began when the size of the stage did, as its new layers do."""
        first = max(0, (self.generator.stage + 1) // 2 * 2 - 1)
        before = first * self.generator.phase_images + self.images_per_step
        return (tf.convert_to_tensor(self.shown) - before) // self.images_per_step

    def _check_stage(self, stage):
        phase_images, last = self.generator.phase_images, len(self.generator.networks) - 1
        phases = tf.minimum(tf.convert_to_tensor(self.shown) // phase_images, last)
        words = f"this graph is of stage {stage} of the networks, the images shown are beyond it"
        return tf.debugging.assert_equal(phases, tf.constant(stage, tf.int64), words)

    def make_train_function(self, force=False):
        """A function that makes another graph whenever a stage begins."""
        if self.train_function is None or force:
            self.train_function = self._by_stage()
        return self.train_function

    def _by_stage(self):
        made: dict[int, Callable] = {}
        make = super().make_train_function

        def step(iterator):
            stage = self.enter_stage()
            if stage not in made:
                made.clear()
                make(force=True)
                made[stage], self.train_function = self.train_function, step
            return made[stage](iterator)

        return step

    def make_predict_function(self, force=False):
        """Keras' own, made anew: it is of the stage in use."""
        self.enter_stage()
        return super().make_predict_function(force=True)

    def foresight(self, images):
        """Says so where the networks do not grow up."""
        phase_images, sizes = self.generator.phase_images, self.generator.networks
        needed = (len(sizes) - 1) * phase_images
        if images >= needed:
            return ""
        height, width = sizes[images // phase_images].output.shape[1:3]
        return (
            f"the networks grow for {needed} images, the run shows {images}: its last pictures "
            f"will be of {height}x{width} pixels, enlarged; give more steps, or less of "
            f"generator.phase_images={phase_images}"
        )

    # Sampling.

    @property
    def image_shape(self):
        """`(height, width, channels)` of the pictures of the last stage."""
        return tuple(self.sampler.networks[-1].output.shape[1:])

    def generate(self, latent, label=None):
        """Returns float32 images in [-1, 1] of the full size."""
        del label
        return self.pictures({"latent": latent})

    def pictures(self, inputs):
        """Returns the images of all inputs of the generator but `fade`, in their full size."""
        self.enter_stage()
        if self.sampler.fades:
            inputs = {**inputs, "fade": self.fade(tf.shape(inputs["latent"])[0])}
        image = tf.clip_by_value(self.sampler(inputs, training=False), -1.0, 1.0)
        return _enlarged(image, self.image_shape[0])

    def signatures(self):
        """What a SavedModel offers, of the stage in use alone."""
        self.enter_stage()
        return super().signatures()


def _reduced(image, height):
    """Returns images of a smaller height by means over squares of pixels."""
    factor = image.shape[1] // height
    return image if factor == 1 else tf.nn.avg_pool2d(image, factor, factor, "VALID")


def _enlarged(image, height):
    """Returns images of a larger height, in which each pixel is a square."""
    factor = height // image.shape[1]
    return image if factor == 1 else tf.repeat(tf.repeat(image, factor, axis=1), factor, axis=2)
