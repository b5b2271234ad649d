"""Progressive growing: both networks begin with tiny pictures, and larger sizes fade in.

    critic: E D(G(z)) - E D(x) + 10 E (||grad D(m)||_2 - 1)^2 + 0.001 E D(x)^2
    G:      -E D(G(z))

    python train.py --variant=progan     # 7x7, then 14x14 and 28x28 pixels

The loss is WGAN-GP's with one critic step, and a drift term that keeps the critic's level near 0.
Layers are scaled by He's constants at run time, the generator normalises each pixel, and the
discriminator sees the deviation over the minibatch. Each size is first faded in and then trained
for as long, counted in real images (`generator.phase_images`); the last one until the run ends.

The row is for a laptop: few channels and short phases. The paper's networks for 1024x1024 take
`--dataset=FOLDER --image_size=1024 --batch_size=16 --steps=900000` and `--set`
`generator.base=16384 generator.width=512 generator.latent_dim=512 generator.phase_images=800000
discriminator.base=16384 discriminator.width=512`; they were built here, and thin ones took a step,
none was trained.
Where we differ: one batch size for all stages (the paper's falls from 16 to 3 at the largest);
convolution and halving are one, with the leaky ReLU after both; and the average's ramp begins anew
with each size, since of a short phase it would keep the random weights that new layers begin with.
"""

import keras

from tfgans import losses, optimizers, penalties
from tfgans.growing import GrowingModel
from tfgans.networks import progan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class ProGAN(GrowingModel):
    """Wasserstein losses with gradient penalty and drift, on networks that grow.

    Args:
        gp_weight: Weight of the gradient penalty.
        drift_weight: Weight of the critic's mean squared output on real images.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Section 2 and Appendix A.1.
    """

    logs = ("d_loss", "g_loss", "gradient_penalty", "drift")

    def __init__(self, generator, discriminator, *, gp_weight=10.0, drift_weight=0.001, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.gp_weight, self.drift_weight = gp_weight, drift_weight

    def train_step(self, batch):
        """The critic's steps, then the generator's, on pictures of the stage's size."""
        for part in self.critic_batches(self.grown(batch)):
            d_loss, drift, penalty = self.discriminator_step(
                part, self.critic_loss, self.gradient_penalty
            )
        g_loss = self.generator_step(part, losses.wasserstein_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, gradient_penalty=penalty, drift=drift)

    def critic_loss(self, real_logits, fake_logits):
        """The Wasserstein loss, and epsilon times the drift."""
        loss = losses.wasserstein_discriminator(real_logits, fake_logits)
        return [loss, self.drift_weight * losses.drift(real_logits)]

    def gradient_penalty(self, critic, real, fake):
        """Lambda times the penalty at points drawn anew for each critic step."""
        mix = self.uniform("gradient_penalty", like=real)
        return self.gp_weight * penalties.gradient_penalty(critic, real, fake, noise=mix)


VARIANTS = (
    Variant(
        name="progan",
        model=ProGAN,
        networks={"generator": progan.generator, "discriminator": progan.discriminator},
        optimizers={
            "g_optimizer": optimizers.GrowingAdam,
            "d_optimizer": optimizers.GrowingAdam,
        },
        options={
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.width": 64,
            "generator.base": 448,
            "generator.phase_images": 16_000,
            "discriminator.width": 64,
            "discriminator.base": 448,
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.99,
            "g_optimizer.epsilon": 1e-8,
            "d_optimizer.learning_rate": 1e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.99,
            "d_optimizer.epsilon": 1e-8,
        },
        tiny={
            "generator.latent_dim": 4,
            "generator.width": 4,
            "generator.start_size": 8,
            "discriminator.width": 4,
            "discriminator.start_size": 8,
        },
        steps=5000,
        batch_size=32,
    ),
)
