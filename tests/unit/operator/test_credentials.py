"""Who the operator is to the API server: a pod's token that changes, kubeconfigs, and what is refused."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from reasoning_operator.credentials import Access, CredentialsError, find, from_kubeconfig
from reasoning_operator.model import Json


def written(path: Path, user: Json | None = None, cluster: Json | None = None, **more: Any) -> Path:
    """Write a kubeconfig of one context."""
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://one:6443/"} | (cluster or {})}],
        "users": [{"name": "me", "user": user or {}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document | more), encoding="utf-8")
    return path


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder that the kubelet mounts into each pod."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("first\n", encoding="utf-8")
    (folder / "ca.crt").write_text("", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_pod_speaks_to_the_address_that_it_was_given(account: Path, host: str, server: str) -> None:
    access = find({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}, account)
    assert (access.server, access.info.ca_path) == (server, str(account / "ca.crt"))


def test_token_is_read_anew_for_kopf_and_for_each_request(account: Path) -> None:
    heard = []

    async def echo(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers.get("Authorization"))
        return web.Response()

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", echo)
        async with TestServer(app) as server:
            found = find({"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "1"}, account)
            plain = type(found.info)(server=str(server.make_url("/")))
            access = Access(plain, found.token_file)
            async with access.session() as session:
                for token in ("first", "second"):
                    (account / "token").write_text(f"{token}\n", encoding="utf-8")
                    await session.get(access.server)
                    assert access.login().token == token

    asyncio.run(main())
    assert heard == ["Bearer first", "Bearer second"]


def test_kubeconfig_is_found_by_its_variable_and_at_home(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", {"token": "t"})
    assert find({"KUBECONFIG": str(mine)}, tmp_path).token() == "t"
    written(tmp_path / ".kube/config", {"token": "home"})
    assert find({"HOME": str(tmp_path)}, tmp_path).token() == "home"
    with pytest.raises(CredentialsError, match="name one in KUBECONFIG"):
        find({"KUBECONFIG": str(tmp_path / "none")}, tmp_path)


def test_of_several_kubeconfigs_the_first_that_says_something_holds(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.write_text("users: [{name: me, user: {tokenFile: token}}]", encoding="utf-8")
    (tmp_path / "token").write_text("of the first", encoding="utf-8")
    second = written(tmp_path / "sub/second", {"token": "of the second"})
    access = from_kubeconfig([tmp_path / "missing", first, second])
    assert (access.token(), access.server) == ("of the first", "https://one:6443")


def test_files_lie_beside_the_kubeconfig_that_names_them_and_content_stands_before_them(tmp_path: Path) -> None:
    data = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
    user = {"client-certificate": "me.crt", "client-key": "/keys/me.key"}
    cluster = {"certificate-authority": "ca.crt", "certificate-authority-data": data}
    info = from_kubeconfig([written(tmp_path / "config", user, cluster)]).login()
    assert (info.ca_path, info.ca_data) == (None, data)
    assert (info.certificate_path, info.private_key_path) == (str(tmp_path / "me.crt"), "/keys/me.key")


@pytest.mark.parametrize(
    ("user", "cluster", "named"),
    [
        ({"exec": {"command": "aws"}}, {}, "exec of the kubeconfig's user me"),
        ({"auth-provider": {"name": "oidc"}}, {}, "auth-provider of the kubeconfig's user me"),
        ({"username": "me", "password": "x"}, {}, "username of the kubeconfig's user me"),
        ({"token": "t", "as": "other"}, {}, "as of the kubeconfig's user me"),
        ({}, {"tls-server-name": "other"}, "tls-server-name of the kubeconfig's cluster one"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_way_out(
    tmp_path: Path, user: Json, cluster: Json, named: str
) -> None:
    with pytest.raises(CredentialsError, match=named) as error:
        from_kubeconfig([written(tmp_path / "config", user, cluster)])
    assert "kubectl create token" in str(error.value) or "certificate names" in str(error.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"current-context": ""}, "use-context"),
        ({"current-context": "gone"}, "no context gone"),
        ({"clusters": None}, "no cluster one"),
        ({"users": []}, "no user me"),
        ({"clusters": [{"name": "one", "cluster": {}}]}, "has no server"),
    ],
)
def test_kubeconfig_that_lacks_something_says_what(tmp_path: Path, more: Json, said: str) -> None:
    with pytest.raises(CredentialsError, match=said):
        from_kubeconfig([written(tmp_path / "config", **more)])


@pytest.mark.parametrize("text", ["[", "- 1"])
def test_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CredentialsError, match=str(path)):
        from_kubeconfig([path])
