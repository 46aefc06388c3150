"""Evaluators: an architecture in, measured accuracy out."""
