"""MMD GAN: moments are matched in features that a critic learns so that they differ most.

    D: -MMD^2(h(x), h(G(z))) + gp_weight E (||grad f(m)||_2 - 1)^2      G: MMD^2(h(x), h(G(z)))
    f(y) = E k(h(y), h(x)) - E k(h(y), h(G(z))),   k a sum of rational quadratic kernels

    python train.py --variant=mmd_gan

h is the critic, with 16 outputs instead of one. The gradient penalty is on the witness function f,
at points m between real and generated images. The estimate of MMD^2 is unbiased. The networks are
DCGAN's, without batch normalisation in the critic. The paper has five critic steps, and both rates
at 1e-4; one critic step at four times the generator's rate is better in the same time. With
`--accumulate` each piece is compared for itself.
"""

import keras

from tfgans import moments, optimizers, penalties, replicas
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import dcgan
from tfgans.variant import Variant

ALPHAS = (0.2, 0.5, 1.0, 2.0, 5.0)  # of the paper's mixture


@keras.saving.register_keras_serializable("tfgans")
class MMDGAN(AdversarialModel):
    """The discrepancy of two batches in learned features, which one player widens.

    Args:
        gp_weight: Weight of the gradient penalty on the witness function.

    Reference:
        Binkowski et al., 2018, arXiv:1801.01401, Sections 2 and 3; after Li et al., 2017,
        arXiv:1705.08584.
    """

    logs = ("d_loss", "g_loss", "gradient_penalty")

    def __init__(self, generator, discriminator, *, gp_weight=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.gp_weight = gp_weight

    def train_step(self, batch):
        """The critic's steps up the discrepancy, then the generator's down."""
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(
                part, self.minus_discrepancy, self.gradient_penalty
            )
        g_loss, *_ = self.minimize("g_optimizer", self.generator_terms, part)
        return self.track(d_loss=d_loss, g_loss=g_loss, gradient_penalty=penalty)

    def check_rows(self, rows, replicas=1):
        """As every model: there must be pairs."""
        super().check_rows(rows)
        _check_pairs(rows * replicas)

    def kernel(self, one, other):
        """The paper's mixture of rational quadratic kernels."""
        return moments.rational_quadratic_kernel(one, other, ALPHAS)

    def discrepancy(self, real_features, fake_features):
        """The squared discrepancy of the features of all replicas."""
        real, fake = map(replicas.gathered, (real_features, fake_features))
        _check_pairs(real.shape[0])
        return moments.squared_mmd(real, fake, self.kernel, unbiased=True)

    def minus_discrepancy(self, real_features, fake_features):
        """What the critic minimises."""
        return -self.discrepancy(real_features, fake_features)

    def generator_terms(self, batch):
        """What the generator minimises, on real images too."""
        fake = self.presented(self.fake_images(batch, "generator_latent"), "generator")
        real = self.presented(batch["image"], "compared")
        loss = self.discrepancy(*map(self.critic(batch), (real, fake)))
        return [loss, *self.feature_terms(batch, fake)]

    def gradient_penalty(self, critic, real, fake):
        """Lambda times the penalty on the witness function, at points drawn anew for each step."""
        mix = self.uniform("gradient_penalty", like=real)
        seen, made = (replicas.gathered(critic(image)) for image in (real, fake))

        def witness(image):
            return moments.witness(critic(image), seen, made, self.kernel)

        return self.gp_weight * penalties.gradient_penalty(witness, real, fake, noise=mix)


def _check_pairs(rows):
    if rows == 1:
        raise UsageError("batches, and their pieces, of 1 picture have no pairs to compare")


VARIANTS = (
    Variant(
        name="mmd_gan",
        model=MMDGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "discriminator.batch_norm": False,
            "discriminator.num_outputs": 16,
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.99,
            "g_optimizer.schedule": "linear",
            "d_optimizer.learning_rate": 4e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.99,
            "d_optimizer.schedule": "linear",
        },
        tiny={
            "n_critic": 2,
            # MMD does not see the last bias: Adam moves it by rounding alone, here not far.
            "d_optimizer.learning_rate": 1e-4,
            "generator.latent_dim": 4,
            "generator.width": 4,
            "discriminator.width": 4,
        },
        steps=5000,
    ),
)
