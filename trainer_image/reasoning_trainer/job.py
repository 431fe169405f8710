"""Reads the manifest of a job and finds the files that its sources name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reasoning_contract.choice import Choice, choose
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.rules import faults
from reasoning_contract.spec import Spec
from reasoning_shared.manifests import HINT, ManifestError, read_documents

from .errors import TrainerError
from .storage.run_folder import write_atomic

KIND = "ReasoningTrainingJob"


@dataclass(frozen=True)
class Job:
    """A job as the trainer runs it.

    Attributes
    ----------
    name, namespace, uid
        From the metadata; the uid is empty for a manifest that no API server has seen.
    given
        The spec as the manifest has it.
    spec
        The resolved spec.
    choice
        Why backend, precision and engine are what they are.
    config_maps
        ConfigMaps of the manifest itself: name -> key -> text.
    """

    name: str
    namespace: str
    uid: str
    given: Spec
    spec: Spec
    choice: Choice
    config_maps: Mapping[str, Mapping[str, str]]


def read_job(path: Path) -> Job:
    """Read a manifest, in YAML or JSON, with one ReasoningTrainingJob and any ConfigMaps.

    Raises
    ------
    TrainerError
        If the file is not there or no such manifest, or the spec is not valid: each wrong field is named.
    """
    documents = _documents(path)
    jobs = [document for document in documents if document.get("kind") == KIND]
    if len(jobs) != 1:
        raise _invalid(f"{path} holds {len(jobs)} objects of kind {KIND}", "give a manifest with exactly one")
    metadata = jobs[0].get("metadata") or {}
    try:
        given = Spec.model_validate(jobs[0].get("spec") or {})
        choice = _choice(jobs[0]) or choose(given)
        spec = resolve(given, choice)
    except ValidationError as error:
        raise invalid_spec(error) from None
    return Job(
        name=str(metadata.get("name", "job")),
        namespace=str(metadata.get("namespace", "default")),
        uid=str(metadata.get("uid", "")),
        given=given,
        spec=spec,
        choice=choice,
        config_maps=dict(_config_map(document) for document in documents if document.get("kind") == "ConfigMap"),
    )


def _documents(path: Path) -> list[dict[str, Any]]:
    try:
        return read_documents(path)
    except ManifestError as error:
        raise _invalid(str(error), HINT) from None


def _config_map(document: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    name, data = (document.get("metadata") or {}).get("name"), document.get("data") or {}
    if not isinstance(name, str) or not all(isinstance(text, str) for text in data.values()):
        raise _invalid(f"ConfigMap {name}: it needs a metadata.name, and data of texts", "mend the ConfigMap")
    return name, data


def _choice(document: Mapping[str, Any]) -> Choice | None:
    """Return the choice that the operator made, which stands beside the spec; None in a user's own manifest."""
    made = document.get("choice")
    return None if made is None else Choice.model_validate(made, extra="ignore")


def invalid_spec(error: ValidationError) -> TrainerError:
    """Return the error for a spec that is not valid: each wrong field is named."""
    found = faults(error, "spec")
    problem = "; ".join(map(str, found))
    return TrainerError(ExitCode.SPEC_INVALID, "SpecInvalid", problem, "mend the fields named", field=found[0].field)


def _invalid(message: str, hint: str) -> TrainerError:
    return TrainerError(ExitCode.SPEC_INVALID, "SpecInvalid", message, hint)


@dataclass(frozen=True)
class Inputs:
    """Where the sources of a job lie on this machine.

    Attributes
    ----------
    config_maps
        Folder of folders, one a ConfigMap, with a file for each key; None if there is none.
    claims
        Folder of folders, one a claim; None if there is none.
    own_config_maps
        The same with the ConfigMaps of the manifest itself, which come first.
    """

    config_maps: Path | None
    claims: Path | None
    own_config_maps: Path | None = None

    def locate(self, source: str) -> Path:
        """Return the path of a ``configmap://``, ``pvc://`` or ``file://`` source.

        Raises
        ------
        TrainerError
            If there is nothing at that path.
        """
        scheme, _, rest = source.partition("://")
        root = {"configmap": self._config_maps(rest), "pvc": self.claims, "file": Path("/")}.get(scheme)
        if root is None:
            option = {"configmap": "--configmaps FOLDER, with NAME/KEY", "pvc": "--claims FOLDER, with CLAIM/PATH"}
            raise _missing(source, f"no folder for {scheme}:// sources was given", f"give {option[scheme]} in it")
        path = (root / rest.lstrip("/")).resolve()
        if not path.is_relative_to(root.resolve()):
            raise _missing(source, "the path leads out of its volume")
        if not path.exists():
            raise _missing(source, f"there is nothing at {path}")
        return path

    def _config_maps(self, rest: str) -> Path | None:
        own = self.own_config_maps
        return (
            own if own and (self.config_maps is None or (own / rest.partition("/")[0]).is_dir()) else self.config_maps
        )


def inputs_of(job: Job, config_maps: Path | None, claims: Path | None, folder: Path) -> Inputs:
    """Return where the sources of a job lie; ConfigMaps of the manifest itself are written into `folder`."""
    for name, data in job.config_maps.items():
        for key, text in data.items():
            write_atomic(folder / name / key, text)
    return Inputs(config_maps, claims, folder if job.config_maps else None)


def _missing(
    source: str, what: str, hint: str = "check the name and the path of the source, and that it is mounted"
) -> TrainerError:
    return TrainerError(ExitCode.DATA_INVALID, "SourceNotFound", f"{source} cannot be read: {what}", hint)
