"""Batch normalisation whose scale and shift come from outside, such as from a class."""

import keras

from tfgans.layers.batch_normalization import BatchNormalization
from tfgans.layers.modulation import over_positions


@keras.saving.register_keras_serializable("tfgans")
class ConditionalBatchNormalization(BatchNormalization):
    """Normalises by the batch, then scales and shifts each example by its own numbers.

        outputs = BN(inputs) * (1 + scale) + shift

    BN has no scale and shift of its own. `scale` and `shift` are the outputs of what knows the
    condition, such as a dense layer on an embedded label or on a part of the latent; both 0 leave
    the plain normalisation.

    Args:
        **kwargs: Of `keras.layers.BatchNormalization`, but `axis`, `center` and `scale`.

    Call arguments:
        inputs: `(batch, ..., channels)`.
        scale: `(batch, channels)`.
        shift: `(batch, channels)`.

    Raises:
        ValueError: If `scale` or `shift` have other channels than the inputs.

    Reference:
        Dumoulin et al., 2016, arXiv:1610.07629, Section 2.2, with the statistics of one picture;
        de Vries et al., 2017, arXiv:1707.00683, with those of a batch, as here; in a generator
        Miyato & Koyama, 2018, arXiv:1802.05637.
    """

    def __init__(self, **kwargs):
        super().__init__(axis=-1, center=False, scale=False, **kwargs)

    def call(self, inputs, scale, shift, training=None):  # type: ignore[override]
        """Normalises by the batch in training, else by the moving statistics, and modulates."""
        normal = super().call(inputs, training=training)
        return normal * (1.0 + over_positions(scale, inputs)) + over_positions(shift, inputs)

    def get_config(self):
        """Returns what rebuilds the layer."""
        config = super().get_config()
        return {key: config[key] for key in config if key not in ("axis", "center", "scale")}
