"""TinyViT: contraction factors of a vision transformer (Wu et al., arXiv 2207.10666)."""

from search_spaces.tinyvit.space import Tinyvit

SPACE = Tinyvit
