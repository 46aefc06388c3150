"""Elastic residual networks: OFA-ResNet50's space (Cai et al., arXiv 1908.09791), and two for small pictures."""

from search_spaces.resnet.space import Resnet

SPACE = Resnet
