"""Requests to the API server, in JSON as it stands on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from . import metrics
from .kinds import Kind, kind_of
from .model import Json

TIMEOUT_SECONDS = 30.0


class ApiError(Exception):
    """The API server refused a request.

    Attributes
    ----------
    status
        HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


def path(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of an object, or of all of its kind in a namespace or, without one, in the cluster."""
    group = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
    parts = [group, f"namespaces/{namespace}" if namespace else "", kind.plural, name, subresource]
    return "/".join(part for part in parts if part)


def path_of(thing: Json, subresource: str = "") -> str:
    """Return the path of an object that carries its version and kind."""
    meta = thing["metadata"]
    return path(kind_of(thing["apiVersion"], thing["kind"]), meta["namespace"], meta["name"], subresource)


async def connect() -> ApiClient:
    """Return a client with the credentials of the pod or, outside a cluster, of the kubeconfig."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)
    return ApiClient(configuration)


class Cluster:
    """The API server."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Json | None:
        """Return an object; None if there is none."""
        try:
            return await self._request("GET", path, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, path: str, query: Mapping[str, str]) -> list[Json]:
        """Return the objects that a query selects."""
        items: list[Json] = (await self._request("GET", path, query=query))["items"]
        return items

    async def create(self, body: Json) -> Json:
        """Create an object."""
        where = path(kind_of(body["apiVersion"], body["kind"]), body["metadata"]["namespace"])
        return await self._request("POST", where, body=body)

    async def replace(self, path: str, body: Json) -> Json:
        """Put an object in the place of the one with its resourceVersion."""
        return await self._request("PUT", path, body=body)

    async def patch(self, path: str, body: Json) -> Json:
        """Change an object by a merge patch."""
        return await self._request("PATCH", path, body=body, content_type="application/merge-patch+json")

    async def delete(self, path: str, uid: str) -> None:
        """Delete the object of this UID, and what it owns; nothing happens if it is gone."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._request("DELETE", path, body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def read(self, path: str, timeout_seconds: float) -> bytes:
        """Return what is served under a path, whatever it is."""
        async with asyncio.timeout(timeout_seconds):
            return await self._send("GET", path, None, None, "application/json")

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        result: Json = json.loads(await self._send(method, path, query, body, content_type))
        return result

    async def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None, content_type: str
    ) -> bytes:
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self._api.call_api(*request, _request_timeout=TIMEOUT_SECONDS)
        data: bytes = await response.read()
        metrics.API_REQUESTS.labels(method, response.status).inc()
        if not 200 <= response.status < 300:
            raise ApiError(response.status, _message(data))
        return data


def _message(data: bytes) -> str:
    """Return what the API server said; a proxy in front of it may answer with something other than a Status."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:500].decode(errors="replace")
