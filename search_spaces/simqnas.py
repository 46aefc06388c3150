"""SimQ-NAS (Sridhar et al., arXiv 2312.13301): an elastic transformer or residual network, each operator with a width.

The public code knows ResNet-50 and BERT, 8 and 32 bits; the paper also ViT. Here the bases are the spaces `vit` and
`resnet`, and the widths any that the runtime executes.
"""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from search_spaces.combinators.quantization import QuantizationSettings, WithQuantization
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class
from search_spaces.core.space import PublishedMember

BASES = ("vit", "resnet")


class SimqnasSettings(QuantizationSettings):
    """`elastic`: the base, which `--set base=vit` names; the other settings are the base's."""

    elastic: Literal["vit", "resnet"] = "vit"


class Simqnas(WithQuantization):
    """The space `vit` or `resnet`, and the widths of its operators."""

    name: ClassVar[str] = "simqnas"
    title: ClassVar[str] = "elastic transformers or residual networks with a width for each operator"
    source: ClassVar[str] = "SimQ-NAS, arXiv 2312.13301; IntelLabs/DyNAS-T for its space of residual networks"
    own_settings: ClassVar[type[BaseModel]] = SimqnasSettings

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None) -> "Simqnas":
        told = dict(options)
        base = told.pop("base", "vit")
        if base not in BASES:
            raise WrongUse(unknown("base of simqnas", base, BASES))
        made: Simqnas = super(Simqnas, _over(base)).configured({**told, "elastic": base}, facts)
        return made

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "Simqnas":
        made: Simqnas = super(Simqnas, _over(settings["elastic"])).restored(settings)
        return made

    @classmethod
    def members(cls) -> Mapping[str, PublishedMember]:
        return {}


@functools.cache
def _over(base: str) -> type[Simqnas]:
    """The class over one base; the same at every call."""
    inner = space_class(base)
    told = {
        "inner_class": inner,
        "learning_rate": inner.learning_rate,
        "default_sampling": inner.default_sampling,
    }
    return type(f"Simqnas{inner.__name__}", (Simqnas,), told)


SPACE = Simqnas
