"""What an untrained network tells of the accuracy it would reach, from one batch. One file is one proxy.

It exports `PROXY`; torch is loaded when one is asked. How well they order networks differs from space to space
(White et al., arXiv 2104.01177; Krishnakumar et al., arXiv 2210.03230): a hint for a predictor to learn from, never an
accuracy. Parameters and multiply-accumulates are proxies too, which every price holds.
"""

from predictors.zero_cost.proxy import ZeroCostProxy
from search_spaces.core.by_file import exported, file_names

__all__ = ["ZeroCostProxy", "zero_cost_names", "zero_cost_proxy"]

_NOT_PROXIES = {"gradients", "proxy"}


def zero_cost_names() -> list[str]:
    """Every known proxy, sorted; none is imported."""
    return file_names(__path__, _NOT_PROXIES)


def zero_cost_proxy(name: str) -> ZeroCostProxy:
    """The one that `predictors/zero_cost/<name>.py` exports as `PROXY`.

    `WrongUse` with the nearest known name where there is none.
    """
    proxy: type[ZeroCostProxy] = exported(__name__, name, "PROXY", "zero-cost proxy", zero_cost_names())
    return proxy()
