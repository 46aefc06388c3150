"""Data: from a folder, zip, array file or scikit-learn's digits to uint8 pictures that are split and ready to train on.

A sound is a picture too: its log-mel spectrogram, one channel, a row a frame and a column a band.

    description = describe("./pictures")             # headers only, fast
    pictures = load(description, size=(96, 96), seed=0, cache=Path("runs/signs/cache"))

Neither torch nor torchvision nor scikit-learn nor SciPy nor Pillow is loaded by importing this package.
"""

from nas.training.data.augmenting import Augmentation, augmentation
from nas.training.data.describing import describe
from nas.training.data.description import DataDescription, skipped_lines
from nas.training.data.loading import Labelled, Pictures, load, split_of
from nas.training.data.predicting import Reading, preprocessing, read_picture
from nas.training.data.shifting import Shifts
from nas.training.data.spectrogram_steps import OWN_RECIPE, preprocessing_source, spectrogram_preprocessing
from nas.training.data.tensors import resize, to_float

__all__ = [
    "OWN_RECIPE",
    "Augmentation",
    "DataDescription",
    "Labelled",
    "Pictures",
    "Reading",
    "Shifts",
    "augmentation",
    "describe",
    "load",
    "preprocessing",
    "preprocessing_source",
    "read_picture",
    "resize",
    "skipped_lines",
    "spectrogram_preprocessing",
    "split_of",
    "to_float",
]
