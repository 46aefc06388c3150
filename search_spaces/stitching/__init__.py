"""Stitching trained networks of one family into more: what the spaces `snnet` and `snnetv2` share. No torch."""
