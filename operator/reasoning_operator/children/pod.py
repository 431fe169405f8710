"""The template of the training pod."""

from __future__ import annotations

from reasoning_contract.api import (
    BOX_FOLDER,
    BOX_SOCKET,
    BOX_VARIABLE,
    CACHE_FOLDER,
    CLAIM_FOLDER,
    CONTAINER,
    GRACE_SECONDS,
    IMAGE_VARIABLE,
    INPUT_FOLDER,
    MLFLOW_TOKEN,
    OUTPUT_FOLDER,
    PORT,
    WANDB_KEY,
    headers_variable,
    key_variable,
    token_variable,
)
from reasoning_contract.rules import Fault
from reasoning_contract.spec import KeyRef, Tracking

from ..inputs import Reference, inputs
from ..model import Json, TrainingJob
from ..names import RUN_AS, run_folder, spec_config_map
from ..settings import Settings
from . import config, reward_box, volume
from .metadata import labels

_ENVIRONMENT = {"HOME": "/tmp/home", "TMPDIR": "/tmp"}
_RESERVED_FOLDERS = (INPUT_FOLDER, OUTPUT_FOLDER, CLAIM_FOLDER, CACHE_FOLDER, "/tmp", "/dev/shm")


def build(job: TrainingJob, settings: Settings) -> Json:
    """Return the pod template: the trainer with its inputs, its volume and no rights.

    Parameters
    ----------
    job
        The job.
    settings
        Settings of the operator, for the image.
    """
    pod = job.spec.pod
    spec: Json = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUN_AS,
            "runAsGroup": RUN_AS,
            "fsGroup": RUN_AS,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [_given(reward_box.build(job, image(job, settings)))]
        if reward_box.is_needed(job.spec)
        else [],
        "containers": [_container(job, settings)],
        "volumes": [*_volumes(job), *pod.volumes],
        "imagePullSecrets": pod.image_pull_secrets,
        "nodeSelector": pod.node_selector,
        "tolerations": pod.tolerations,
        "affinity": pod.affinity,
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
        "serviceAccountName": pod.service_account_name,
    }
    meta = {"labels": pod.labels | labels(job), "annotations": pod.annotations}
    return {"metadata": _given(meta), "spec": _given(spec)}


def image(job: TrainingJob, settings: Settings) -> str:
    """Return the trainer's image: the job's own or the operator's default; empty if there is neither."""
    default = settings.trainer_image if job.spec.parallelism.gpus_per_node else settings.trainer_cpu_image
    return job.spec.pod.image or default


def reserved(job: TrainingJob) -> Fault | None:
    """Return what is wrong with the user's volumes, mounts and variables: a name or a path that is the trainer's own.

    Returns
    -------
    Fault or None
        The field, what is wrong with it and what to do; None if all is well.
    """
    pod = job.spec.pod
    names = {each["name"] for each in _volumes(job)}
    variables = {each["name"] for each in _environment(job, "")}
    folders = (*_RESERVED_FOLDERS, *((BOX_FOLDER,) if reward_box.is_needed(job.spec) else ()))
    for index, each in enumerate(pod.volumes):
        if each.get("name") in names:
            return Fault(f"spec.pod.volumes[{index}].name", f"{each['name']} is the trainer's own: choose another name")
    for index, each in enumerate(pod.volume_mounts):
        path = str(each.get("mountPath", "")).rstrip("/") + "/"
        if any(path.startswith(f"{folder}/") or f"{folder}/".startswith(path) for folder in folders):
            taken = f"{', '.join(folders)} are the trainer's own: choose another folder"
            return Fault(f"spec.pod.volumeMounts[{index}].mountPath", taken)
    for index, each in enumerate(pod.env):
        if each.get("name") in variables:
            return Fault(f"spec.pod.env[{index}].name", f"{each['name']} is set by the operator: remove it")
    return None


def _container(job: TrainingJob, settings: Settings) -> Json:
    pod = job.spec.pod
    return _given(
        {
            "name": CONTAINER,
            "image": image(job, settings),
            "imagePullPolicy": pod.image_pull_policy,
            "args": _arguments(job),
            "workingDir": "/tmp",
            "env": [*_environment(job, image(job, settings)), *pod.env],
            "envFrom": pod.env_from,
            "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
            "resources": _resources(job),
            "volumeMounts": [*_mounts(job), *pod.volume_mounts],
            "startupProbe": _probe(period=5, failures=120),
            "livenessProbe": _probe(period=30, failures=10),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    )


def _arguments(job: TrainingJob) -> list[str]:
    return [
        "run",
        f"{INPUT_FOLDER}/{config.KEY}",
        *("--output", f"{OUTPUT_FOLDER}/{run_folder(job.name, job.uid)}"),
        *("--configmaps", f"{INPUT_FOLDER}/configmaps"),
        *("--claims", CLAIM_FOLDER),
        *("--port", str(PORT)),
        *("--termination-log", "/dev/termination-log"),
    ]


def _environment(job: TrainingJob, image: str) -> list[Json]:
    cache = CACHE_FOLDER if job.spec.storage.cache_claim else "/tmp/cache"
    fixed = _ENVIRONMENT | {"XDG_CACHE_HOME": cache, IMAGE_VARIABLE: image}
    variables: list[Json] = [{"name": name, "value": value} for name, value in fixed.items()]
    if reward_box.is_needed(job.spec):
        variables.append({"name": BOX_VARIABLE, "value": BOX_SOCKET})
    return variables + [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}
        for name, secret in _secrets(job).items()
    ]


def _secrets(job: TrainingJob) -> dict[str, KeyRef]:
    """Return the keys of Secrets that the trainer is given, by its environment variables."""
    tracking = job.spec.tracking or Tracking()
    keys = {
        "HF_TOKEN": job.spec.model.token_secret_ref,
        WANDB_KEY: tracking.wandb.key_secret_ref if tracking.wandb else None,
        MLFLOW_TOKEN: tracking.mlflow.token_secret_ref if tracking.mlflow else None,
    }
    headers = {
        headers_variable(reward.name): reward.http.headers_secret_ref
        for reward in job.spec.rewards
        if reward.http and reward.http.headers_secret_ref
    }
    judges = {
        key_variable(reward.name): reward.judge.api_key_secret_ref
        for reward in job.spec.rewards
        if reward.judge and reward.judge.api_key_secret_ref
    }
    tokens = {
        token_variable(reward.name): reward.model.token_secret_ref
        for reward in job.spec.rewards
        if reward.model and reward.model.token_secret_ref
    }
    return {name: key for name, key in keys.items() if key} | headers | judges | tokens


def _resources(job: TrainingJob) -> Json:
    given = job.spec.pod.resources
    gpus = job.spec.parallelism.gpus_per_node
    limits = given.limits | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    return _given({"requests": given.requests, "limits": limits})


def _probe(*, period: int, failures: int) -> Json:
    """Both probes are patient: Python answers late while a library is imported or holds its lock."""
    get = {"path": "/healthz", "port": "metrics"}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 10, "failureThreshold": failures}


def _volumes(job: TrainingJob) -> list[Json]:
    volumes: list[Json] = [
        {"name": "inputs", "projected": {"sources": _projected(job)}},
        {"name": "output", "persistentVolumeClaim": {"claimName": volume.claim_name(job)}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if job.spec.parallelism.gpus_per_node:
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory"}})
    if job.spec.storage.cache_claim:
        volumes.append({"name": "cache", "persistentVolumeClaim": {"claimName": job.spec.storage.cache_claim}})
    if reward_box.is_needed(job.spec):
        volumes += reward_box.volumes()
    for name, claim in _claims(job).items():
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    return volumes


def _mounts(job: TrainingJob) -> list[Json]:
    mounts: list[Json] = [
        {"name": "inputs", "mountPath": INPUT_FOLDER, "readOnly": True},
        {"name": "output", "mountPath": OUTPUT_FOLDER},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if job.spec.parallelism.gpus_per_node:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    if job.spec.storage.cache_claim:
        mounts.append({"name": "cache", "mountPath": CACHE_FOLDER})
    if reward_box.is_needed(job.spec):
        mounts.append(reward_box.mount())
    for name, claim in _claims(job).items():
        mounts.append({"name": name, "mountPath": f"{CLAIM_FOLDER}/{claim}", "readOnly": True})
    return mounts


def _projected(job: TrainingJob) -> list[Json]:
    """Put the spec and every key that it refers to into one folder."""
    spec = {"name": spec_config_map(job.name), "items": [{"key": config.KEY, "path": config.KEY}]}
    referred = sorted({(each.name, each.key) for each in _of_kind(job, "ConfigMap")})
    keys = [{"name": name, "items": [{"key": key, "path": f"configmaps/{name}/{key}"}]} for name, key in referred]
    return [{"configMap": source} for source in (spec, *keys)]


def _claims(job: TrainingJob) -> dict[str, str]:
    """Return the claims that are read, by the name of their volume: claims have longer names than volumes may have."""
    claims = sorted({each.name for each in _of_kind(job, "PersistentVolumeClaim")})
    return {f"claim-{index}": claim for index, claim in enumerate(claims)}


def _of_kind(job: TrainingJob, kind: str) -> list[Reference]:
    return [each for each in inputs(job.spec) if each.kind == kind]


def _given(fields: Json) -> Json:
    """Leave out what is empty, so that Kubernetes' defaults hold and no empty field is owned."""
    return {name: value for name, value in fields.items() if value not in (None, {}, [])}
