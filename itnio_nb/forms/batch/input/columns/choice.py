"""Which header of a file has which column of the API: what is known of a file, and what was chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import shortened
from itnio_nb.errors import MissingColumnsError
from itnio_nb.orders.models import SOURCE, Source

_SHOWN = 3  # cells of a column
_SAMPLED = 20  # rows from which they are taken


@dataclass(frozen=True)
class ColumnChoice:
    """What a person chose: by column its header, "" for none of them, and what has one value for all rows."""

    match: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.match or self.constants)

    def __str__(self) -> str:
        parts = [f"{shortened(header.strip())} → {column}" for column, header in self.match.items() if header]
        return ", ".join(
            [*parts, *(f"{column} {shortened(text)!r} in all rows" for column, text in self.constants.items())]
        )

    def with_given(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the values for all rows, those that were given before included, unless a header was chosen since."""
        kept = {column: text for column, text in given.items() if not self.match.get(column)}
        return {**kept, **self.constants}


@dataclass(frozen=True)
class FileColumns:
    """The headers of a file, and what was made of them before anybody chose."""

    headers: tuple[str, ...]  # that have a text, each once
    samples: Mapping[str, Sequence[str]]  # by header its first cells
    recognised: Mapping[str, str]  # by column its header
    missing: tuple[str, ...]  # columns
    guesses: Mapping[str, str]  # by missing column the header that is likeliest meant
    row: int  # of the headers, 0 for a file that has none

    @classmethod
    def of_orders(cls, orders: pd.DataFrame, given: Mapping[str, str]) -> FileColumns:
        """Return the columns of orders as they were read, but for those that were given for all rows."""
        source: Source = orders.attrs[SOURCE]
        pairs = zip(source.headers, source.columns, strict=True)
        named = [(header, column) for header, column in pairs if header.strip() and column not in given]
        head = orders.head(_SAMPLED)
        samples: dict[str, Sequence[str]] = {}
        for header, column in named:
            samples.setdefault(header, [cell for cell in head[column].tolist() if cell.strip()][:_SHOWN])
        recognised = {column: header for header, column in named if column in API_COLUMNS}
        return cls(tuple(samples), samples, recognised, (), {}, source.header_row)

    @classmethod
    def of_error(cls, error: MissingColumnsError) -> FileColumns:
        """Return the columns of a table that lacks some."""
        headers = (*error.recognised.values(), *error.headers)
        guesses = {column: header for column, (header, _) in error.guesses.items()}
        ordered = dict.fromkeys([*error.samples, *headers])  # as they stand in the file
        return cls(tuple(ordered), error.samples, error.recognised, error.missing, guesses, error.row)
