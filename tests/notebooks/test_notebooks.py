"""Every notebook runs from top to bottom, on settings made small; what is kept in it has pictures and no machine."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SMALL = {"supernet_epochs": 1, "trials": 9, "epochs": 1, "samples": 16}


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sixth of the digits that the notebooks use."""
    images, labels = load_digits(return_X_y=True)
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, x=(images[:300].reshape(-1, 8, 8, 1) * 15).astype(np.uint8), y=labels[:300])
    return path


def test_they_are_found() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    notebook = nbformat.read(path, as_version=4)
    small = {rf"\b{name}=\d+": f"{name}={value}" for name, value in SMALL.items()}
    small[r'"digits"'] = repr(str(few_digits))
    changed = 0
    for cell in notebook.cells:
        for pattern, value in small.items():
            cell.source, count = re.subn(pattern, value, cell.source)
            changed += count
    assert changed >= 2
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_has_pictures_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "image/png" in text
    assert "image/svg" in text or path.stem[:2] in ("02", "04", "05", "06")
    for private in (f"{Path.home()}/", "/tmp/", str(FOLDER.parent)):
        assert private not in text, private
