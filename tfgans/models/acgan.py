"""AC-GAN: the discriminator also tells the class, and both players want it told rightly.

    D: -E log D(x) - E log(1 - D(G(z, y))) + w [-E log P(y | x) - E log P(y | G(z, y))]
    G: -E log D(G(z, y)) - w E log P(y | G(z, y))

    python train.py --variant=acgan
    python generate.py --model=saved_models/acgan --label=all --out=classes.png
    python train.py --variant=acgan_ensemble --parallel=2     # specialists, each of some classes

P(y | x) is a second head on the discriminator's features; it is shown no label. The networks are
DCGAN's, without the dropout that the paper's discriminator has, and without its batch
normalisation: told from real pictures by their statistics, generated ones get classes of their own,
and after 7,000 steps 78.7 % were of the class asked for, of the fives, which had become ones, 4.7 %
(`--set discriminator.batch_norm=true`, Adam 2e-4 and beta_1 0.5 for both players).

`acgan_ensemble` divides the classes among specialists, as the paper its 1,000 among 100 models of
10, and exports one SavedModel that hands each label to the specialist that knows it.
"""

import dataclasses

import keras

from tfgans import losses, optimizers, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class ACGAN(AdversarialModel):
    """The non-saturating game, and a class loss that both players minimise.

    Args:
        class_weight: Weight of the class losses, w.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Odena et al., 2016, arXiv:1610.09585, Section 3, Equations 2 and 3.
    """

    logs = ("d_loss", "g_loss", "d_class_loss", "g_class_loss")
    tells_class = True

    def __init__(self, generator, discriminator, *, class_weight=1.0, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.class_weight = class_weight
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """A step of D on L_C + L_S, then of G on L_C and the non-saturating loss of the source."""
        for part in self.critic_batches(batch):
            d_loss, d_class_loss = self.discriminator_step(part, self.discriminator_terms)
        g_loss, g_class_loss = self.generator_step(part, self.generator_terms)
        return self.track(
            d_loss=d_loss, g_loss=g_loss, d_class_loss=d_class_loss, g_class_loss=g_class_loss
        )

    def discriminate(self, image, batch):
        """The discriminator's logits and class logits, and the label they are held against."""
        return {**super().discriminate(image, batch), "label": batch["label"]}

    def discriminator_terms(self, real, fake):
        """What the discriminator minimises: of the source and of the class, real and generated."""
        source = losses.non_saturating_discriminator(
            real["logits"], fake["logits"], real_target=self.real_target
        )
        return [source, self.class_loss(real) + self.class_loss(fake)]

    def generator_terms(self, fake):
        """What the generator minimises: of the source and of the class."""
        return [losses.non_saturating_generator(fake["logits"]), self.class_loss(fake)]

    def class_loss(self, told):
        """The weighted cross-entropy of the classes told."""
        return self.class_weight * losses.class_cross_entropy(told["class_logits"], told["label"])


_ACGAN = Variant(
    name="acgan",
    model=ACGAN,
    networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
    optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
    options={
        "ema_decay": 0.999,
        "generator.latent_dim": 64,
        "generator.label_dim": 16,
        "discriminator.labels": "told",
        "discriminator.batch_norm": False,
        "g_optimizer.learning_rate": 1e-3,
        "g_optimizer.beta_1": 0.0,
        "d_optimizer.learning_rate": 4e-4,
        "d_optimizer.beta_1": 0.0,
    },
    tiny={
        "generator.latent_dim": 4,
        "generator.width": 4,
        "generator.label_dim": 2,
        "discriminator.width": 4,
    },
    steps=4000,
)
VARIANTS = (
    _ACGAN,
    dataclasses.replace(_ACGAN, name="acgan_ensemble", specialists=2, steps=2000),
)
