"""Gradients by central differences in float64, which every layer's own are compared with."""

import numpy as np


def gradients(function, *arrays, step=1e-6):
    """Returns the derivatives of a scalar function of float64 arrays by each entry of each."""
    found = [np.zeros(array.shape) for array in arrays]
    for index, array in enumerate(arrays):
        for place in np.ndindex(*array.shape):
            sides = []
            for move in (step, -step):
                moved = [each.copy() for each in arrays]
                moved[index][place] += move
                sides.append(function(*moved))
            found[index][place] = (sides[0] - sides[1]) / (2.0 * step)
    return found
