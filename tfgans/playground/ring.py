"""Eight Gaussians on a ring: does the generator find every one of them?

The mixture and the protocol are PacGAN's: radius 1, deviation 0.01, 2,500 points, of high quality
within three deviations of a mode. The data itself scores 98.89 %: more is a sign that points
gather within their modes.

Reference:
    Srivastava et al., 2017, arXiv:1705.07761, Table 1; Lin et al., 2017, arXiv:1712.04086,
    Section 4.1.
"""

import numpy as np

from tfgans.playground import mixtures

_ANGLES = 2.0 * np.pi * np.arange(8) / 8
MIXTURE = mixtures.Mixture(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 0.01, 2.0)

play = mixtures.game(MIXTURE)
