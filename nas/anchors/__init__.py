"""Trained networks that a space stitches."""

from nas.anchors.kept import ALONE, anchor_file, anchor_weights, beginning, keep_anchors
from nas.anchors.sources import resolve_anchors, resolved_options

__all__ = ["ALONE", "anchor_file", "anchor_weights", "beginning", "keep_anchors", "resolve_anchors", "resolved_options"]
