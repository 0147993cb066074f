"""The licence of a package as an SPDX expression: one rule for metadata that have it in five ways."""

from __future__ import annotations

import re
from importlib import metadata

from tools.dependencies import ELSEWHERE, MetadataError

# Licences that ask for no more than their text and the names of the authors, and MPL-2.0, which asks for the source of
# its own files where somebody changes them.
PERMITTED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU"),
    *("MPL-2.0", "PSF-2.0", "Zlib"),
}

# What is let in all the same: its licence, and why.
LET_IN = dict.fromkeys(
    ("psycopg", "psycopg-binary"),
    ("LGPL-3.0-only", "installed beside the package by the extra postgres alone, imported, and never changed"),
)

# Where the metadata are silent or wrong: the licence, and how that is known.
CORRECTIONS: dict[str, tuple[str, str]] = {}

# What the field License and the classifiers call a licence. "BSD" alone names none: then the text tells.
_SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
_SPELLINGS |= {name.lower(): name for name in PERMITTED}

# What only the text of one licence has, with blanks and line breaks as one blank, in the order in which they are tried.
_SENTENCES = (
    ("neither the name", "BSD-3-Clause"),
    ("may not be used to endorse or promote products", "BSD-3-Clause"),
    ("redistributions in binary form must reproduce", "BSD-2-Clause"),
    ("apache license version 2.0", "Apache-2.0"),
    ("permission is hereby granted, free of charge", "MIT"),
)


def licence_of(name: str) -> str:
    """Return the licence of a package as an SPDX expression.

    The first of these that tells one: `CORRECTIONS`, the metadata's expression, the field License where it is a known
    name or an expression, the classifiers where they agree, the text in the field License or in the licence's file. A
    package that is not installed has its licence in `ELSEWHERE`.
    """
    if name in CORRECTIONS:
        return CORRECTIONS[name][0]
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ELSEWHERE[name].licence
    fields = distribution.metadata
    field = _field(fields, "License")
    classified = {_spelled(value.rpartition(" :: ")[2]) for value in _classifiers(fields)}
    found = _field(fields, "License-Expression") or _spelled(field)
    if not found and len(classified) == 1:
        found = classified.pop()
    found = found or _by_sentence(field) or _by_sentence(_texts(distribution))
    if not found:
        raise MetadataError(f"No licence of {name} in its metadata. Look it up: CORRECTIONS in tools/licences.py.")
    return found


def is_permitted(licence: str) -> bool:
    """Tell whether every licence that an expression names may be used; a choice of two is made in `CORRECTIONS`."""
    return set(re.split(r"[\s()]+|AND|OR", licence)) - {""} <= PERMITTED


def _spelled(text: str) -> str:
    """Return the SPDX expression of a short name, or nothing."""
    text = " ".join(text.split())
    known = _SPELLINGS.get(text.lower(), "")
    return known or (text if re.search(r" (AND|OR) ", text) and is_permitted(text) else "")


def _field(fields: metadata.PackageMetadata, name: str) -> str:
    return "".join(fields.get_all(name) or [])


def _classifiers(fields: metadata.PackageMetadata) -> list[str]:
    return [value for value in fields.get_all("Classifier") or [] if value.startswith("License :: OSI Approved :: ")]


def _by_sentence(text: str) -> str:
    """Return the licence whose text this is, or nothing."""
    words = " ".join(re.sub(r"[^\w.,-]+", " ", text.lower()).split())
    return next((licence for sentence, licence in _SENTENCES if sentence in words), "")


def _texts(distribution: metadata.Distribution) -> str:
    """Return the text of a package's own licence: the file nearest to its metadata."""
    named = [file for file in distribution.files or [] if re.match(r"(licen[cs]e|copying)", file.name, re.IGNORECASE)]
    own = [file for file in named if ".dist-info" in str(file.parent)]
    nearest = sorted(own, key=lambda file: (len(file.parts), str(file)))
    return nearest[0].read_text(encoding="utf-8") if nearest else ""
