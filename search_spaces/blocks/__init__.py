"""Torch parts that spaces share, one idea a file. Importing a file here imports torch."""
