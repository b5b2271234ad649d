"""Working through a batch in parts gives the gradients of the whole, and needs less memory."""

import numpy as np
import pytest

import tfgans
from tfgans import data, registry, replicas, training

SPEC = data.open_source("optdigits").spec
# Of each scheme a row without batch normalisation, which is over a part, and without dropout.
ROWS = {
    "gan": {"discriminator.dropout": 0.0},
    "nsgan": {},
    "wgan_mlp": {},
    "wgan_no_bn": {"discriminator.batch_norm": False},
    "wgan_gp": {"generator.batch_norm": False},
    "lsgan": {"generator.batch_norm": False, "discriminator.batch_norm": False},
    "sngan": {"generator.batch_norm": False},
    "vae": {},
}


def fitted(name, accumulate, **options):
    tiny = {**registry.load(name).tiny, **ROWS[name], **options}
    model = tfgans.create(name, SPEC, steps=5, accumulate=accumulate, **tiny)
    batches = {"batch_size": 12, "batches_per_step": model.batches_per_step}
    dataset, _ = data.load("optdigits", **batches)
    history = model.fit(dataset, steps_per_epoch=5, verbose=0).history
    return model, {key: values[-1] for key, values in history.items()}


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {}) for name in ROWS), ("wgan_mlp", {"warm_up_critic_steps": 4})],
    ids=[*ROWS, "wgan_mlp that warms up"],
)
def test_parts_give_the_weights_and_logs_of_the_whole(name, options):
    whole, logs = fitted(name, 1, **options)
    parts, same_logs = fitted(name, 3, **options)
    for key, variable in whole.state().items():
        if not key.startswith(("g_optimizer", "d_optimizer", "vae_optimizer")):
            np.testing.assert_allclose(parts.state()[key], variable, atol=1e-5, err_msg=key)
    for key, value in logs.items():
        np.testing.assert_allclose(same_logs[key], value, rtol=1e-4, atol=1e-6, err_msg=key)


def test_a_player_that_rests_looks_at_parts_too():
    tiny = {**registry.load("nsgan").tiny, "alternate_every": 1}
    image = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
    logs = []
    for accumulate in (1, 4):
        model, seen = tfgans.create("nsgan", SPEC, accumulate=accumulate, **tiny), set()
        judge = model.discriminator.call

        def noted(inputs, judge=judge, seen=seen, **how):
            seen.add(inputs["image"].shape[0])
            return judge(inputs, **how)

        model.discriminator.call = noted
        logs.append(model.train_step({"image": image}))
        assert seen == {8 // accumulate}
    for key, value in logs[0].items():
        np.testing.assert_allclose(logs[1][key], value, rtol=1e-4, atol=1e-6, err_msg=key)


def test_each_part_draws_its_own_rows_of_the_noise():
    model, _ = fitted("nsgan", 1)
    batch = {"image": np.zeros((12, 8, 8, 1), np.float32)}
    whole = model.latent("latent", like=batch["image"]).numpy()
    seen = []

    def work(part):
        seen.append(model.latent("latent", like=part["image"]).numpy())
        return [0.0]

    replicas.in_pieces(work, batch, 3, model.notes)
    assert [len(rows) for rows in seen] == [4, 4, 4]
    np.testing.assert_array_equal(np.concatenate(seen), whole)
    np.testing.assert_array_equal(model.latent("latent", like=batch["image"]), whole)


def test_a_model_remembers_its_parts(tmp_path):
    model, _ = fitted("nsgan", 3)
    model.save(tmp_path / "model.keras")
    assert tfgans.load(tmp_path / "model.keras").accumulate == 3


@pytest.mark.parametrize("wrong", [{"accumulate": 5}, {"accumulate": 3, "replicas": 2}])
def test_a_batch_that_does_not_divide_is_refused(wrong):
    with pytest.raises(tfgans.UsageError, match="batch_size=16 must be a multiple of"):
        training.resolve("nsgan", dataset="optdigits", batch_size=16, **wrong)
