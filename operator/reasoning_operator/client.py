"""Requests to the API server, in JSON as it stands on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp

from . import metrics
from .kinds import Kind, kind_of
from .model import Json

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
_JSON = "application/json"
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


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


class Cluster:
    """The API server.

    Parameters
    ----------
    session
        What requests are made in, with the credentials.
    server
        Its address.
    """

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

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
        return _items(await self._request("GET", path, query=query))

    async def page(self, path: str, query: Mapping[str, str], *, names_only: bool = False) -> Json:
        """Return a page of a listing: its `items`, whole or their metadata alone, and in `metadata` how to go on."""
        accept = _NAMES_ONLY if names_only else _JSON
        page: Json = json.loads(await self._send("GET", path, query, None, accept=accept))
        return page | {"items": _items(page)}

    async def lines(
        self, path: str, query: Mapping[str, str], quiet_seconds: float, opened: Callable[[], None] = lambda: None
    ) -> AsyncIterator[bytes]:
        """Yield the lines of an answer that goes on and on, as they come; TimeoutError after too long a pause.

        `opened` is called when the API server has begun to answer.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=quiet_seconds)
        async with await self._open("GET", path, query, None, timeout=timeout) as response:
            metrics.API_REQUESTS.labels("WATCH", response.status).inc()
            if response.status != 200:
                raise ApiError(response.status, _message(await response.read()))
            opened()
            rest = b""
            async for chunk in response.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line

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

    async def delete(self, thing: Json) -> None:
        """Delete an object as it was seen, and what it owns; nothing happens if it is gone."""
        meta = thing["metadata"]
        seen = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        try:
            await self._request(
                "DELETE", path_of(thing), body={"preconditions": seen, "propagationPolicy": "Background"}
            )
        except ApiError as error:
            if error.status != 404:
                raise

    async def read(self, path: str, timeout_seconds: float, limit: int) -> bytes:
        """Return what is served under a path; ConnectionError if it is longer than a number of bytes."""
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with await self._open("GET", path, {}, None, timeout=timeout) as response:
            metrics.API_REQUESTS.labels("GET", response.status).inc()
            data = await whole(response.content, limit)
        if response.status != 200:
            raise ApiError(response.status, _message(data))
        return data

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content_type: str = _JSON,
    ) -> Json:
        result: Json = json.loads(await self._send(method, path, query, body, content_type=content_type))
        return result

    async def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None, **headers: str
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, sock_connect=CONNECT_SECONDS)
        async with await self._open(method, path, query, body, timeout=timeout, **headers) as response:
            data: bytes = await response.read()
        metrics.API_REQUESTS.labels(method, response.status).inc()
        if not 200 <= response.status < 300:
            raise ApiError(response.status, _message(data))
        return data

    async def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Json | None,
        *,
        timeout: aiohttp.ClientTimeout,
        accept: str = _JSON,
        content_type: str = _JSON,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept} | ({} if body is None else {"Content-Type": content_type})
        data = None if body is None else json.dumps(body).encode()
        where = f"{self._server}{path}"
        # elsewhere nobody may be sent with these credentials
        return await self._session.request(
            method, where, params=query, data=data, headers=headers, timeout=timeout, allow_redirects=False
        )


async def whole(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return all of an answer; ConnectionError as soon as it is longer than a number of bytes."""
    body = b""
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            raise ConnectionError(f"the answer is longer than {limit} bytes")
    return body


def _items(listing: Json) -> list[Json]:
    """Return what a listing has; of nothing, the metadata alone are listed as null."""
    items: list[Json] = listing.get("items") or []
    return items


def _message(data: bytes) -> str:
    """Return what the API server said; a proxy in front of it may answer with something other than a Status."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:500].decode(errors="replace")
