"""Every figure with its protocol, error and floors; a metric that fails stops no other."""

import dataclasses
import json
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfgans import UsageError, evaluation, metrics
from tfgans.evaluation import Sample
from tfgans.features import Features, open_features


def in_pixels(sample):
    return Sample.of(sample.pictures, open_features("pixels"))


PROTOCOL = ("name", "value", "stderr", "n_real", "n_fake", "split", "features")


def test_every_metric_is_computed_and_named_by_its_protocol(evaluated):
    assert not evaluated.failures
    names = {key: entry["name"] for key, entry in evaluated.entries.items()}
    assert names == {
        "fid": "fid200_digits_cnn",
        "kid": "kid200_digits_cnn",
        "inception_score": "is200_digits_cnn",
        "precision_recall": "pr200_digits_cnn",
        "density_coverage": "dc200_digits_cnn",
        "one_nn_accuracy": "one_nn200_digits_cnn",
        "mmd": "mmd200_digits_cnn",
        "sliced_wasserstein": "swd200_patches",
        "emd": "emd200_digits_cnn",
        "mode_coverage": "modes200_digits_cnn",
        "one_nn_accuracy_pixels": "one_nn200_pixels",
        "mmd_pixels": "mmd200_pixels",
        "one_nn_accuracy_slides": "one_nn100_pixels",
        "mmd_slides": "mmd100_pixels",
        "one_nn_accuracy_train": "one_nn_train200_digits_cnn",
    }


def test_every_entry_says_what_it_takes_to_compute_it_again(evaluated, digits_cnn):
    for key, entry in evaluated.entries.items():
        assert all(name in entry for name in PROTOCOL), key
        assert entry["n_real"] == entry["n_fake"] == 200
        assert entry["stderr"] is None or entry["stderr"] >= 0.0
        if entry["features"] == "digits_cnn":
            assert entry["features_sha256"] == digits_cnn.sha256
        if not key.endswith(("_slides", "_train")):
            assert entry["real_real"]["n"] == entry["train_test"]["n"] == 200
    json.dumps(evaluated.entries, allow_nan=False)


def test_values_are_those_of_the_functions(evaluated, noise, reference):
    real, fake = reference.real.features.values, noise.features.values
    assert evaluated.entries["fid"]["value"] == pytest.approx(metrics.fid(real, fake), rel=1e-5)
    found = evaluated.entries["precision_recall"]
    wanted = metrics.precision_recall(real, fake)
    assert (found["value"], found["recall"], found["f1"]) == pytest.approx(tuple(wanted))
    train = reference.train.features.values
    floor = metrics.fid(train[:200], train[200:])
    assert evaluated.entries["fid"]["real_real"]["value"] == pytest.approx(floor, rel=1e-5)


def test_noise_is_told_from_digits_and_digits_are_not(evaluated, digits, reference):
    assert evaluated.entries["one_nn_accuracy"]["value"] > 0.95
    good = evaluation.evaluate(
        digits["train"].take(slice(200)), reference, names=("one_nn_accuracy", "fid")
    )
    entry = good.entries["one_nn_accuracy"]
    assert abs(entry["value"] - 0.5) < 4 * entry["stderr"]
    assert good.entries["fid"]["value"] < 0.05 * evaluated.entries["fid"]["value"]


def test_the_slides_protocol_is_the_mean_over_blocks_in_pixels(evaluated, noise, reference):
    blocks = [
        metrics.mmd(
            in_pixels(reference.real).features.values[rows],
            in_pixels(noise).features.values[rows],
        ).value
        for rows in (slice(0, 100), slice(100, 200))
    ]
    entry = evaluated.entries["mmd_slides"]
    assert entry["value"] == pytest.approx(np.mean(blocks), rel=1e-5)
    assert entry["stderr"] == pytest.approx(np.std(blocks, ddof=1) / math.sqrt(2), rel=1e-4)
    assert entry["blocks"] == 2


def test_copies_of_training_pictures_are_told_from_fresh_ones(digits, reference):
    """Also of training pictures that the 1-NN accuracy, which takes only some, never sees."""

    def copies(sample):
        done = evaluation.evaluate(sample, reference, names=("one_nn_accuracy",))
        return done.entries["one_nn_accuracy_train"]

    seen = copies(digits["train"].take(np.arange(200)[::-1]))
    assert seen["copies"] is True
    assert (seen["near"], seen["n_train"]) == (1.0, 400)
    assert seen["value"] < 0.05
    unseen = copies(digits["train"].take(slice(200, 400)))
    assert unseen["copies"] is True
    assert unseen["value"] > 0.3
    half = np.concatenate([np.arange(200, 300), np.arange(100)])
    pictures = np.concatenate([digits["train"].pictures[half[:100]], digits["test"].pictures[:100]])
    mixed = copies(Sample.of(pictures, reference.extractor))
    assert mixed["copies"] is True
    assert mixed["near"] == pytest.approx(0.5, abs=0.02)
    fresh = copies(digits["test"])
    assert fresh["copies"] is False
    assert fresh["value"] == fresh["train_test"]["value"]


def test_a_collapse_on_an_easy_class_is_no_copy(digits, reference):
    """Ones lie nearest to each other: nearer to training pictures than other digits ever come."""
    ones = np.flatnonzero(digits["test"].features.labels == 1)[::2]
    rest = digits["test"].take(np.delete(np.arange(200), ones))
    fewer = dataclasses.replace(reference, test=rest)
    collapsed = digits["test"].take(np.resize(ones, len(rest)))
    done = evaluation.evaluate(collapsed, fewer, names=("one_nn_accuracy",))
    assert done.entries["one_nn_accuracy_train"]["copies"] is False


def test_copies_are_told_where_the_data_has_twins_on_both_sides(digits, reference):
    """A hundredth of the held-out pictures are training pictures: their distance is 0."""
    twins = np.concatenate([digits["train"].pictures[:10], digits["test"].pictures[:190]])
    twinned = dataclasses.replace(reference, test=Sample.of(twins, reference.extractor))
    copied = digits["train"].take(slice(200, 400))
    names = ("one_nn_accuracy",)
    entry = evaluation.evaluate(copied, twinned, names=names).entries["one_nn_accuracy_train"]
    assert (entry["copies"], entry["near"]) == (True, 1.0)
    fresh = evaluation.evaluate(digits["test"], twinned, names=names)
    assert fresh.entries["one_nn_accuracy_train"]["copies"] is False


def test_a_metric_that_fails_stops_no_other(noise, reference):
    """Pixels classify nothing; 28x28 of them are more than there are pictures."""
    done = evaluation.evaluate(
        in_pixels(noise),
        reference.in_pixels(200),
        names=("inception_score", "mode_coverage", "fid", "mmd"),
    )
    assert set(done.failures) == {"inception_score", "mode_coverage"}
    assert "do not classify" in done.failures["inception_score"]
    assert {"fid", "mmd", "mmd_slides"} == set(done.entries)
    assert "singular" in done.entries["fid"]["note"]
    assert evaluation.chosen("all", classifies=False) == tuple(
        name for name in evaluation.METRICS if name not in ("inception_score", "mode_coverage")
    )


@pytest.mark.parametrize("n", [2, 3, 9])
def test_few_pictures_have_their_figures_if_not_their_errors(digits, reference, n):
    few = evaluation.Reference(
        reference.real.take(slice(n)),
        reference.train.take(slice(n)),
        reference.test.take(slice(n)),
        "test",
        reference.extractor,
    )
    done = evaluation.evaluate(digits["train"].take(slice(n)), few, names=("mmd", "kid", "emd"))
    assert {"mmd", "kid", "emd", "mmd_pixels"} <= set(done.entries)
    assert done.entries["emd"]["n_fake"] == n
    assert not any("slides" in key for key in done.entries)


def test_errors_and_floors_of_every_number_of_an_entry(evaluated):
    entry = evaluated.entries["precision_recall"]
    assert set(entry["stderrs"]) == {"recall", "f1"}
    assert {"value", "recall", "f1", "n"} == set(entry["real_real"])
    assert evaluated.entries["mode_coverage"]["stderrs"]["kl"] > 0.0


def test_emd_takes_a_thousand_rows_and_so_does_its_error(monkeypatch, noise, reference):
    row = evaluation.METRICS["emd"]
    monkeypatch.setitem(evaluation.METRICS, "emd", row._replace(most=50))
    some = evaluation.evaluate(noise, reference, names=("emd",)).entries["emd"]
    few = evaluation.Reference(
        reference.real.take(slice(50)),
        reference.train,
        reference.test,
        "test",
        reference.extractor,
    )
    assert some == evaluation.evaluate(noise.take(slice(50)), few, names=("emd",)).entries["emd"]
    assert some["name"] == "emd50_digits_cnn"


def test_classes_of_features_that_are_not_finite_are_no_classes(noise, reference):
    probabilities = noise.features.probabilities.copy()
    probabilities[5] = np.nan
    bad = Sample(noise.pictures, Features(noise.features.values, probabilities))
    done = evaluation.evaluate(bad, reference, names=("mode_coverage", "inception_score"))
    assert set(done.failures) == {"mode_coverage", "inception_score"}


def test_features_that_are_not_finite_fail_by_name(noise, reference):
    values = noise.features.values.copy()
    values[3, 2] = np.nan
    bad = Sample(noise.pictures, Features(values, noise.features.probabilities))
    done = evaluation.evaluate(bad, reference, names=("fid", "inception_score"), errors=False)
    assert "fake has 1 of 200 rows with a number that is not finite" in done.failures["fid"]
    assert "inception_score" in done.entries


def test_labels_asked_for_are_compared_with_the_classifier(digits, reference):
    found = digits["test"].features.labels
    asked = np.where(np.arange(200) < 150, found, (found + 1) % 10)
    done = evaluation.evaluate(digits["test"], reference, names=(), asked_labels=asked)
    assert done.entries["label_accuracy"]["value"] == 0.75


def test_classes_are_asked_in_turn_where_there_are_no_real_ones():
    assert evaluation.labels_of([1, 3], 5).tolist() == [1, 3, 1, 3, 1]
    assert evaluation.labels_of((7,), 2).dtype == np.int32
    assert np.bincount(evaluation.labels_of(range(10), 1000)).tolist() == [100] * 10
    even = np.repeat(np.arange(10), 7)
    assert evaluation.labels_of(range(10), 25, even).tolist() == [*range(10), *range(10), *range(5)]


@hypothesis.given(
    st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 80), st.integers(1, 5)
)
def test_classes_are_asked_for_in_their_shares(counts, n, spread):
    classes = spread * np.arange(len(counts))
    real = np.repeat(classes, counts)
    asked = evaluation.labels_of(classes, n, real)
    shares = (
        np.array(counts) / sum(counts) if sum(counts) else np.full(len(counts), 1 / len(counts))
    )
    for start in (n // 2, n):  # from the first on
        found = (asked[:start, None] == classes).sum(0)
        assert found.sum() == start
        assert np.abs(found - shares * start).max() < 1.0 + 0.5 * (len(counts) - 2)
    if n == len(real):
        assert np.sort(asked).tolist() == real.tolist()


def test_labels_of_others_than_the_models_classes_do_not_count():
    assert evaluation.labels_of([2, 3], 4, np.array([0, 2, 2, 2, 3, 9])).tolist() == [2, 2, 3, 2]
    assert evaluation.labels_of([2, 3], 4, np.array([0, 9])).tolist() == [2, 3, 2, 3]


def test_a_score_of_few_pictures_has_fewer_splits(digits, reference):
    few = digits["test"].take(slice(5))
    done = evaluation.evaluate(few, reference, names=("inception_score",))
    assert done.entries["inception_score"]["name"] == "is5_digits_cnn"
    assert done.entries["inception_score"]["value"] >= 1.0


def test_a_metric_that_has_its_own_error_is_not_left_out_of_again(monkeypatch, noise, reference):
    calls = []

    def kid(real, fake):
        calls.append(len(real.pictures))
        return metrics.kid(real.features.values, fake.features.values)

    row = evaluation.METRICS["kid"]
    monkeypatch.setitem(evaluation.METRICS, "kid", row._replace(compute=kid))
    entry = evaluation.evaluate(noise, reference, names=("kid",)).entries["kid"]
    assert entry["stderr"] > 0.0
    assert len(calls) == 3  # the figure and its two floors


def test_without_errors_a_metric_is_its_value_and_protocol(noise, reference):
    done = evaluation.evaluate(noise, reference, names=("fid", "one_nn_accuracy"), errors=False)
    assert set(done.entries) == {"fid", "one_nn_accuracy"}
    assert "stderr" not in done.entries["fid"]
    assert "real_real" not in done.entries["fid"]


def test_names_of_metrics():
    assert evaluation.chosen("all") == tuple(evaluation.METRICS)
    assert evaluation.chosen("kid,fid,kid") == ("kid", "fid")
    assert evaluation.chosen(["mmd"]) == ("mmd",)
    for wrong in ("fdi", "", "fid,"):
        with pytest.raises(UsageError, match="unknown metric"):
            evaluation.chosen(wrong)
    with pytest.raises(UsageError, match=r"unknown metric 'fdi'. Did you mean 'fid'"):
        evaluation.chosen("fdi")
