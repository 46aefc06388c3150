"""Trained networks that a space stitches."""

from nas.anchors.kept import ALONE, anchor_file, anchor_weights, beginning, keep_anchors
from nas.anchors.sources import Source, resolved_options

__all__ = ["ALONE", "Source", "anchor_file", "anchor_weights", "beginning", "keep_anchors", "resolved_options"]
