"""Batch normalisation by TensorFlow's fused operation."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfgans")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, in one operation where it normalises maps.

    Keras takes a dozen, each a pass over the maps, and in bfloat16 all of them in float32. The
    numbers are the same but for rounding. What the fused operation cannot do goes Keras' way:
    other ranks and axes, masks, renormalisation, and statistics over several replicas.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalises by the batch in training, and else by the moving statistics."""
        plain = not (self.synchronized or self.renorm) and mask is None
        if not plain or len(inputs.shape) != 4 or self.axis not in (-1, 3):
            return super().call(inputs, training=training, mask=mask)
        channels, learns = inputs.shape[-1], bool(training and self.trainable)
        moving = [self.moving_mean, self.moving_variance]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma if self.scale else tf.ones(channels),
            offset=self.beta if self.center else tf.zeros(channels),
            mean=() if learns else moving[0],
            variance=() if learns else moving[1],
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            # It gives the variance of a sample, with n - 1 for n: Keras keeps the batch's own.
            pixels = tf.cast(tf.size(inputs) // channels, tf.float32)
            batch = [mean, variance * (pixels - 1.0) / pixels]
            for kept, value in zip(moving, batch, strict=True):
                kept.assign(kept * self.momentum + value * (1.0 - self.momentum))
        return outputs
