"""The ConfigMap with the spec that the trainer runs."""

from __future__ import annotations

import json

from ..crd import KIND
from ..model import Json, TrainingJob
from ..names import API_VERSION, spec_config_map
from .metadata import metadata

KEY = "job.json"


def build(job: TrainingJob) -> Json:
    """Return the ConfigMap: the job's manifest with every choice made."""
    spec = job.spec.model_dump(by_alias=True, exclude_none=True)
    del spec["suspend"]  # the operator's business: with it here, suspending would look like another spec
    manifest = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": job.name, "namespace": job.namespace, "uid": job.uid},
        "spec": spec,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(job, spec_config_map(job.name)),
        "data": {KEY: text},
    }
