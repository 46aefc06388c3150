"""From an integer network to a program, one pass a file: each takes a program and gives one."""
