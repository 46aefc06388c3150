"""Many architectures of one space as one integer matrix."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.architecture import Architecture

if TYPE_CHECKING:
    from search_spaces.core.space import SearchSpace


class Population:
    """A sequence of architectures backed by an integer matrix `(n, choices)` of option indices.

    An integer index gives an `Architecture`, a slice, mask or index array a `Population`. May be empty.
    """

    def __init__(self, space: "SearchSpace[Any]", matrix: NDArray[np.integer[Any]]) -> None:
        if matrix.ndim != 2 or matrix.shape[1] != len(space.choices):
            raise ValueError(f"expected a matrix (n, {len(space.choices)}), got {matrix.shape}")
        self.space = space
        self.matrix: NDArray[np.int16] = np.ascontiguousarray(matrix, dtype=np.int16)

    def __len__(self) -> int:
        return len(self.matrix)

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Architecture: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any]) -> "Population": ...
    def __getitem__(self, key: Any) -> "Architecture | Population":
        if isinstance(key, int | np.integer):
            return self.space.architecture(self.matrix[key])
        return Population(self.space, self.matrix[key])

    def __iter__(self) -> Iterator[Architecture]:
        return (self.space.architecture(row) for row in self.matrix)

    def concatenate(self, other: "Population") -> "Population":
        """This population followed by `other`, which must be of the same space."""
        return Population(self.space, np.concatenate([self.matrix, other.matrix]))

    def keys(self) -> list[bytes]:
        """One hashable key per row, equal where the architectures are."""
        return [row.tobytes() for row in self.matrix]
