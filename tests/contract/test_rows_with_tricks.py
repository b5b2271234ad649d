"""Rows with the tricks of the trade keep the contract as rows without do."""

import dataclasses

import checks
import pytest
import support

from tfgans import registry

TRICKS = {
    "nsgan": {
        "real_target": 0.9,
        "instance_noise": 0.1,
        "feature_weight": 0.5,
        "historical_weight": 0.1,
        "kernel_weight": 0.01,
        "discriminator.minibatch_discrimination": 3,
    },
    "wgan_gp": {
        "instance_noise": 0.1,
        "feature_weight": 0.5,
        "discriminator.packing": 2,
        "discriminator.minibatch_discrimination": 2,
    },
}
ALTERNATING = {"fgan": {"alternate_every": 1}}


@pytest.fixture(scope="module")
def subject(request):
    row = registry.load(request.param)
    options = {**row.options, **(TRICKS | ALTERNATING)[row.name]}
    return support.Subject(dataclasses.replace(row, options=options))


def groups(names):
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"{name} tricks")) for name in names]


GROUPS, RESTING = groups(TRICKS), groups(ALTERNATING)
RUN = [checks.check_config, checks.check_owners, checks.check_state, checks.check_logs]
RUN += [checks.check_kernels_move, checks.check_counts, checks.check_critic_parts]
RUN += [checks.check_eager_equals_graph, checks.check_order, checks.check_equal_runs]
RUN += [checks.check_keras_file, checks.check_checkpoint, checks.check_export]


@pytest.mark.parametrize("subject", GROUPS, indirect=True)
@pytest.mark.parametrize("check", RUN, ids=lambda check: check.__name__[6:])
def test_row_with_tricks(subject, check):
    check(subject)


# A player that rests takes no update and has no gradient; the order of what stands behind a
# `tf.cond` is not read from a graph, but eight equal runs are equal.
PLAYING = {checks.check_counts, checks.check_order}


@pytest.mark.parametrize("subject", RESTING, indirect=True)
@pytest.mark.parametrize(
    "check", [check for check in RUN if check not in PLAYING], ids=lambda check: check.__name__[6:]
)
def test_row_whose_players_take_turns(subject, check):
    check(subject)


@pytest.mark.parametrize("subject", GROUPS, indirect=True)
@pytest.mark.parametrize("policy", checks.HALF)
def test_row_with_tricks_in_half_precision(subject, policy):
    checks.check_precision(subject, policy)


@pytest.mark.parametrize("subject", GROUPS + RESTING, indirect=True)
def test_row_with_tricks_traced_in_half_precision(subject):
    checks.check_traced_precision(subject, "mixed_float16")
