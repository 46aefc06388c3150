"""Data: from a folder, zip, array file or scikit-learn's digits to uint8 pictures that are split and ready to train on.

    description = describe("./pictures")             # headers only, fast
    pictures = load(description, size=(96, 96), seed=0, cache=Path("runs/signs/cache"))

Neither torch nor torchvision nor scikit-learn nor Pillow is loaded by importing this package.
"""

from nas.training.data.augmenting import Augmentation, augmentation
from nas.training.data.describing import describe
from nas.training.data.description import DataDescription, skipped_lines
from nas.training.data.loading import Labelled, Pictures, load, split_of
from nas.training.data.predicting import preprocessing, read_picture
from nas.training.data.tensors import resize, to_float

__all__ = [
    "Augmentation",
    "DataDescription",
    "Labelled",
    "Pictures",
    "augmentation",
    "describe",
    "load",
    "preprocessing",
    "read_picture",
    "resize",
    "skipped_lines",
    "split_of",
    "to_float",
]
