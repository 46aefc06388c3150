"""Vision transformers with entangled weights: AutoFormer's spaces, those below DeiT, and one for small pictures."""

from search_spaces.vit.space import Vit

SPACE = Vit
