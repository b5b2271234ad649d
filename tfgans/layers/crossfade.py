"""A crossfade from one tensor to another, with a share for each example."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfgans")
class Crossfade(keras.layers.Layer):
    """Goes from one tensor to another as `fade` goes from 0 to 1.

        outputs = (1 - fade) * old + fade * new

    Exactly `old` at 0 and exactly `new` at 1, as long as both are finite.

    Call arguments:
        old: `(batch, ...)`.
        new: Of the same shape.
        fade: `(batch,)`, in [0, 1].

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Figure 2.
    """

    def call(self, old, new, fade):
        """Blends."""
        share = tf.reshape(fade, (-1, *[1] * (len(old.shape) - 1)))
        return (1.0 - share) * old + share * new

    def compute_output_shape(self, old_shape, new_shape, fade_shape):
        """The shape of either."""
        return old_shape
