"""The columns that a table with unusual headers probably has, for a person to confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ColumnProposal:
    """The columns that a table probably has.

    Args:
        columns: The header of each column.
        basis: Why that header: its ``name``, a ``similar name``, or its ``content``.
        headers: All headers of the table, by which the next version of it is recognised.
        samples: Of each column the values of the first rows.
        is_confident: Whether the names are known ones and the values fit, so that nobody has to be at hand to confirm.
    """

    columns: Mapping[str, str]
    basis: Mapping[str, str]
    headers: Sequence[str]
    samples: Mapping[str, Sequence[str]]
    is_confident: bool = False

    def to_response(self) -> dict[str, Any]:
        """The proposal in a form that JSON has."""
        return asdict(self)

    @classmethod
    def from_response(cls, response: dict[str, Any] | None) -> ColumnProposal | None:
        """The proposal from that form."""
        return cls(**response) if response else None
