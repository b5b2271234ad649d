"""Twenty-five Gaussians on a grid: does the generator find every one of them?

The mixture and the protocol are PacGAN's: at -4, -2, 0, 2, 4 both ways, deviation 0.05, 2,500
points, of high quality within three deviations of a mode. The data itself scores 98.89 %: more is a
sign that points gather within their modes.

Reference:
    Srivastava et al., 2017, arXiv:1705.07761, Table 1; Lin et al., 2017, arXiv:1712.04086,
    Section 4.1.
"""

import numpy as np

from tfgans.playground import mixtures

_SIDE = np.arange(-4.0, 5.0, 2.0)
MIXTURE = mixtures.Mixture(np.stack(np.meshgrid(_SIDE, _SIDE), axis=-1).reshape(-1, 2), 0.05, 8.0)

play = mixtures.game(MIXTURE)
