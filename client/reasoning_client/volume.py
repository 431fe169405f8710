"""Reads what a run wrote, in the pod that writes it or, when none runs, in a short-lived one that mounts the claim."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from reasoning_contract.api import API_VERSION, CONTAINER, JOB_LABEL, KIND, OUTPUT_FOLDER
from reasoning_shared.job_view import read_status

from .errors import ClientError, Exit
from .kube import Cluster

Json = dict[str, Any]
Run = Callable[[Sequence[str]], Iterator[bytes]]
"""Runs a program where the volume is and yields its output."""
LIFETIME = 3600
"""Seconds after which a reader's pod ends by itself, should nobody delete it."""
START_SECONDS = 180.0
USER = 65532
READER = "reader"


@dataclass(frozen=True)
class Entry:
    """A file of a run.

    Attributes
    ----------
    path
        Its path in the run's folder.
    size
        Bytes.
    """

    path: str
    size: int


class RunFiles:
    """The folder of a run.

    Parameters
    ----------
    root
        Its path where the program runs.
    run
        Runs a program there.
    """

    def __init__(self, root: str, run: Run) -> None:
        self.root = root
        self._run = run
        self._program = files(__package__).joinpath("remote_reader.py").read_text("utf-8")

    def entries(self, *names: str) -> list[Entry]:
        """Return the files under some names of the folder; none for a name that is not there."""
        text = b"".join(self._start("list", self.root, *names)).decode()
        return [Entry(**json.loads(line)) for line in text.splitlines()]

    def read(self, path: str, offset: int = 0) -> Iterator[bytes]:
        """Yield a file from an offset on."""
        return self._start("read", f"{self.root}/{path}", str(offset))

    def text(self, path: str) -> str:
        """Return a file of text."""
        return b"".join(self.read(path)).decode("utf-8", "replace")

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file, as the pod reads it."""
        return b"".join(self._start("hash", f"{self.root}/{path}")).decode().strip()

    def lines(self, path: str) -> list[Json]:
        """Return a file of JSON lines; none where it is not there yet."""
        if not self.entries(path):
            return []
        return [json.loads(line) for line in self.text(path).splitlines() if line]

    def _start(self, *arguments: str) -> Iterator[bytes]:
        return self._run(["python3", "-I", "-c", self._program, *arguments])


@contextmanager
def run_files(
    cluster: Cluster, document: Mapping[str, Any], image: str | None = None, say: Callable[[str], None] = print
) -> Iterator[RunFiles]:
    """Give the files of a job's run.

    Parameters
    ----------
    cluster
        The cluster.
    document
        The job.
    image
        Image of the reader's pod: any with Python 3.11; the trainer's own when None.
    say
        Told what takes time.

    Raises
    ------
    ClientError
        If nothing was written yet, or no pod can be had to read it.
    """
    name = str(document["metadata"]["name"])
    storage = read_status(document).storage
    if storage is None:
        raise ClientError(
            f"{name} has written nothing yet: it has no volume", "rtj why says what it waits for", Exit.NOT_FOUND
        )
    root = f"{OUTPUT_FOLDER}/{storage.path.strip('/').rsplit('/', maxsplit=1)[-1]}"
    running = _running_pod(cluster, name)
    if running:
        yield RunFiles(root, _runner(cluster, running, CONTAINER))
        return
    with _reader(cluster, document, storage.claim_name, image, say) as pod:
        yield RunFiles(root, _runner(cluster, pod, READER))


def _runner(cluster: Cluster, pod: str, container: str) -> Run:
    from .exec import run

    return lambda command: run(cluster, pod, container, command)


def _running_pod(cluster: Cluster, job: str) -> str | None:
    for pod in reversed(cluster.pods(f"{JOB_LABEL}={job}")):
        containers = (pod.get("status") or {}).get("containerStatuses") or []
        running = any(each["name"] == CONTAINER and (each.get("state") or {}).get("running") for each in containers)
        mounts = [each.get("mountPath") for each in pod["spec"]["containers"][0].get("volumeMounts") or []]
        if running and not pod["metadata"].get("deletionTimestamp") and OUTPUT_FOLDER in mounts:
            return str(pod["metadata"]["name"])
    return None


@contextmanager
def _reader(
    cluster: Cluster, document: Mapping[str, Any], claim: str, image: str | None, say: Callable[[str], None]
) -> Iterator[str]:
    template = _template(cluster, document, image)
    pod = reader_pod(document, claim, template, image, secrets.token_hex(3))
    name = pod["metadata"]["name"]
    say(f"starting pod {name} to read claim {claim}")
    cluster.request("POST", cluster.core("pods"), body=pod)
    try:
        _wait_until_running(cluster, name)
        yield name
    finally:
        cluster.request("DELETE", cluster.core("pods", name), body={"gracePeriodSeconds": 0})


def _template(cluster: Cluster, document: Mapping[str, Any], image: str | None) -> Json:
    """Return the pod template of the job's own training, for its image and the nodes that it may run on."""
    name = document["metadata"]["name"]
    try:
        template: Json = cluster.batch_job(f"{name}-train")["spec"]["template"]["spec"]
    except ClientError as error:
        if error.code != Exit.NOT_FOUND:
            raise
        pod = (document.get("spec") or {}).get("pod") or {}
        if image is None and not pod.get("image"):
            raise ClientError(
                f"{name} has no batch/v1 Job any more, whose image a reader's pod could run",
                "name one with Python 3.11 or newer: --image python:3.12-slim",
                Exit.NOT_FOUND,
            ) from None
        return {"containers": [{"image": pod.get("image")}]} | {
            key: pod[key] for key in ("imagePullSecrets", "nodeSelector", "tolerations") if pod.get(key)
        }
    return template


def reader_pod(
    document: Mapping[str, Any], claim: str, template: Mapping[str, Any], image: str | None, suffix: str
) -> Json:
    """Return a pod that mounts a claim to be read, and meets the Pod Security Standard "restricted".

    Parameters
    ----------
    document
        The job, with which the pod goes should nobody delete it.
    claim
        The claim.
    template
        Pod spec of the training: image, its secrets, and where it may run.
    image
        Another image.
    suffix
        End of the pod's name.
    """
    meta = document["metadata"]
    trainer = next(
        (each for each in template["containers"] if each.get("name") == CONTAINER), template["containers"][0]
    )
    container: Json = {
        "name": READER,
        "image": image or trainer["image"],
        "command": ["python3", "-c", f"import time; time.sleep({LIFETIME})"],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "volumeMounts": [{"name": "output", "mountPath": OUTPUT_FOLDER, "readOnly": True}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if image is None and trainer.get("imagePullPolicy"):
        container["imagePullPolicy"] = trainer["imagePullPolicy"]
    spec: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LIFETIME,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "output", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}],
    }
    spec |= {key: template[key] for key in ("imagePullSecrets", "nodeSelector", "tolerations") if template.get(key)}
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{meta['name']}-read-{suffix}",
            "labels": {"app.kubernetes.io/name": "reasoning-reader", "app.kubernetes.io/managed-by": "rtj"},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _wait_until_running(cluster: Cluster, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        pod = cluster.request("GET", cluster.core("pods", name))
        status = pod.get("status") or {}
        states = [each.get("state") or {} for each in status.get("containerStatuses") or []]
        if any("running" in state for state in states):
            return
        waiting = _waiting(status, states)
        if status.get("phase") in ("Failed", "Succeeded") or "Image" in waiting.partition(":")[0]:
            raise ClientError(f"pod {name} cannot read the claim: {waiting or status.get('message') or 'it ended'}")
        if time.monotonic() > deadline:
            raise ClientError(f"pod {name} did not start in {START_SECONDS:.0f} s: {waiting}", code=Exit.TIMED_OUT)
        time.sleep(0.5)


def _waiting(status: Mapping[str, Any], states: Sequence[Mapping[str, Any]]) -> str:
    for state in states:
        if waiting := state.get("waiting"):
            return f"{waiting.get('reason')}: {waiting.get('message', '')}"
    unmet = [each for each in status.get("conditions") or [] if each["status"] == "False" and each.get("message")]
    return f"{unmet[0].get('reason')}: {unmet[0]['message']}" if unmet else ""
