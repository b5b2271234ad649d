import numpy as np
import tensorflow as tf

from tfgans import compat


def test_tensorflow_gan_imports_and_its_losses_run():
    tfgan = compat.import_tensorflow_gan()
    assert tfgan is compat.import_tensorflow_gan()
    logits = tf.constant([1.0, 2.0])
    loss = tfgan.losses.wargs.wasserstein_generator_loss(logits)
    np.testing.assert_allclose(loss, -1.5)


def test_the_stand_in_for_estimators_does_not_stay():
    compat.import_tensorflow_gan()
    assert not hasattr(tf, "estimator")
