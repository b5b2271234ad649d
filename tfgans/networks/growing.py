"""Networks that grow: stages for pictures of ever more pixels, which share their layers."""

import itertools

import keras

from tfgans import runs
from tfgans.errors import UsageError
from tfgans.layers import Crossfade, EqualizedLearningRate
from tfgans.networks.sizes import start_and_doublings
from tfgans.variant import DataSpec


@keras.saving.register_keras_serializable("tfgans")
class Growing(keras.Model):
    """A network of several stages, all of whose layers it holds, and one of which is in use.

    The first stage is of the smallest pictures. Each doubling adds two: a fading one, which has one
    input more, `fade`, `(batch,)` in [0, 1], and a stable one. Inputs, output and calls are those
    of the stage in use; variables are those of all.

    Args:
        maker: Registered function from `options` to a list of Functional models that share layers.
        options: What `maker` takes, by name.
        phase_images: Images for which each stage but the last is in use.

    Attributes:
        networks: The stages, an odd number.
        stage: Index of the one in use; at first the last.

    Raises:
        UsageError: If `phase_images` is not positive.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Section 2 and Figure 2.
    """

    def __init__(self, maker, options, *, phase_images=1, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if phase_images < 1:
            raise UsageError(f"phase_images={phase_images!r} must be at least 1")
        self.maker, self.options, self.phase_images = maker, dict(options), phase_images
        with runs.precision_scope(self.dtype_policy.name):  # also when read from a file
            self.networks = maker(**options)
        self.stage = len(self.networks) - 1
        self.built = True

    @property
    def network(self) -> keras.Model:
        """The stage in use."""
        return self.networks[self.stage]

    @property
    def fades(self) -> bool:
        """Whether the stage in use is one of those between two sizes."""
        return self.stage % 2 == 1

    @property
    def input(self):
        """Inputs of the stage in use, by name."""
        return self.network.input

    @property
    def output(self):
        """Output of the stage in use."""
        return self.network.output

    def call(self, inputs, training=None):
        """Calls the stage in use."""
        return self.network(inputs, training=training)

    def get_config(self):
        """Returns what rebuilds the network."""
        return {
            "maker": keras.saving.serialize_keras_object(self.maker),
            "options": dict(self.options),
            "phase_images": self.phase_images,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the network from `get_config`."""
        return cls(**{**config, "maker": keras.saving.deserialize_keras_object(config["maker"])})


def sizes(image_shape, start_size: int) -> tuple[list[tuple[int, int]], int]:
    """Returns the sizes of all maps, from the smallest, and which of them the first stage is of.

    Args:
        image_shape: `(height, width, channels)` of the pictures.
        start_size: The first stage is of the first size whose short side has as many pixels, or of
            the pictures' own; 0: of the smallest.

    Raises:
        UsageError: If the picture's sides cannot be halved down to 4 to 7 pixels.
    """
    height, width, doublings = start_and_doublings(DataSpec(tuple(image_shape)))
    found = [(height * 2**level, width * 2**level) for level in range(doublings + 1)]
    large = [level for level, size in enumerate(found) if min(size) >= start_size]
    return found, min(large, default=doublings)


def channels(size: tuple[int, int], width: int, base: int) -> int:
    """Returns the channels of maps of a size: `base` over their short side, at most `width`."""
    if min(width, base) < 1:
        raise UsageError(f"width={width!r} and base={base!r} must be at least 1")
    return max(1, min(width, base // min(size)))


def equalized(kind, *arguments, gain=2**0.5, **options):
    """Returns a dense layer or convolution with an equalised learning rate.

    Args:
        kind: Its class.
        *arguments: For the class.
        gain: He's factor, sqrt(2) before a ReLU and 1 before nothing.
        **options: For the class.
    """
    return EqualizedLearningRate(kind(*arguments, **options), gain=gain)


def generator_stages(inputs, pictures) -> list[keras.Model]:
    """Returns the stages of a generator.

    Args:
        inputs: Keras inputs by name.
        pictures: Outputs of one graph, each twice as large as the one before.
    """
    networks = [keras.Model(inputs, _image(pictures[0]))]
    for small, large in itertools.pairwise(pictures):
        fade = keras.Input((), name="fade")
        doubled = keras.layers.UpSampling2D(dtype="float32")(small)
        blend = Crossfade(dtype="float32")(doubled, large, fade)
        networks.append(keras.Model({**inputs, "fade": fade}, _image(blend)))
        networks.append(keras.Model(inputs, _image(large)))
    return networks


def _image(picture):
    return keras.layers.Activation("linear", dtype="float32", name="image")(picture)
