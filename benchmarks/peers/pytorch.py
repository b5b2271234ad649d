"""PyTorch: eager with channels last, compiled, and in bfloat16 by autocast."""

import itertools
import math
import platform

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812, its usual name
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from peers import workloads

LOSSES = {  # name -> the discriminator's and the generator's
    "non_saturating": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: F.softplus(-fake).mean(),
    ),
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    "hinge": (
        lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
}


class Game(nn.Module):
    """Both players and what each of them minimises."""

    def __init__(self, workload, bfloat16):
        super().__init__()
        self.generator, self.discriminator = NETWORKS[workload.networks](workload)
        self.d_loss_of, self.g_loss_of = LOSSES[workload.loss]
        self.gp_weight, self.bfloat16 = workload.gp_weight, bfloat16

    def d_loss(self, real, latent, mix):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            with torch.no_grad():
                fake = self.generator(latent)
            loss = self.d_loss_of(self.discriminator(real), self.discriminator(fake))
            if self.gp_weight:
                loss = loss + self.gp_weight * self.gradient_penalty(real, fake, mix)
            return loss

    def gradient_penalty(self, real, fake, mix):
        # `torch.compile` takes `torch.func.grad`; of `torch.autograd.grad` it makes no graph.
        mixed = torch.lerp(fake.float(), real, mix)
        gradient = torch.func.grad(lambda images: self.discriminator(images).sum())(mixed)
        return (gradient.square().sum((1, 2, 3)).sqrt() - 1).square().mean()

    def g_loss(self, latent):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            return self.g_loss_of(self.discriminator(self.generator(latent)))


class PyTorch:
    """The step of a GAN as its users write it.

    Args:
        workload: The game.
        folder: Where pictures, weights and noise are.
        compiled: Whether `torch.compile` compiles the two losses and their gradients.
        bfloat16: Whether `torch.autocast` computes them in bfloat16.
    """

    timed = workloads.timed

    def __init__(self, workload, folder, compiled=False, bfloat16=False):
        torch.manual_seed(0)
        self.workload, self.folder = workload, folder
        self.game = Game(workload, bfloat16)
        adam = {"lr": workload.adam["learning_rate"], "eps": workload.adam["epsilon"]}
        self.players = {}
        for player in ("generator", "discriminator"):
            network = getattr(self.game, player)
            start_from(network, workloads.weights(folder, player))
            network.to(memory_format=torch.channels_last)
            optimizer = torch.optim.Adam(
                network.parameters(), betas=workload.betas, fused=True, **adam
            )
            self.players[player] = network, optimizer
        self.losses = self.game.d_loss, self.game.g_loss
        if compiled:
            self.losses = tuple(map(torch.compile, self.losses))
        # Channels are last in memory, and second in the shape.
        batches = torch.from_numpy(workloads.pictures(workload, folder)).movedim(-1, 3)
        self.elements = itertools.cycle(batches)

    def latent(self):
        return torch.randn(self.workload.batch, self.workload.latent_dim)

    def mix(self):
        return torch.rand(self.workload.batch, 1, 1, 1)

    def step(self):
        """Plays a step on the next pictures; returns `d_loss` and `g_loss`."""
        (_, g_optimizer), (discriminator, d_optimizer) = self.players.values()
        d_loss_of, g_loss_of = self.losses
        for real in next(self.elements):
            d_optimizer.zero_grad(set_to_none=True)
            latent, mix = self.latent(), self.mix() if self.workload.gp_weight else None
            d_loss = d_loss_of(real, latent, mix)
            d_loss.backward()
            d_optimizer.step()
        discriminator.requires_grad_(False)  # its gradients are not computed in vain
        g_optimizer.zero_grad(set_to_none=True)
        g_loss = g_loss_of(self.latent())
        g_loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}

    def check(self):
        """Plays steps on the shared noise; returns the losses of each."""
        steps = workloads.noise(self.workload, self.folder)
        draws = map(torch.from_numpy, itertools.chain.from_iterable(steps))
        self.latent = self.mix = lambda: next(draws)
        losses = [{name: float(one) for name, one in self.step().items()} for _ in steps]
        del self.latent, self.mix
        return losses

    def environment(self):
        """Returns versions and threads."""
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        threads = {"intra_op": torch.get_num_threads(), "inter_op": torch.get_num_interop_threads()}
        return {"versions": {**versions, "numpy": np.__version__}, "threads": threads}

    def parameters(self):
        """Returns the number of trainable weights of each player."""
        return {
            player: sum(parameter.numel() for parameter in network.parameters())
            for player, (network, _) in self.players.items()
        }

    def updates(self):
        """Returns the number of steps that each player's optimiser has taken."""
        return {
            player: int(next(iter(optimizer.state.values()))["step"])
            for player, (_, optimizer) in self.players.items()
        }

    def flops(self):
        """Returns the FLOPs of products and convolutions in an eager step."""
        self.losses = self.game.d_loss, self.game.g_loss
        with Counter() as counter:
            self.step()
        return counter.flops


class Sampler(PyTorch):
    """Draws pictures from the generator in evaluation mode."""

    def __init__(self, workload, folder, compiled=False, bfloat16=False):
        super().__init__(workload, folder, bfloat16=bfloat16)
        self.generator = self.game.generator.eval()
        if compiled:
            self.generator = torch.compile(self.generator)

    def pictures(self, count):
        """Returns pictures of the shared latents, as lists."""
        latents = torch.from_numpy(workloads.latents(self.workload, count))
        return self.generated(latents.split(workloads.SAMPLES_AT_ONCE)).tolist()

    def sampled(self, count):
        """Returns the seconds that `count` pictures take."""
        return workloads.duration(lambda n: self.generated(self.drawn(n)), count)

    def drawn(self, count):
        """Yields latents in batches."""
        for first in range(0, count, workloads.SAMPLES_AT_ONCE):
            rows = min(workloads.SAMPLES_AT_ONCE, count - first)
            yield torch.randn(rows, self.workload.latent_dim)

    @torch.inference_mode()
    def generated(self, batches):
        """Returns uint8 pictures, channels last."""
        pictures = []
        with torch.autocast("cpu", torch.bfloat16, enabled=self.game.bfloat16):
            for latents in batches:
                images = self.generator(latents).float()
                levels = ((images + 1.0) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
                pictures.append(levels.movedim(1, -1))
        return torch.cat(pictures).numpy()


class Counter(TorchDispatchMode):
    """Adds up what PyTorch's own `FlopCounterMode` would, which fails on a double backward."""

    flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        self.flops += count(*args, **(kwargs or {}), out_val=result) if count else 0
        return result


def start_from(network, arrays):
    """Gives a network the weights of the Keras network, whose layouts are others."""
    kinds = nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d
    parameters = []
    for layer in network.modules():
        if isinstance(layer, kinds):
            normalized = getattr(layer, "parametrizations", None)
            parameters.append(normalized.weight.original if normalized else layer.weight)
            parameters += [] if layer.bias is None else [layer.bias]
    # (in, out), (height, width, in, out) or, of transposed convolutions, (height, width, out, in);
    # where the last layer is a convolution over the whole map, ours is dense.
    orders = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            first, *others = parameter.shape
            theirs = torch.from_numpy(array).reshape(*others[1:], *others[:1], first)
            parameter.copy_(theirs.permute(orders[parameter.ndim]))
        for layer in network.modules():  # the power iterations start at their end
            if hasattr(layer, "parametrizations"):
                normalized = layer.parametrizations.weight
                left, _, right = torch.linalg.svd(normalized.original.flatten(1), False)
                normalized[0]._u.copy_(left[:, 0])
                normalized[0]._v.copy_(right[0])


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, maps):
        return self.function(maps)


class Block(nn.Module):
    def __init__(self, residual, shortcut):
        super().__init__()
        self.residual, self.shortcut = nn.Sequential(*residual), nn.Sequential(*shortcut)

    def forward(self, maps):
        return self.residual(maps) + self.shortcut(maps)


def to_map(side, channels):
    """Rows as maps that are channels last in memory."""
    return Apply(lambda rows: rows.unflatten(1, (side, side, channels)).permute(0, 3, 1, 2))


def mlp(game):
    height, width, channels = game.image_shape
    pixels, (g_width, d_width) = math.prod(game.image_shape), game.widths
    generator, discriminator = [], [nn.Flatten()]
    for before in (game.latent_dim, g_width):
        generator += [nn.Linear(before, g_width), nn.ReLU(inplace=True)]
    generator += [nn.Linear(g_width, pixels), nn.Tanh(), nn.Unflatten(1, (channels, height, width))]
    for before in (pixels, d_width):
        discriminator += [nn.Linear(before, d_width), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator, nn.Linear(d_width, 1))


def dcgan(game):
    side, colours, (g_width, d_width) = game.first_side, game.image_shape[-1], game.widths
    multiples = [min(8, 2**level) for level in range(game.doublings)]
    channels = [g_width * multiple for multiple in reversed(multiples)]
    generator = [nn.Linear(game.latent_dim, side * side * channels[0], bias=False)]
    generator += [to_map(side, channels[0])]
    for before, after in itertools.pairwise([*channels, colours]):
        generator += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
        generator += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    biased = bool(game.gp_weight)
    channels = [colours, *(d_width * multiple for multiple in multiples)]
    discriminator = []
    for before, after in itertools.pairwise(channels):
        discriminator += [nn.Conv2d(before, after, 4, 2, 1, bias=biased)]
        if before != colours and not biased:
            discriminator += [nn.BatchNorm2d(after)]
        discriminator += [nn.LeakyReLU(0.2, inplace=True)]
    discriminator += [nn.Conv2d(channels[-1], 1, side, bias=biased), nn.Flatten()]
    return nn.Sequential(*generator, nn.Tanh()), nn.Sequential(*discriminator)


def resnet(game):
    return resnet_generator(game), resnet_discriminator(game)


def resnet_generator(game):
    side, width = game.first_side, game.widths[0]

    def normalised(*then):
        return [nn.BatchNorm2d(width), nn.ReLU(inplace=True), *then]

    def convolution(channels):
        return nn.Conv2d(width, channels, 3, padding=1)

    stack = [nn.Linear(game.latent_dim, side * side * width), to_map(side, width)]
    for _ in range(game.doublings):
        residual = normalised(nn.Upsample(scale_factor=2), convolution(width))
        residual += normalised(convolution(width))
        stack += [Block(residual, [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 1)])]
    return nn.Sequential(*stack, *normalised(convolution(game.image_shape[-1])), nn.Tanh())


def resnet_discriminator(game):
    colours, width = game.image_shape[-1], game.widths[1]

    def convolution(before, kernel):
        return spectral_norm(nn.Conv2d(before, width, kernel, padding=kernel // 2))

    def path(before):
        return [convolution(before, 3), nn.ReLU(inplace=True), convolution(width, 3)]

    half = nn.AvgPool2d(2)
    stack = [Block([*path(colours), half], [half, convolution(colours, 1)])]
    stack += [Block([nn.ReLU(), *path(width), half], [convolution(width, 1), half])]
    stack += [Block([nn.ReLU(), *path(width)], []) for _ in range(2)]
    pool = Apply(lambda maps: maps.sum((2, 3)))
    return nn.Sequential(*stack, nn.ReLU(), pool, spectral_norm(nn.Linear(width, 1)))


NETWORKS = {"mlp": mlp, "dcgan": dcgan, "resnet": resnet}
