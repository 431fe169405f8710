"""Where the API server is, and who the operator is to it: by a pod's service account or, elsewhere, a kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import yaml

from .model import Json

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_WAYS_OUT = {
    "user": "give the user a client certificate, token or tokenFile (kubectl create token)",
    "cluster": "give as server an address that the API server's certificate names",
}
_REFUSED = {
    "user": ("exec", "auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"),
    "cluster": ("tls-server-name",),
}
_FILES = {
    "cluster": {"certificate-authority": "ca"},
    "user": {"client-certificate": "certificate", "client-key": "private_key"},
}
"""Fields that name a file, or with -data have its content, by what kopf calls them."""


class CredentialsError(Exception):
    """The API server cannot be spoken to; the message says what is missing or not understood, and the way out."""


@dataclass(frozen=True)
class Access:
    """The API server and the operator's credentials.

    Attributes
    ----------
    info
        Address, certificates and, where it does not change, the token.
    token_file
        Where the token is read anew for each request: the kubelet replaces it before it expires.
    """

    info: kopf.ConnectionInfo
    token_file: Path | None = None

    @property
    def server(self) -> str:
        """Address of the API server, without a slash at its end."""
        server: str = self.info.server
        return server.rstrip("/")

    def token(self) -> str:
        """Return the token as it is now; empty if there is none."""
        return self.token_file.read_text(encoding="utf-8").strip() if self.token_file else self.info.token or ""

    def login(self) -> kopf.ConnectionInfo:
        """Return what kopf needs to speak to the API server, with the token as it is now."""
        return replace(self.info, token=self.token() or None)

    def session(self) -> aiohttp.ClientSession:
        """Return a session of which each request carries the credentials."""

        async def authorize(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            if token := self.token():
                request.headers["Authorization"] = f"Bearer {token}"
            return await handler(request)

        connector = aiohttp.TCPConnector(limit=0, ssl=self.info.as_ssl_context())
        return aiohttp.ClientSession(connector=connector, middlewares=(authorize,), proxy=self.info.proxy_url)


def find(environment: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> Access:
    """Return the access of the pod that this runs in or, outside a cluster, of the kubeconfig.

    Parameters
    ----------
    environment
        Environment variables: KUBERNETES_SERVICE_HOST and _PORT in a pod, KUBECONFIG and HOME elsewhere.
    service_account
        Folder with a pod's token and the API server's authority.

    Raises
    ------
    CredentialsError
        If there is neither, or what there is cannot be used.
    """
    host, port = (environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    token = service_account / "token"
    if host and port and token.is_file():
        address = f"[{host}]" if ":" in host else host
        ca = str(service_account / "ca.crt")
        return Access(kopf.ConnectionInfo(server=f"https://{address}:{port}", ca_path=ca), token)
    home = Path(environment.get("HOME", "/")) / ".kube/config"
    named = [Path(each).expanduser() for each in environment.get("KUBECONFIG", "").split(os.pathsep) if each]
    return from_kubeconfig(named or [home])


def from_kubeconfig(paths: Iterable[Path]) -> Access:
    """Return the access of the current context of kubeconfigs, of which the first that says something holds.

    Raises
    ------
    CredentialsError
        If no file is there, or what the context says cannot be used.
    """
    there = [path for path in paths if path.is_file()]
    if not there:
        raise CredentialsError(
            "this is no pod with a service account's token, and there is no kubeconfig: name one in KUBECONFIG"
        )
    documents = [(path.parent, _read(path)) for path in there]
    current = next((name for _, each in documents if (name := each.get("current-context"))), None)
    if not current:
        raise CredentialsError("the kubeconfig has no current-context: kubectl config use-context NAME")
    context, _ = _named(documents, "context", current)
    cluster, where = _named(documents, "cluster", context.get("cluster"))
    user, home = _named(documents, "user", context["user"]) if context.get("user") else ({}, where)
    if not cluster.get("server"):
        raise CredentialsError(f"the kubeconfig's cluster {context.get('cluster')} has no server: add its address")
    info = kopf.ConnectionInfo(
        server=cluster["server"],
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        proxy_url=cluster.get("proxy-url"),
        token=user.get("token"),
        **_certificates("cluster", cluster, where),
        **_certificates("user", user, home),
    )
    token_file = user.get("tokenFile")
    return Access(info, home / Path(token_file).expanduser() if token_file else None)


def _read(path: Path) -> Json:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CredentialsError(f"the kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CredentialsError(f"the kubeconfig {path} is no mapping: see kubectl config view")
    return document


def _named(documents: list[tuple[Path, Json]], what: str, name: str | None) -> tuple[Json, Path]:
    """Return an entry of a kubeconfig, and the folder from which it names files."""
    for folder, document in documents:
        for each in document.get(f"{what}s") or []:
            if each.get("name") == name:
                entry: Json = each.get(what) or {}
                if unknown := [field for field in _REFUSED.get(what, ()) if entry.get(field)]:
                    raise CredentialsError(
                        f"{unknown[0]} of the kubeconfig's {what} {name} is not supported: {_WAYS_OUT[what]}"
                    )
                return entry, folder
    raise CredentialsError(f"the kubeconfig has no {what} {name}, which its current context asks for: add it")


def _certificates(what: str, entry: Json, folder: Path) -> dict[str, Any]:
    """Return certificates and keys in kopf's words; content stands before a file, as for kubectl."""
    found: dict[str, Any] = {}
    for field, name in _FILES[what].items():
        if data := entry.get(f"{field}-data"):
            found[f"{name}_data"] = data
        elif path := entry.get(field):
            found[f"{name}_path"] = str(folder / Path(path).expanduser())
    return found
