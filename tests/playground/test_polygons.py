"""Triangles that are drawn, found again and missed, and the game itself, shortly."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import UsageError
from tfgans.playground import polygons

SEED = 3


@functools.cache
def begun():
    """Facts of a scheme with five critic steps that has hardly begun."""
    return polygons.play(variant="wgan_gp_paper", steps=2, batch_size=4, pictures=32).facts


@pytest.fixture(scope="module")
def triangles():
    """Codes of triangles that no search knows beforehand."""
    return polygons.random_codes(48, SEED, "tests")


@pytest.fixture(scope="module")
def family():
    return polygons.all_triangles(SEED)


def test_the_centre_sees_the_corners_at_120_degrees(triangles):
    rays = polygons.corners(triangles).numpy() - triangles.numpy()[:, None, :2]
    lengths = np.linalg.norm(rays, axis=2)
    np.testing.assert_allclose(lengths, triangles[:, 3:], rtol=1e-5)
    following = np.roll(rays, -1, axis=1)
    products = lengths * np.roll(lengths, -1, axis=1)
    np.testing.assert_allclose((rays * following).sum(2) / products, -0.5, atol=1e-5)
    crossed = rays[:, :, 0] * following[:, :, 1] - rays[:, :, 1] * following[:, :, 0]
    assert (crossed > 0.0).all()  # anticlockwise


def test_a_picture_has_the_area_of_its_triangle(triangles):
    """Half the sum of the products of neighbouring rays and the sine of 120 degrees."""
    reach = triangles.numpy()[:, 3:]
    area = (reach * np.roll(reach, -1, axis=1)).sum(axis=1) * math.sqrt(3.0) / 4.0
    image = polygons.drawn(triangles).numpy()
    assert image.shape == (48, polygons.SIZE, polygons.SIZE, 1)
    assert np.abs(image).max() <= 1.0
    white = ((image + 1.0) / 2.0).sum(axis=(1, 2, 3)) * (2.0 / polygons.SIZE) ** 2
    np.testing.assert_allclose(white, area, atol=0.02)


def test_a_triangle_that_is_turned_makes_a_picture_that_is_turned(triangles):
    x, y, turn, *reach = triangles.numpy().T
    turned = np.stack([-y, x, turn + np.pi / 2, *reach], axis=1)
    wanted = np.rot90(polygons.drawn(triangles), axes=(1, 2))
    np.testing.assert_allclose(polygons.drawn(tf.constant(turned)), wanted, atol=1e-4)
    again = np.stack([x, y, turn + 2.0 * np.pi / 3, *np.roll(reach, -1, axis=0)], axis=1)
    same = polygons.drawn(tf.constant(again))
    np.testing.assert_allclose(same, polygons.drawn(triangles), atol=1e-4)


def test_triangles_that_are_not_among_the_known_are_found_again(triangles, family):
    images, known = polygons.drawn(triangles), polygons.drawn(family.codes)
    begun = [tf.reduce_sum((known - image) ** 2, axis=[1, 2, 3]) / 4.0 for image in images]
    assert np.min(begun) > 0.05
    found = polygons.nearest(images, family)
    assert found.distances.shape == (48,)
    assert found.distances.max() < 1e-4
    for code, corners in zip(found.codes, polygons.corners(triangles).numpy(), strict=True):
        gaps = np.linalg.norm(corners[:, None] - polygons.corners(code[None])[0], axis=2)
        assert gaps.min(axis=1).max() < 1e-3


def test_a_white_pixel_in_the_dark_is_a_distance_of_one(triangles, family):
    images = polygons.drawn(triangles).numpy()
    images[:, 0, 0] = 1.0
    found = polygons.nearest(tf.constant(images), family)
    np.testing.assert_allclose(found.distances, 1.0, atol=1e-3)


def test_noise_is_far_from_all_triangles(family):
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, (16, polygons.SIZE, polygons.SIZE, 1))
    found = polygons.nearest(tf.constant(noise, tf.float32), family)
    assert found.distances.min() > 40.0


def test_a_blank_picture_is_far_from_all_triangles(family):
    """Else a generator that makes nothing would have precision 1."""
    blank = -tf.ones((1, polygons.SIZE, polygons.SIZE, 1))
    assert polygons.nearest(blank, family).distances.min() > 4.0


def test_a_generator_of_one_triangle_is_precise_and_covers_nothing_else(triangles, family):
    images = polygons.drawn(triangles)

    def one(latent):
        return images[:1] + 0.0 * tf.reduce_sum(latent, axis=1)[:, None, None, None]

    latent = tf.random.stateless_normal((64, 2), (0, 0))
    good = polygons.nearest(one(latent), family).distances
    covered = polygons.nearest(images, polygons.Family(one, latent, -3.0, 3.0)).distances
    facts = polygons.judged(good, covered, 1.0)
    assert (facts["precision"], facts["recall"]) == (1.0, 1 / 48)


def test_a_generator_of_some_triangles_covers_these_and_no_others(triangles, family):
    """Of a generator whose centres stay at the left."""
    images, left = polygons.drawn(triangles), triangles[:, 0].numpy() < -0.02

    def halved(latent):
        x = -0.1 + 0.1 * tf.tanh(latent[:, :1])
        return polygons.drawn(tf.concat([x, latent[:, 1:]], axis=1))

    latent = tf.concat([10.0 * family.codes[:, :1], family.codes[:, 1:]], axis=1)
    found = polygons.nearest(images, polygons.Family(halved, latent, -9.0, 9.0)).distances
    assert found[left].max() < 0.02
    assert found[triangles[:, 0] > 0.1].min() > 0.5


def test_precision_recall_and_f1_of_distances_that_are_known():
    facts = polygons.judged(np.array([0.1, 0.9, 3.0, 9.0]), np.array([0.3, 0.6, 1.5, 1.7]), 1.0)
    assert (facts["precision"], facts["recall"], facts["f1"]) == (0.5, 0.5, 0.5)
    assert facts["within"]["4"] == {"precision": 0.75, "recall": 1.0, "f1": 6 / 7}
    assert facts["within"]["0.25"] == {"precision": 0.25, "recall": 0.0, "f1": 0.0}
    assert facts["median_distance"] == {"precision": 1.95, "recall": 1.05}
    nothing = polygons.judged(np.array([2.0]), np.array([2.0]), 1.0)
    assert nothing["f1"] == 0.0


def test_training_brings_pictures_nearer_and_the_controls_hold():
    untrained, trained = begun(), polygons.play(steps=150, pictures=32).facts
    for kind in ("precision", "recall"):
        assert trained["median_distance"][kind] < 0.5 * untrained["median_distance"][kind]
    for controls in (untrained["controls"], trained["controls"]):
        assert (controls["precision_of_triangles"], controls["precision_of_noise"]) == (1.0, 0.0)
        assert controls["recall_of_one_triangle"] < 0.05
    quarter, half, whole = untrained["distance_when_moved"].values()
    assert quarter < 1.0 < half < whole


def test_the_same_seed_gives_the_same_facts():
    assert begun() == begun.__wrapped__()


def test_options_of_the_scheme_are_its_own():
    """wgan_gp has the paper's five critic steps here, or as many as are asked for."""
    short = {"variant": "wgan_gp", "steps": 2, "batch_size": 4, "pictures": 8}
    asked, usual, five = (
        polygons.play(**short, options=options).facts["weights_sha256"]
        for options in ((("n_critic", 1),), (), (("n_critic", 5),))
    )
    assert usual == five
    assert asked != usual
    with pytest.raises(UsageError, match="no_such"):
        polygons.play(**short, options=(("no_such", 1),))


def test_triangles_depend_on_seed_stream_and_step():
    drawn = {
        tuple(polygons.random_codes(4, seed, stream, step).numpy().flat)
        for seed in (0, 1)
        for stream in ("training", "known")
        for step in (0, 1)
    }
    assert len(drawn) == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variant": "vae"}, "variant='vae' is not a generator of noise"),
        ({"variant": "cgan"}, "variant='cgan' is not a generator of noise"),
        ({"variant": "wgangp"}, "unknown variant 'wgangp'"),
        ({"steps": 0}, "steps=0 must lie between 1 and"),
        ({"batch_size": 0}, "batch_size=0 must lie between 1 and"),
        ({"pictures": 7}, "pictures=7 must lie between 8 and"),
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
        ({"threshold": 0.0}, r"threshold=0\.0 must be above 0"),
        ({"threshold": math.nan}, "threshold=nan must be above 0"),
    ],
)
def test_what_cannot_be_played_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        polygons.play(**given)
