"""f-GAN: every f-divergence has a game of its own, in which the discriminator bounds it from below.

    D: E f*(g(D(G(z)))) - E g(D(x))      G: -E g(D(G(z)))

    python train.py --variant=fgan
    python train.py --variant=fgan --set divergence=reverse_kl

f* is the convex conjugate of the divergence's f, g maps logits into its domain. Jensen-Shannon (up
to constants) is the non-saturating game of `nsgan`. The generator's step is the paper's, too, and
so are its DCGAN and Adam's rate; the discriminator has spectral normalisation instead of batch
normalisation, since f* is an exponential for some divergences.
"""

import functools

import keras

from tfgans import losses, optimizers
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class FGAN(AdversarialModel):
    """Variational divergence minimisation.

    Args:
        divergence: kl, reverse_kl, pearson, squared_hellinger or jensen_shannon.

    Reference:
        Nowozin et al., 2016, arXiv:1606.00709, Section 3.2, Tables 2 and 6.
    """

    def __init__(self, generator, discriminator, *, divergence="kl", **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        if divergence not in losses.DIVERGENCES:
            known = ", ".join(losses.DIVERGENCES)
            raise UsageError(f"divergence={divergence!r} must be one of {known}")
        self.divergence = divergence

    def train_step(self, batch):
        """One step of each player."""
        bound = functools.partial(losses.f_divergence_discriminator, divergence=self.divergence)
        lower = functools.partial(losses.f_divergence_generator, divergence=self.divergence)
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, bound)
        g_loss = self.generator_step(part, lower)
        return self.track(d_loss=d_loss, g_loss=g_loss)


VARIANTS = (
    Variant(
        name="fgan",
        model=FGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "discriminator.batch_norm": False,
            "discriminator.spectral_norm": True,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=7000,
    ),
)
