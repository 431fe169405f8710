"""Names and addresses of a cluster, worked out from the path of its state folder: pure, so two checkouts never meet."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

# The veth pair's own /30 is cut from this block; nothing of it is routed beyond the machine.
VETH_BLOCK = IPv4Network("10.89.0.0/16")
POD_SUBNET = "10.244.0.0/16"
SERVICE_SUBNET = "10.96.0.0/16"
API_PORT = 6443


class NoSubnetError(Exception):
    """Every subnet that a cluster could use is taken on this machine."""


@dataclass(frozen=True)
class Layout:
    """Where one cluster lies on the machine.

    Attributes
    ----------
    folder
        The state folder: everything the cluster keeps.
    """

    folder: Path

    @property
    def name(self) -> str:
        """The network namespace, the cgroup and the folder under /run."""
        return f"localcluster-{self._hash}"

    @property
    def run(self) -> Path:
        """Sockets and mount points: sockets need a short path, mount tables one without a space."""
        return Path("/run") / self.name

    @property
    def mounted(self) -> Path:
        """The state folder again, bind-mounted where no path has a space."""
        return self.run / "state"

    @property
    def host_link(self) -> str:
        """The host's end of the veth pair; 15 characters are the kernel's limit."""
        return f"lc{self._hash}"

    @property
    def containerd_socket(self) -> Path:
        """Where this cluster's containerd listens, never the machine's own."""
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """How the host reaches the cluster."""
        return self.folder / "cluster" / "kubeconfig"

    @property
    def _hash(self) -> str:
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]


def state_folder(environment: dict[str, str] | os._Environ[str], repository: Path) -> Path:
    """The folder of local tools' state: $STATE_DIR, else `.state` in the repository."""
    return Path(environment.get("STATE_DIR") or repository / ".state").expanduser().resolve()


def subnet(name: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """The /30 between host and cluster: the first free one, from a place that the cluster's name decides.

    Parameters
    ----------
    name
        The cluster's name.
    taken
        Networks that the machine has addresses in or routes to.

    Raises
    ------
    NoSubnetError
        Every /30 of `VETH_BLOCK` overlaps with one that is taken.
    """
    used = list(taken)
    count = 2 ** (30 - VETH_BLOCK.prefixlen)
    first = int(hashlib.sha256(name.encode()).hexdigest(), 16) % count
    for step in range(count):
        base = int(VETH_BLOCK.network_address) + 4 * ((first + step) % count)
        candidate = IPv4Network((base, 30))
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise NoSubnetError(f"no free /30 in {VETH_BLOCK} on this machine: its routes take the whole block")


def ends(network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """The host's and the cluster's address of a /30."""
    host, cluster = network.hosts()
    return host, cluster
