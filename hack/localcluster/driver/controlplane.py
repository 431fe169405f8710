"""etcd, the API server and the controller manager: what every kind of cluster here has."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from . import daemons
from .binaries import KUBERNETES_VERSION
from .daemons import Daemon
from .layout import SERVICE_SUBNET
from .shell import run, until

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ControlPlane:
    """One control plane: where it keeps its data and where it listens.

    Attributes
    ----------
    folder
        Holds keys and etcd's data; gone after `down`.
    marked
        The folder that the processes are found again by, and that holds their logs.
    binary
        The `localcluster` binary.
    address, port
        Where the API server listens.
    etcd_port
        etcd listens on loopback only.
    node
        Name of the one node, in its credentials; None for a control plane without one.
    namespace
        The network namespace that everything runs in; None for the machine's own.
    """

    folder: Path
    marked: Path
    binary: Path
    address: str
    port: int
    etcd_port: int
    node: str | None = None
    namespace: str | None = None

    @property
    def kubeconfig(self) -> Path:
        """Credentials of a cluster administrator."""
        return self.folder / "super-admin.conf"

    @property
    def url(self) -> str:
        """The API server."""
        return f"https://{self.address}:{self.port}"

    def daemon(self, name: str, *flags: str) -> Daemon:
        """One of the processes that the binary carries."""
        return Daemon(name, (str(self.binary), name, *flags), self.namespace)


def make_credentials(plane: ControlPlane) -> None:
    """Keys, certificates and kubeconfigs, made by kubeadm once for an address."""
    wanted = _kubeadm_config(plane)
    config = plane.folder / "kubeadm.yaml"
    if config.exists() and config.read_text() == wanted and plane.kubeconfig.exists():
        return
    plane.folder.mkdir(parents=True, exist_ok=True)
    config.write_text(wanted)
    kubeadm: list[str | Path] = [plane.binary, "kubeadm", "init", "phase"]
    run([*kubeadm, "certs", "all", "--config", config])
    run([*kubeadm, "kubeconfig", "all", "--config", config, "--kubeconfig-dir", plane.folder])


def start(plane: ControlPlane) -> None:
    """Start what does not run yet and return when the API server serves and the controllers work."""
    client = _client(plane)
    store, server, controllers = etcd(plane), api_server(plane), controller_manager(plane)
    # On a busy machine the API server takes longer than the ten seconds that the controller manager waits for it.
    _start(plane, client, "the API server", "/healthz", store, server)
    # Written by the controller manager: who finds it there can create pods.
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    _start(plane, client, "the controllers", account, store, server, controllers)


def _start(plane: ControlPlane, client: ssl.SSLContext, what: str, path: str, *processes: Daemon) -> None:
    """Start processes that do not run yet, and wait until the API server answers at a path."""
    for process in processes:
        daemons.start(process, plane.marked)

    def is_ready() -> bool:
        for process in processes:
            daemons.require(process, plane.marked)
        return _answers(client, f"{plane.url}{path}")

    until(what, is_ready, seconds=120)


def etcd(plane: ControlPlane) -> Daemon:
    """etcd without fsync: fast, and a power cut costs a cluster that is made again with one command."""
    pki, url = plane.folder / "pki/etcd", f"https://{LOOPBACK}:{plane.etcd_port}"
    return plane.daemon(
        "etcd",
        f"--data-dir={plane.folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        "--client-cert-auth",
        f"--trusted-ca-file={pki / 'ca.crt'}",
        f"--cert-file={pki / 'server.crt'}",
        f"--key-file={pki / 'server.key'}",
        "--log-level=warn",
    )


def api_server(plane: ControlPlane) -> Daemon:
    """The API server; the flags follow what kubeadm gives to its static pod."""
    pki = plane.folder / "pki"
    # Kubernetes refuses loopback as the address behind the Service `kubernetes`, which only pods would use.
    reconciler = ["--endpoint-reconciler-type=none"] if plane.address == LOOPBACK else []
    return plane.daemon(
        "kube-apiserver",
        f"--bind-address={plane.address}",
        f"--advertise-address={plane.address}",
        f"--secure-port={plane.port}",
        *reconciler,
        f"--etcd-servers=https://{LOOPBACK}:{plane.etcd_port}",
        f"--etcd-cafile={pki / 'etcd/ca.crt'}",
        f"--etcd-certfile={pki / 'apiserver-etcd-client.crt'}",
        f"--etcd-keyfile={pki / 'apiserver-etcd-client.key'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        f"--service-cluster-ip-range={SERVICE_SUBNET}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
    )


def controller_manager(plane: ControlPlane) -> Daemon:
    """The controllers: Jobs, garbage collection, service accounts and the rest."""
    pki = plane.folder / "pki"
    return plane.daemon(
        "kube-controller-manager",
        f"--kubeconfig={plane.kubeconfig}",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    )


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_listened_on(port: int) -> bool:
    """Whether some process listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _kubeadm_config(plane: ControlPlane) -> str:
    """Two YAML documents, written as JSON, which YAML contains."""
    documents = (
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": _named_address(plane), "bindPort": plane.port},
            "nodeRegistration": {"name": plane.node or "none", "criSocket": "unix:///none"},
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": f"v{KUBERNETES_VERSION}",
            "clusterName": plane.namespace or "control-plane",
            "certificatesDir": str(plane.folder / "pki"),
            "controlPlaneEndpoint": f"{plane.address}:{plane.port}",
            "networking": {"serviceSubnet": SERVICE_SUBNET},
            "encryptionAlgorithm": "ECDSA-P256",
        },
    )
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents)


def _named_address(plane: ControlPlane) -> str:
    """kubeadm refuses loopback here and would look for a network card; nothing uses this documentation address."""
    return "192.0.2.1" if plane.address == LOOPBACK else plane.address


def _client(plane: ControlPlane) -> ssl.SSLContext:
    """TLS with the administrator's certificate, which the kubeconfig holds and Python wants as a file."""
    text = plane.kubeconfig.read_text()
    found = [re.search(rf"client-{part}-data: (\S+)", text) for part in ("certificate", "key")]
    pair = plane.folder / "super-admin.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(b"".join(base64.b64decode(match[1]) for match in found if match))
    context = ssl.create_default_context(cafile=plane.folder / "pki/ca.crt")
    context.load_cert_chain(pair)
    return context


def _answers(client: ssl.SSLContext, url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=client))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
