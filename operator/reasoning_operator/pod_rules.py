"""What Kubernetes, or its Pod Security, would refuse of a pod as the spec gives it, by the spec's fields. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from reasoning_contract.api import GROUP, WANDB_KEY
from reasoning_contract.rules import Fault
from reasoning_contract.spec import Pod

from .children import reward_box
from .children.metadata import labels
from .model import TrainingJob

_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_CONFINED = re.compile(r"runtime/default|localhost/.+|")
_RESERVED_LABELS = re.compile(rf"({re.escape(GROUP)}|batch\.kubernetes\.io)/.*|job-name|controller-uid")
_REGISTRY = r"(([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost)(:[0-9]+)?|[A-Za-z0-9-]+:[0-9]+|\[[0-9A-Fa-f:]+\](:[0-9]+)?)/"
_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"({_REGISTRY})?{_PART}(/{_PART})*(:[A-Za-z0-9_][-A-Za-z0-9_.]{{0,127}})?(@[a-z0-9]+:[0-9A-Fa-f]{{32,}})?"
)
_PREFIX = r"(?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
_WORD = r"(?=[^/]{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY, _VALUE = re.compile(rf"({_PREFIX})?{_WORD}"), re.compile(rf"({_WORD})?")
_RESOURCE = re.compile(r"cpu|memory|ephemeral-storage|hugepages-.+|.+/.+")
_QUANTITY = re.compile(
    r"(?P<number>\+?([0-9]+(\.[0-9]*)?|\.[0-9]+))"
    r"((?P<binary>[KMGTPE])i|(?P<decimal>[numkMGTPE]?)|[eE](?P<exponent>[-+]?[0-9]{1,3}))"
)
_POWERS = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def pod_faults(job: TrainingJob) -> list[Fault]:
    """Return what is wrong with the settings of a job's pod, which Kubernetes sees only in the Job that is made of it.

    Parameters
    ----------
    job
        The job.
    """
    pod = job.spec.pod
    box = job.spec.reward_box.resources
    return [
        *_of_image(pod),
        *_of_variables(pod),
        *_of_trackers(job),
        *_of_labels(job),
        *_of_words(pod.node_selector, "spec.pod.nodeSelector"),
        *_of_annotations(pod),
        *_of_resources("spec.pod.resources", pod.resources.requests, pod.resources.limits),
        *_of_resources("spec.rewardBox.resources", box.requests, reward_box.limits(box)),
    ]


def _of_image(pod: Pod) -> Iterator[Fault]:
    if pod.image is not None and not _IMAGE.fullmatch(pod.image):
        yield Fault("spec.pod.image", f"'{pod.image}' is no image: write it like registry.example/team/trainer:1.2")
    for index, secret in enumerate(pod.image_pull_secrets):
        if not isinstance(secret.get("name"), str) or len(secret) > 1:
            yield Fault(f"spec.pod.imagePullSecrets[{index}]", "must be the name of a Secret: {name: ...}")


def _of_trackers(job: TrainingJob) -> Iterator[Fault]:
    """Yield the keys that a tracker needs and that nothing hands to the pod."""
    pod, tracking = job.spec.pod, job.spec.tracking
    given = {variable.get("name") for variable in pod.env}
    if tracking is None or pod.env_from:
        return
    wandb = tracking.wandb
    if wandb and wandb.mode == "online" and wandb.key_secret_ref is None and WANDB_KEY not in given:
        yield Fault("spec.tracking.wandb.keySecretRef", "must name a Secret with the API key, unless mode is offline")


def _of_variables(pod: Pod) -> Iterator[Fault]:
    for index, variable in enumerate(pod.env):
        name, value = variable.get("name"), variable.get("value")
        if not isinstance(name, str) or not name or "=" in name:
            yield Fault(f"spec.pod.env[{index}].name", "must be the name of an environment variable")
        if not isinstance(value, str | None):
            yield Fault(f"spec.pod.env[{index}].value", "must be text: write it in quotes")


def _of_labels(job: TrainingJob) -> Iterator[Fault]:
    own, given = labels(job), job.spec.pod.labels
    for name, value in given.items():
        if name in own and value != own[name]:
            yield Fault(f"spec.pod.labels.{name}", "is set by the operator: remove it")
        elif name not in own and _RESERVED_LABELS.fullmatch(name):
            yield Fault(f"spec.pod.labels.{name}", "is kept for the operator and Kubernetes: choose another name")
    yield from _of_words(given, "spec.pod.labels")


def _of_words(given: Mapping[str, str], at: str) -> Iterator[Fault]:
    """Yield what is wrong with labels: Kubernetes allows of a name and a value less than of other text."""
    for name, value in given.items():
        if not _KEY.fullmatch(name):
            yield Fault(f"{at}.{name}", "must be a name such as team or example.com/team")
        if not _VALUE.fullmatch(value):
            allowed = "at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last"
            yield Fault(f"{at}.{name}", f"'{value}' cannot be the value of a label: {allowed}")


def _of_annotations(pod: Pod) -> Iterator[Fault]:
    for name, value in pod.annotations.items():
        if not _KEY.fullmatch(name.lower()):
            yield Fault(f"spec.pod.annotations.{name}", "must have a name such as team or example.com/team")
        if name.startswith(_APP_ARMOR) and not _CONFINED.fullmatch(value):
            advice = "must be runtime/default or localhost/... (Pod Security restricted)"
            yield Fault(f"spec.pod.annotations.{name}", advice)


def _of_resources(at: str, requests: Mapping[str, str], limits: Mapping[str, str]) -> Iterator[Fault]:
    for part, given in (("requests", requests), ("limits", limits)):
        for name, text in given.items():
            if not _RESOURCE.fullmatch(name):
                known = "cpu, memory, ephemeral-storage, or a device's name such as example.com/device"
                yield Fault(f"{at}.{part}.{name}", f"is no resource of a container: {known}")
            if quantity(text) is None:
                yield Fault(f"{at}.{part}.{name}", f"'{text}' is no quantity: {_example(name)}")
    for name in (each for each in requests if each in limits):
        request, limit = quantity(requests[name]), quantity(limits[name])
        if request is not None and limit is not None and request > limit:
            yield Fault(f"{at}.requests.{name}", f"{requests[name]} is above the limit of {limits[name]}: lower it")


def _example(resource: str) -> str:
    return "write it like 2 or 500m" if resource == "cpu" else "write it like 4Gi (4 x 1024^3) or 4G (4 x 1000^3)"


def quantity(text: str) -> Decimal | None:
    """Return the value of a quantity of Kubernetes, such as `500m` or `4Gi`; None if it is none, or negative."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, binary, exponent = Decimal(found["number"]), found["binary"], found["exponent"]
    if binary:
        return number * Decimal(1024) ** _POWERS[binary]
    return number.scaleb(int(exponent) if exponent else 3 * _POWERS[found["decimal"]])
