"""What can be added to any space: one file is one combinator. `mcunetv2+recipe` is `mcunetv2` with `recipe.py`."""
