"""The slopes of the two generator losses are -D and D - 1."""

import numpy as np
import pytest

from tfgans import UsageError
from tfgans.playground import saturation


def test_slopes_are_those_of_the_formulas():
    facts = saturation.play(reach=4.0, points=5).facts
    d = np.array(facts["d"])
    minimax, non_saturating = (np.array(slopes) for slopes in facts["slope"].values())
    np.testing.assert_allclose(minimax, -d, rtol=1e-5)
    np.testing.assert_allclose(non_saturating, d - 1.0, rtol=1e-4)
    np.testing.assert_allclose(facts["ratio"], d / (1.0 - d), rtol=1e-4)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(UsageError, match=r"reach=0\.0 must lie between 0 and 80"):
        saturation.play(reach=0.0)
    with pytest.raises(UsageError, match="points=2 must be at least 3"):
        saturation.play(points=2)
