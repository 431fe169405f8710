"""Versions of client, operator and CRD, and whether they fit. `look` asks the cluster; the rest is pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from reasoning_contract.api import API_VERSION, GROUP, KIND, VERSION
from reasoning_contract.spec import Spec

from .errors import ClientError, Exit
from .kube import Cluster

Json = dict[str, Any]
PACKAGE = "reasoning-operator"
SHOWN = 4
"""Fields that are named of those that one side lacks."""


@dataclass(frozen=True)
class Found:
    """What the cluster tells.

    Attributes
    ----------
    schema
        The CRD's schema of a job, as any user of the cluster may read it.
    operators
        Versions of the operators that may be seen; None where it takes more rights to see.
    """

    schema: Json
    operators: list[str] | None


@dataclass(frozen=True)
class Part:
    """One side.

    Attributes
    ----------
    name, version
        What it is.
    fits
        Whether it fits the client; None where that is not known.
    note
        Why.
    """

    name: str
    version: str
    fits: bool | None
    note: str = ""


def client_version() -> str:
    """Return the version of this package."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "not installed: run from a clone"


def look(cluster: Cluster) -> Found:
    """Ask the cluster.

    Raises
    ------
    ClientError
        If it does not know the kind.
    """
    try:
        document = cluster.request("GET", f"/openapi/v3/apis/{GROUP}/{VERSION}")
    except ClientError as error:
        if error.code == Exit.NOT_FOUND:
            raise ClientError(f"the cluster does not know {API_VERSION}", code=Exit.NOT_INSTALLED) from None
        raise
    schemas = document["components"]["schemas"]
    schema = next(each for name, each in schemas.items() if name.endswith(f".{KIND}"))
    return Found(schema, _operators(cluster))


def _operators(cluster: Cluster) -> list[str] | None:
    query = {"labelSelector": f"app.kubernetes.io/name={PACKAGE}"}
    try:
        found = cluster.request("GET", "/apis/apps/v1/deployments", query=query)["items"]
    except ClientError as error:
        if error.code == Exit.FORBIDDEN:
            return None
        raise
    return [each["metadata"]["labels"].get("app.kubernetes.io/version", "of no version") for each in found]


def compare(found: Found | None) -> list[Part]:
    """Return the parts, and whether they fit; None stands for a cluster that could not be asked or has no CRD."""
    own = client_version()
    parts = [Part("client", own, True, API_VERSION)]
    if found is None:
        return [*parts, Part("operator", "-", None, "not seen"), Part("CRD", "-", None, "not seen")]
    return [*parts, _operator(own, found.operators), _crd(found.schema)]


def _operator(own: str, operators: list[str] | None) -> Part:
    if operators is None:
        return Part("operator", "-", None, "to see its Deployment takes role view in every namespace")
    if not operators:
        return Part("operator", "none", False, "no Deployment has the chart's labels: is the chart installed?")
    fits = all(_series(each) == _series(own) for each in operators) if own[:1].isdigit() else None
    note = "" if fits or fits is None else f"install the client of that version: pip install {PACKAGE}[client]=="
    return Part("operator", ", ".join(operators), fits, f"{note}{operators[0]}" if note else "")


def _series(version: str) -> str:
    """Return what must be alike: before 1.0 a minor version may change the API."""
    return ".".join(version.split(".")[:2])


def _crd(schema: Mapping[str, Any]) -> Part:
    theirs = set(_of_schema(schema["properties"]["spec"], {}))
    own = Spec.model_json_schema(by_alias=True)
    ours = set(_of_schema(own, own.get("$defs", {})))
    missing, unknown = sorted(ours - theirs), sorted(theirs - ours)
    notes = []
    if missing:
        notes.append(f"the CRD lacks {_some(missing)}: upgrade it, for helm does not by itself")
    if unknown:
        notes.append(f"the client does not know {_some(unknown)}: upgrade it")
    return Part("CRD", API_VERSION, not notes, "; ".join(notes))


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Yield the paths of all fields that a JSON schema has."""
    if "$ref" in schema:
        schema = definitions[str(schema["$ref"]).rpartition("/")[2]]
    for each in [*schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from _of_schema(each, definitions, at)
    if isinstance(schema.get("items"), Mapping):
        yield from _of_schema(schema["items"], definitions, f"{at}[]")
    for name, each in (schema.get("properties") or {}).items():
        path = f"{at}.{name}" if at else name
        yield path
        yield from _of_schema(each, definitions, path)
