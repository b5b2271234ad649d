"""Optimisers that update each variable in one operation."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfgans")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with each variable's update as TensorFlow's fused operation.

    Keras takes a dozen operations for each variable. The numbers are the same but for rounding.

    Reference:
        Kingma and Ba, 2014, arXiv:1412.6980, Algorithm 1, in the order of Section 2's last lines.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its two moments."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        moments = self._momentums[index], self._velocities[index]
        dtype = variable.dtype
        step = tf.cast(self.steps_of(index), dtype)
        betas = [tf.constant(beta, dtype) for beta in (self.beta_1, self.beta_2)]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].value.handle,
            v=moments[1].value.handle,
            beta1_power=betas[0] ** step,
            beta2_power=betas[1] ** step,
            lr=tf.cast(learning_rate, dtype),
            beta1=betas[0],
            beta2=betas[1],
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    def steps_of(self, index):
        """Returns which step the variable of an index takes, from 1 on: the optimiser's own."""
        del index
        return self.iterations.value + 1


@keras.saving.register_keras_serializable("tfgans")
class GrowingAdam(Adam):
    """Adam for networks that grow: layers that join late have their own count of steps.

    The paper's moments and its count begin together. By the count of the whole run, moments that
    begin at 0 would pass for settled, and with beta_2 = 0.99 the first step of a layer that joins
    be ten times too long.
    """

    def build(self, variables):
        """Makes the counts beside the moments."""
        if self.built:
            return
        super().build(variables)
        self._counts = [
            self.add_variable((), dtype="int64", name=f"count_{index}")
            for index in range(len(variables))
        ]

    def steps_of(self, index):
        """Counts, and returns, the steps that the variable has taken itself."""
        count = self._counts[index].value.handle
        tf.raw_ops.AssignAddVariableOp(resource=count, value=tf.constant(1, tf.int64))
        return tf.raw_ops.ReadVariableOp(resource=count, dtype=tf.int64)
