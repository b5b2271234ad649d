"""The constraint that makes a WGAN critic Lipschitz: every weight within a small box."""

import keras


@keras.saving.register_keras_serializable("tfgans")
class WeightClip(keras.constraints.Constraint):
    """Clips weights to [-limit, limit] after each optimiser step.

    Args:
        limit: Largest absolute value, 0.01 in the paper.

    Reference:
        Arjovsky et al., 2017, arXiv:1701.07875, Algorithm 1, line 7.
    """

    def __init__(self, limit):
        if limit <= 0:
            raise ValueError(f"limit={limit!r} must be > 0")
        self.limit = limit

    def __call__(self, weight):
        """Returns `weight` with every entry moved into the box."""
        return keras.ops.clip(weight, -self.limit, self.limit)

    def get_config(self):
        """Returns what rebuilds the constraint."""
        return {"limit": self.limit}
