"""What every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fitnas_data() -> Path:
    """The folder with outside data, from the environment variable FITNAS_DATA; skips where there is none."""
    folder = os.environ.get("FITNAS_DATA")
    if not folder:
        pytest.skip("FITNAS_DATA is not set: this test needs the folder with outside data")
    if not Path(folder).is_dir():
        pytest.skip(f"FITNAS_DATA={folder} is no folder")
    return Path(folder)
