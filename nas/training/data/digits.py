"""scikit-learn's embedded digits: the data set that needs no file.

1,797 grey pictures of 8x8 pixels with values 0-16 (UCI Optical Recognition of Handwritten Digits, test half). The
figures are constants, so that describing them loads nothing; the pictures are read when they are loaded.
"""

import numpy as np
from numpy.typing import NDArray

NAME = "digits"
COUNTS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
SIDE_PIXELS = 8
HASH = "0a7dc9868751c1fb514ede4a2b2505e5ff2824cfc36822b156be2ff0775981e9"


def read_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """uint8 pictures (1797, 1, 8, 8) with 0-16 scaled to 0-255, and labels (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)
    return images[:, None], digits.target.astype(np.int64)
