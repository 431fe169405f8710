"""The way to the cluster: requests to the API server by the official client's transport, and what their errors mean.

Objects are what the API server says, as plain dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError

from reasoning_contract.api import API_VERSION, GROUP, KIND, PLURAL, VERSION

from .errors import ClientError, Exit

Json = dict[str, Any]
FIELD_MANAGER = "rtj"
IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
TIMEOUT = 30.0
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
INSTALL = "install the chart: helm install reasoning-operator helm/reasoning-operator"


class Cluster:
    """A cluster, seen with the rights of whoever asks.

    Attributes
    ----------
    namespace
        The namespace that is meant where none is named.
    """

    def __init__(self, transport: Any, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace

    @classmethod
    def connect(cls, namespace: str | None = None, context: str | None = None) -> Cluster:
        """Return the cluster of the kubeconfig (KUBECONFIG, else ~/.kube/config) or, in a pod, the pod's own.

        Raises
        ------
        ClientError
            If there is neither, or it has no such context.
        """
        settings = client.Configuration()
        settings.retries = 1
        try:
            config.load_kube_config(context=context, client_configuration=settings)
            contexts, active = config.list_kube_config_contexts()
            chosen = next((each for each in contexts if each["name"] == context), active)
            own = (chosen.get("context") or {}).get("namespace")
        except (ConfigException, FileNotFoundError) as missing:
            if context is not None or not IN_CLUSTER_NAMESPACE.exists():
                raise ClientError(
                    f"there is no cluster to ask: {missing}",
                    "set KUBECONFIG or --context to one of yours (kubectl config get-contexts); validate, try-rewards, "
                    "estimate, init, convert and run --local need none",
                    Exit.NO_CLUSTER,
                ) from None
            config.load_incluster_config(client_configuration=settings)
            own = IN_CLUSTER_NAMESPACE.read_text("utf-8").strip()
        return cls(client.ApiClient(settings), namespace or own or "default")

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = "application/json",
    ) -> Json:
        """Make a request and return its answer.

        Raises
        ------
        ClientError
            If nobody answers, or the answer is no.
        """
        response = self._send(method, path, query, body, content, TIMEOUT)
        try:
            found: Json = json.loads(response.read() or b"{}")
        except HTTPError as error:
            raise self._unreachable(error) from None
        return found

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return an answer that is text."""
        return str(self._send("GET", path, query, None, "", TIMEOUT).read().decode("utf-8", "replace"))

    def lines(self, path: str, query: Mapping[str, str], timeout: float | None = None) -> Iterator[bytes]:
        """Yield the lines of an answer as they come; `timeout` bounds the seconds between two of them."""
        response = self._send("GET", path, query, None, "", (TIMEOUT, timeout) if timeout else None)
        rest = b""
        try:
            for piece in response.response.stream(amt=None, decode_content=True):
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
        except ReadTimeoutError:
            return
        except HTTPError as error:
            raise self._unreachable(error) from None
        finally:
            response.response.close()
        if rest:
            yield rest

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, content: str, timeout: Any
    ) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content
        try:
            call = self.transport.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = self.transport.call_api(*call, _request_timeout=timeout)
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        except client.ApiException as error:
            raise refusal(error.status or 0, str(error.reason or error), method, path) from None
        if not 200 <= response.status < 300:
            raise refusal(response.status, response.read().decode("utf-8", "replace"), method, path)
        return response

    def _unreachable(self, error: Exception) -> ClientError:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        return ClientError(
            f"the cluster at {self.transport.configuration.host} does not answer: {reason}",
            "is it up, and is this its address? kubectl cluster-info asks the same",
            Exit.NO_CLUSTER,
        )

    def jobs(self, namespace: str | None) -> list[Json]:
        """Return the ReasoningTrainingJobs of a namespace; of all that may be seen when None."""
        items: list[Json] = self.request("GET", jobs_path(namespace))["items"]
        return [{"apiVersion": API_VERSION, "kind": KIND} | each for each in items]

    def job(self, name: str) -> Json:
        """Return a ReasoningTrainingJob."""
        return self.request("GET", f"{jobs_path(self.namespace)}/{quote(name)}")

    def follow(self, name: str, timeout: float) -> Iterator[Json]:
        """Yield a job now and whenever it changes, until it is gone or `timeout` seconds brought nothing new."""
        found = self.job(name)
        yield found
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": found["metadata"]["resourceVersion"],
            "timeoutSeconds": str(max(round(timeout), 1)),
        }
        for line in self.lines(jobs_path(self.namespace), query, timeout + TIMEOUT):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return  # the version is too old: whoever follows looks again
            if event["type"] == "DELETED":
                raise not_found(name, self.namespace)
            yield event["object"]

    def apply(self, document: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply a job as kubectl does on the server, and return it as it is then."""
        meta = document["metadata"]
        path = f"{jobs_path(meta.get('namespace') or self.namespace)}/{quote(meta['name'])}"
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        return self.request("PATCH", path, query=query, body=document, content=APPLY)

    def apply_config_map(self, document: Json, *, dry_run: bool = False, force: bool = False) -> None:
        """Apply a ConfigMap."""
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
        path = self.core("configmaps", str(document["metadata"]["name"]))
        self.request("PATCH", path, query=query, body=document, content=APPLY)

    def patch(self, name: str, change: Json) -> Json:
        """Merge a change into a job."""
        path = f"{jobs_path(self.namespace)}/{quote(name)}"
        return self.request("PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=change, content=MERGE)

    def delete(self, name: str) -> None:
        """Delete a job; its pods go with it."""
        path = f"{jobs_path(self.namespace)}/{quote(name)}"
        self.request("DELETE", path, body={"propagationPolicy": "Background"})

    def core(self, kind: str, name: str = "", more: str = "") -> str:
        """Return the path of objects of the core API in this namespace."""
        parts = [f"/api/v1/namespaces/{quote(self.namespace)}/{kind}", quote(name), more]
        return "/".join(filter(None, parts))

    def batch_job(self, name: str) -> Json:
        """Return a batch/v1 Job."""
        return self.request("GET", f"/apis/batch/v1/namespaces/{quote(self.namespace)}/jobs/{quote(name)}")

    def pods(self, selector: str) -> list[Json]:
        """Return pods by their labels, oldest first."""
        items: list[Json] = self.request("GET", self.core("pods"), query={"labelSelector": selector})["items"]
        return sorted(items, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def jobs_path(namespace: str | None) -> str:
    """Return where the jobs of a namespace are; of all namespaces when None."""
    inside = f"/namespaces/{quote(namespace)}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{inside}/{PLURAL}"


def not_found(name: str, namespace: str) -> ClientError:
    """Return the error for a job that is not there."""
    return ClientError(
        f"there is no ReasoningTrainingJob {name} in namespace {namespace}",
        "rtj list -A shows those of all namespaces; -n names another one",
        Exit.NOT_FOUND,
    )


def refusal(status: int, text: str, method: str, path: str) -> ClientError:
    """Return what an answer of the API server other than yes means.

    Parameters
    ----------
    status
        Its HTTP status.
    text
        Its body: a Status object, or text of whatever stands before the API server.
    method, path
        The request.
    """
    answer = _status_object(text)
    message = str(answer.get("message") or text or f"status {status}").strip()
    details = answer.get("details") or {}
    if status == 401:
        return ClientError(f"the cluster does not know you: {message}", "log in to it anew", Exit.FORBIDDEN)
    if status == 403 and "is forbidden: User" in message:
        return ClientError(message, _right(method, path), Exit.FORBIDDEN)
    if status == 403:
        return ClientError(message, "mend what is named, or ask an administrator of the cluster", Exit.FORBIDDEN)
    if status == 404 and PLURAL in path and not details.get("name"):
        return ClientError("the cluster does not know ReasoningTrainingJobs", INSTALL, Exit.NOT_INSTALLED)
    if status == 404 and details.get("kind") == PLURAL:
        return not_found(str(details["name"]), path.split("/namespaces/")[-1].split("/")[0])
    codes = {404: Exit.NOT_FOUND, 409: Exit.REFUSED, 422: Exit.REFUSED, 400: Exit.REFUSED}
    hint = "another tool set the same field: --force takes it over" if status == 409 and "Apply" in message else ""
    return ClientError(message, hint, codes.get(status, Exit.UNEXPECTED))


def _status_object(text: str) -> Json:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _right(method: str, path: str) -> str:
    """Return which role of the cluster has the right that was missing."""
    if "customresourcedefinitions" in path or "/nodes" in path:
        return "that takes an administrator of the cluster"
    role = "view" if method == "GET" and "/exec" not in path else "edit"
    where = path.split("/namespaces/")[-1].split("/")[0] if "/namespaces/" in path else "every namespace"
    return (
        f"role {role} in {where} has that right: kubectl create rolebinding NAME --clusterrole={role} --user=YOU "
        f"-n {where}, or -n names a namespace where you have it"
        if "/namespaces/" in path
        else f"role {role} in {where} has that right; -n names one namespace"
    )
