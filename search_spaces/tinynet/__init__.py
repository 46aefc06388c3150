"""TinyNet's resolution, depth and width of one base network, and the rules that choose them for a budget."""

from search_spaces.tinynet.space import Tinynet

SPACE = Tinynet
