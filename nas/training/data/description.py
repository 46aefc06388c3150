"""What a data set is, before a single pixel is decoded: classes, sizes, counts, hash, and what was left out and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nas.training.data.content import PICTURES, SPECTROGRAMS
from nas.training.data.layout import TRAIN, VALIDATION
from nas.training.data.log_mel import LogMel
from nas.training.data.splitting import Record
from search_spaces.core.input_facts import InputFacts

IMBALANCE_RATIO = 1.5
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class DataDescription:
    """A data set as `describe` found it.

    Attributes:
        source: "digits", or the absolute path.
        kind: "digits", "folder", "zip" or "npz".
        content: "pictures", "sounds" (WAV files), "spectrograms" (an `.npz` that says so), or "unstated" (grey pictures
            of an `.npz` that says nothing).
        recipe: how sounds become log-mel spectrograms; None for everything else.
        facts: channels (1 where every picture is grey, else 3), native height and width in pixels (each the median over
            all pictures after rotation; of an even number the lower middle one), classes, usable pictures.
        class_names: by label.
        counts: pictures per class in "train", "validation" and "test", the same for every seed.
        hash: 64 hex digits over part, class and content of every usable picture, and over being spectrograms; file
            names do not matter.
        skipped: what was left out, names by reason.
        notes: sentences on what was kept but should be known.
        given_parts: the parts that the data set names itself; empty where the split is ours alone.
        records: the usable pictures; empty for digits, which are read only when they are loaded.
    """

    source: str
    kind: str
    facts: InputFacts
    class_names: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    hash: str
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given_parts: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)
    content: str = PICTURES
    recipe: LogMel | None = None

    @property
    def imbalanced(self) -> bool:
        """Whether the largest class has over 1.5 times the pictures of the smallest, training and validation together.

        Then accuracy alone misleads: a network that knows only the largest class would look good.
        """
        totals = [sum(pair) for pair in zip(self.counts[TRAIN], self.counts[VALIDATION], strict=True)]
        return max(totals) > IMBALANCE_RATIO * min(totals)

    def lines(self) -> list[str]:
        """The description for people: one line for the figures, one for each reason and each note."""
        facts = self.facts
        parts = " / ".join(f"{sum(counts):,} {part}" for part, counts in self.counts.items())
        first = f"{self.source}: {facts.pictures:,} {self._what()} in {facts.classes} classes ({parts})"
        return [first, *skipped_lines(self.skipped), *self.notes]

    def _what(self) -> str:
        """Kind and size of one input, in words."""
        facts = self.facts
        if self.recipe is not None:
            seconds = self.recipe.length / self.recipe.rate
            size = f"{facts.height} frames x {facts.width} bands"
            return f"sounds of {seconds:g} s at {self.recipe.rate:,} Hz, log-mel {size},"
        if self.content == SPECTROGRAMS:
            return f"spectrograms of {facts.height} frames x {facts.width} bands"
        colour = "grey" if facts.channels == 1 else "colour"
        return f"{colour} pictures of {facts.width} x {facts.height}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for a manifest; what was left out as counts."""
        return {
            "source": self.source,
            "hash": self.hash,
            "class_names": list(self.class_names),
            "channels": self.facts.channels,
            "height": self.facts.height,
            "width": self.facts.width,
            "pictures": self.facts.pictures,
            "counts": {part: list(counts) for part, counts in self.counts.items()},
            "skipped": {reason: len(names) for reason, names in self.skipped.items()},
            "notes": list(self.notes),
            "content": self.content,
            "recipe": None if self.recipe is None else asdict(self.recipe),
        }


def skipped_lines(skipped: Mapping[str, tuple[str, ...]]) -> list[str]:
    """One line a reason: how many were left out, why, and the first names.

    >>> skipped_lines({"empty file": ("a/1.png", "b/2.png")})
    ['2 left out: empty file (a/1.png, b/2.png)']
    """
    lines = []
    for reason, names in skipped.items():
        shown = ", ".join(printable(name) for name in names[:_NAMES_SHOWN])
        more = f", and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        lines.append(f"{len(names):,} left out: {reason} ({shown}{more})")
    return lines


def printable(name: str) -> str:
    """A file name that any terminal and any JSON can show: bytes that are no UTF-8 and control characters escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
