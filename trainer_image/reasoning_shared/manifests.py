"""Reads manifests as Kubernetes does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

HINT = "give the path of a manifest in YAML or JSON"


class ManifestError(ValueError):
    """A file that is no manifest; the text says why."""


class _Loader(yaml.SafeLoader):
    """Takes numbers as Kubernetes and JSON do: to PyYAML, which follows YAML 1.1, 5e-06 is a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file in YAML or JSON.

    Raises
    ------
    ManifestError
        If it cannot be read, or something in it is no object.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from None
    return parse_documents(text, str(path))


def parse_documents(text: str, name: str) -> list[dict[str, Any]]:
    """Return the objects of a text in YAML or JSON; `name` is what errors call it."""
    try:
        documents = [each for each in yaml.load_all(text, _Loader) if each is not None]
    except yaml.YAMLError as error:
        raise ManifestError(f"{name} cannot be read: {error}") from None
    if not all(isinstance(document, dict) for document in documents):
        raise ManifestError(f"{name} is no manifest: a document in it is no object")
    return documents
