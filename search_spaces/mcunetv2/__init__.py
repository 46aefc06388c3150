"""MCUNetV2: architecture and patch schedule searched together (Lin et al., arXiv 2110.15352)."""

from search_spaces.mcunetv2.space import Mcunetv2

SPACE = Mcunetv2
