"""A stand-in for Prometheus' discovery of Kubernetes, which Debian's Prometheus is built without.

It gives the targets of a scrape with the labels that Prometheus gives them, from the Pods and Services of the API
server. What becomes of them is left to the relabelling that the prometheus-operator wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
META = "__meta_kubernetes_"


def targets(role: str, pods: list[Json], services: list[Json], listening: Mapping[str, str]) -> list[Json]:
    """Return the targets of a role as a file of Prometheus' lists them.

    Parameters
    ----------
    role
        `pod` or `endpoints`.
    pods, services
        What the API server has.
    listening
        Where a pod's process listens, by the pod's name: there is no node, and all share this machine's addresses.
    """
    pods = [each for each in pods if each["metadata"]["name"] in listening]
    found = _of_pods(pods) if role == "pod" else _of_endpoints(pods, services)
    return [{"targets": [listening[labels[f"{META}pod_name"]]], "labels": labels} for labels in found]


def _of_pods(pods: list[Json]) -> Iterator[dict[str, str]]:
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", []):
                yield _pod(pod) | {
                    f"{META}pod_container_name": container["name"],
                    f"{META}pod_container_port_name": port.get("name", ""),
                    f"{META}pod_container_port_number": str(port["containerPort"]),
                }


def _of_endpoints(pods: list[Json], services: list[Json]) -> Iterator[dict[str, str]]:
    for service in services:
        wanted = service["spec"].get("selector") or {}
        for pod in pods:
            has = pod["metadata"].get("labels", {})
            if not wanted or pod["metadata"]["namespace"] != service["metadata"]["namespace"]:
                continue
            if wanted.items() <= has.items():
                for port in service["spec"]["ports"]:
                    yield (
                        _pod(pod)
                        | _labels("service", service)
                        | {
                            f"{META}service_name": service["metadata"]["name"],
                            f"{META}endpoint_port_name": port.get("name", ""),
                            f"{META}endpoint_address_target_kind": "Pod",
                            f"{META}endpoint_address_target_name": pod["metadata"]["name"],
                            f"{META}pod_container_name": pod["spec"]["containers"][0]["name"],
                        }
                    )


def _pod(pod: Json) -> dict[str, str]:
    return _labels("pod", pod) | {
        f"{META}namespace": pod["metadata"]["namespace"],
        f"{META}pod_name": pod["metadata"]["name"],
        f"{META}pod_phase": pod["status"].get("phase", "Pending"),
        f"{META}pod_ready": "true",
    }


def _labels(kind: str, thing: Json) -> dict[str, str]:
    found = {}
    for name, value in thing["metadata"].get("labels", {}).items():
        plain = re.sub(r"\W", "_", name)
        found |= {f"{META}{kind}_label_{plain}": value, f"{META}{kind}_labelpresent_{plain}": "true"}
    return found
