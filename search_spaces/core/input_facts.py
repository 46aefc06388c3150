"""What a space may know about the data it will see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputFacts:
    """Plain figures: channels (1 or 3), native height and width in pixels, classes, pictures."""

    channels: int
    height: int
    width: int
    classes: int
    pictures: int
