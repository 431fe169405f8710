"""Reads and writes manifests, and holds them to the contract's rules, without a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from reasoning_contract.api import API_VERSION, KIND, NAME_LIMIT
from reasoning_contract.resolve import resolve
from reasoning_contract.rules import Fault, faults
from reasoning_contract.spec import Spec
from reasoning_contract.unbuilt import unsupported
from reasoning_shared.manifests import HINT, ManifestError, parse_documents, read_documents

from .errors import ClientError, Exit

Json = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def read(source: str | Path) -> list[Json]:
    """Return the objects of a manifest: of a file, of the standard input (`-`), or of the text itself.

    Raises
    ------
    ClientError
        If it cannot be read.
    """
    try:
        if isinstance(source, str) and "\n" in source:
            return parse_documents(source, "the manifest")
        if str(source) == "-":
            import sys

            return parse_documents(sys.stdin.read(), "the standard input")
        return read_documents(Path(source))
    except ManifestError as error:
        raise ClientError(str(error), HINT, Exit.INVALID) from None


def jobs_in(documents: Sequence[Json], name: str) -> list[Json]:
    """Return the ReasoningTrainingJobs among objects; `name` is what errors call them.

    Raises
    ------
    ClientError
        If there is none.
    """
    found = [each for each in documents if each.get("kind") == KIND]
    if not found:
        raise ClientError(f"{name} holds no object of kind {KIND}", "rtj init writes one", Exit.INVALID)
    return found


def wrong(document: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a job: what the API server would refuse, and what this version does not run."""
    found = _wrong_object(document)
    try:
        spec = resolve(Spec.model_validate(document.get("spec") or {}))
    except ValidationError as error:
        return found + faults(error, "spec")
    return found + [Fault(field, advice) for field, advice in unsupported(spec)]


def _wrong_object(document: Mapping[str, Any]) -> list[Fault]:
    found = []
    if document.get("apiVersion") != API_VERSION:
        found.append(Fault("apiVersion", f"must be {API_VERSION}"))
    unknown = sorted(set(document) - {"apiVersion", "kind", "metadata", "spec", "status"})
    found += [Fault(name, "unknown field: an object has apiVersion, kind, metadata and spec") for name in unknown]
    name = (document.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        found.append(Fault("metadata.name", "must be lower-case letters, digits, - and ., such as gsm8k"))
    elif len(name) > NAME_LIMIT:
        found.append(Fault("metadata.name", f"must be at most {NAME_LIMIT} characters: its children's names add some"))
    return found


def refuse(document: Mapping[str, Any], name: str) -> None:
    """Raise what is wrong with a job, field by field.

    Raises
    ------
    ClientError
        If something is.
    """
    found = wrong(document)
    if found:
        problems = "\n".join(f"  {fault}" for fault in found)
        raise ClientError(f"{name} is not valid:\n{problems}", "mend the fields named: docs/api.md", Exit.INVALID)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, for they are code and prompts."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    # PyYAML's own 5e-06 is a text to readers of YAML 1.1
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return dumper.represent_scalar(
        "tag:yaml.org,2002:float", f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent}" if mark else text
    )


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)


def dump(document: Mapping[str, Any]) -> str:
    """Return an object as YAML, in the order of its fields."""
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def document_of(name: str, spec: Mapping[str, Any], namespace: str | None = None) -> Json:
    """Return a job as an object."""
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": dict(spec)}
