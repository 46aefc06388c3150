"""Training: data, loops, supernets."""
