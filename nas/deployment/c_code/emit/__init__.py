"""The text of source files: one function a file that is written, each of the same program."""
