"""Random variations of training pictures, chosen by the data; torchvision is loaded on use.

- Digits, and pictures with a side below 16 pixels: shifts up to a tenth, turns up to 10 degrees, scale 0.9-1.1.
  Nothing is cropped, for there every pixel carries the class.
- All others: a random crop of 70-100 % of the area (proportions changed by at most a quarter), scaled to full size.
- Colour pictures: brightness, contrast and saturation vary by 20 %. Grey ones keep their values: they may be
  measurements.
- Spectrograms and sounds: shifts in time and masks, see `shifting`; nothing is flipped, turned, cropped or scaled, for
  there place is pitch and moment. Grey pictures of an `.npz` that does not say what they are: small shifts alone.
- Flips left-right with probability 1/2, except where left and right may carry the class: grey pictures (characters,
  spectrograms, scans), and class names that are numbers, single letters or speak of direction. Data whose classes are
  mere numbers is among these, since nobody says what they mean; `flips` overrides the rule.

Each picture gets variations of its own. torchvision draws one crop or turn a call, so it is called picture by picture
on a CPU and on groups of eight elsewhere, where a call costs more than its pixels; colours and flips are drawn for all
pictures at once (`colours`).
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nas.training.data.colours import flipped, varied_colours
from nas.training.data.content import SOUNDS, SPECTROGRAMS, UNSTATED
from nas.training.data.description import DataDescription
from nas.training.data.shifting import Shifts

if TYPE_CHECKING:
    from torch import Generator, Tensor

AUGMENTATION_VERSION = 2  # to be raised with any change of what a seed gives, here or in `colours` and `shifting`
_SMALL_SIDE_PIXELS = 16
_TURN_DEGREES = 10.0
_SHIFT = 0.1
_GROUP_ELSEWHERE = 8
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten"
_DIRECTION_WORDS = "left right clockwise counterclockwise anticlockwise east west leftward rightward lefthand righthand"
_WORDS_WITHOUT_FLIP = frozenset(f"{_NUMBER_WORDS} {_DIRECTION_WORDS}".split())


class Augmentation:
    """A function on batches: uint8 (n, C, H, W) and a generator in, a new batch of the same shape and device out.

    The result depends on the batch and the generator's state alone; torch's global random state is left as it was.
    """

    def __init__(self, size: tuple[int, int], rules: tuple[str, ...], colour: bool, flips: bool, crops: bool) -> None:
        self.size = size
        self.rules = rules
        self.flips = flips
        self.colour = colour
        self.crops = crops
        self._transform: Callable[[Any], Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_transform": None}  # built again where it is unpickled

    def __call__(self, images: "Tensor", generator: "Generator") -> "Tensor":
        """The batch, every picture varied by itself."""
        import torch

        if len(images) == 0:
            return images
        self._transform = self._transform or self._build()
        seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
        before = torch.get_rng_state()
        try:
            # The transforms draw from torch's global CPU generator alone. `torch.manual_seed` would also reseed
            # every accelerator, and with it whatever dropout draws there.
            torch.default_generator.manual_seed(seed)
            group = 1 if images.device.type == "cpu" else _GROUP_ELSEWHERE
            groups = [images[start : start + group] for start in range(0, len(images), group)]
            moved = torch.cat([self._transform(part) for part in groups])
            coloured = varied_colours(moved) if self.colour else moved
            return flipped(coloured) if self.flips else coloured
        finally:
            torch.set_rng_state(before)

    def _build(self) -> Callable[[Any], Any]:
        from nas.torchvision_door import v2

        height, width = self.size
        steps: list[Any] = []
        if self.crops:
            ratio = (0.8 * width / height, 1.25 * width / height)
            steps.append(v2.RandomResizedCrop(self.size, scale=(0.7, 1.0), ratio=ratio, antialias=True))
        else:
            border = max(2, round(max(self.size) / 4))  # what a shift or turn brings in repeats the edge: no black bars
            steps += [
                v2.Pad(border, padding_mode="edge"),
                v2.RandomAffine(
                    _TURN_DEGREES,
                    translate=(_SHIFT * width / (width + 2 * border), _SHIFT * height / (height + 2 * border)),
                    scale=(0.9, 1.1),
                    interpolation=v2.InterpolationMode.BILINEAR,
                ),
                v2.CenterCrop(self.size),
            ]
        composed: Callable[[Any], Any] = v2.Compose(steps)
        return composed


def augmentation(
    description: DataDescription, size: tuple[int, int], flips: bool | None = None
) -> Augmentation | Shifts:
    """The augmentation that suits a data set at `size` = (height, width); `flips` overrides the rule for pictures.

    `.rules` of the result says in sentences what was chosen and why. torchvision is loaded at the first call.
    """
    if description.content in (SOUNDS, SPECTROGRAMS):
        return Shifts(size, spectrograms=True)
    if description.content == UNSTATED and flips is None:
        return Shifts(size, spectrograms=False)
    facts = description.facts
    small = description.kind == "digits" or min(facts.height, facts.width) < _SMALL_SIDE_PIXELS
    against = _against_flips(description)
    flip = not against if flips is None else flips
    colour = facts.channels == 3
    why = ", as asked" if flips is not None else f", {against}" if against else ""
    rules = (
        "shifts up to 10 %, turns up to 10 degrees, scale 0.9-1.1" if small else "random crops of 70-100 % of the area",
        "brightness, contrast, saturation within 20 %" if colour else "no change of brightness: grey pictures",
        f"flips left-right: {'yes' if flip else 'no'}{why}",
    )
    return Augmentation(size, rules, colour, flip, not small)


def _against_flips(description: DataDescription) -> str:
    """Why left and right may matter; empty where nothing speaks for it."""
    if description.facts.channels == 1:
        return "for grey pictures may be characters or measurements"
    for name in description.class_names:
        words = [word for word in re.split(r"[\W_]+", name.casefold()) if word]
        if len(words) == 1 and (words[0].isdigit() or len(words[0]) == 1):
            return f"for the class name '{name}' is a number or a letter"
        if _WORDS_WITHOUT_FLIP.intersection(words):
            return f"for the class name '{name}' speaks of a number or a direction"
    return ""
