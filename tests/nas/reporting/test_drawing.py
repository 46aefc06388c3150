import xml.etree.ElementTree as ElementTree

import pytest

from nas.reporting.drawing import Drawing, drawing_of
from predictors.hardware.layer_profile import LayerCost

SVG = "{http://www.w3.org/2000/svg}"


def layer(name, sram, patched=False, peak=False):
    return LayerCost(name, "conv", (3, 8, 8), (8, 4, 4), 3, 2, 1000, 72, sram, patched, peak)


def drawing(limit=4096.0):
    layers = [layer("stem", 1024, patched=True), layer("s1.a", 2048, peak=True), layer("s1.b", 512)]
    return Drawing("<net> & co", ("first", "second"), layers, 2, limit)


def test_bars_are_to_scale_and_the_peak_is_marked():
    root = ElementTree.fromstring(drawing().svg())
    bars = {bar.get("class"): float(bar.get("width")) for bar in root.iter(f"{SVG}rect") if "bar" in bar.get("class")}
    assert bars["peakbar"] == pytest.approx(4 * bars["bar"], abs=0.2)  # the last plain bar is a quarter of the peak
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert "2.0 KiB peak" in words
    assert "limit 4.0 KiB" in words
    assert words.count("s1") == 1
    assert "<net> & co" in words


def test_patches_are_shaded():
    root = ElementTree.fromstring(drawing().svg())
    (shade,) = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "patch"]
    assert shade.get("height") == "17"


def test_a_limit_far_away_is_not_drawn():
    assert "limit 40.0 KiB" not in drawing(limit=40960.0).svg()
    assert "<style>" not in drawing().svg(styled=False)


def test_every_operator_of_a_run_s_network_is_drawn(plain_run):
    trial = plain_run.knee()
    drawn = drawing_of(plain_run, trial, "knee")
    root = ElementTree.fromstring(drawn.svg())
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") in ("bar", "peakbar")]
    assert len(bars) == len(drawn.layers)
    assert max(one.sram_bytes for one in drawn.layers) == pytest.approx(trial.metrics["peak_sram_bytes"], abs=4)
    assert sum(one.patched for one in drawn.layers) > 0 or trial.split == 0
