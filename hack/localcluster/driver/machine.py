"""What is done to the machine itself: packages, network namespace, mounts, cgroups. Every step can be repeated."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from .layout import Layout, NoSubnetError, ends, subnet
from .shell import RefusedError, run, say, succeeds, until

CGROUPS = Path("/sys/fs/cgroup")
CNI_PLUGINS = Path("/usr/lib/cni")

# Debian package -> a file it brings: there already, from wherever, means nothing to install.
NODE_PACKAGES = {
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "/usr/sbin/iptables",
    "conntrack": "/usr/sbin/conntrack",
    "iproute2": "/usr/sbin/ip",
}
IMAGE_PACKAGES = {
    "buildah": "/usr/bin/buildah",
    "debootstrap": "/usr/sbin/debootstrap",
}
WHY_ROOT = (
    "root is needed to install the Debian packages that are missing, to make the network namespace, "
    "mounts and cgroups of the cluster, and to build and run its containers"
)


def require_root() -> None:
    """Raise `RefusedError`, saying what root is for, unless this is root."""
    if os.geteuid() != 0:
        raise RefusedError(f"{WHY_ROOT}. Run the same command as root (`up --control-plane-only` needs none)")


def missing_packages(packages: dict[str, str]) -> list[str]:
    """The Debian packages of which the telling file is not there, in order."""
    return [package for package, file in packages.items() if not Path(file).exists()]


def install_packages(packages: dict[str, str]) -> None:
    """Install what is missing, after naming it, without letting a package start a service."""
    missing = missing_packages(packages)
    if not missing:
        return
    require_root()
    if not shutil.which("apt-get"):
        raise RefusedError(f"these are missing and this is no Debian to install them on: {', '.join(missing)}")
    say(f"installing Debian packages: {' '.join(missing)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=env)
    options = ["--no-install-recommends", "--no-upgrade", "-qq", "-y"]
    with _no_service_starts():
        run(["apt-get", "install", *options, *missing], env=env)


def make_namespace(layout: Layout) -> IPv4Address:
    """The cluster's network namespace with a veth pair to the host; only the host can reach it.

    Returns
    -------
    IPv4Address
        The cluster's own address, at which the host reaches its API server.
    """
    if layout.name not in namespaces():
        run(["ip", "netns", "add", layout.name])
    inside = ["ip", "-n", layout.name]
    if not succeeds(["ip", "link", "show", layout.host_link]):
        host, cluster = ends(_free_subnet(layout))
        run(
            [
                "ip",
                "link",
                "add",
                layout.host_link,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                layout.name,
            ]
        )
        run([*inside, "address", "add", f"{cluster}/30", "dev", "eth0"])
        run(["ip", "address", "add", f"{host}/30", "dev", layout.host_link])
    run([*inside, "link", "set", "lo", "up"])
    run([*inside, "link", "set", "eth0", "up"])
    run(["ip", "link", "set", layout.host_link, "up"])
    # Between pods and Services, inside the namespace only: the host's own setting stays as it is.
    # not by sysctl: a bare Debian has no procps
    run(["ip", "netns", "exec", layout.name, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    return _cluster_address(layout)


def namespaces() -> set[str]:
    """Names of the machine's network namespaces."""
    return {line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.strip()}


def remove_namespace(layout: Layout) -> None:
    """Take the namespace away, and with it its interfaces, the host's end of the pair, and every iptables rule."""
    if shutil.which("ip") and layout.name in namespaces():
        run(["ip", "netns", "delete", layout.name])
        # The kernel takes the interfaces down a moment after the name is gone.
        gone = ["ip", "link", "show", layout.host_link]
        until("the namespace's interfaces to go", lambda: not succeeds(gone), seconds=20)


def mount_state(layout: Layout) -> None:
    """Show the state folder at `layout.mounted` too."""
    layout.mounted.mkdir(parents=True, exist_ok=True)
    if layout.mounted not in _mount_points():
        # Private: what is mounted below stays below, and does not show up in the state folder as well.
        run(["mount", "--bind", "--make-private", layout.folder, layout.mounted])


def unmount_all(layout: Layout) -> None:
    """Unmount everything under the cluster's run folder, last mounted first, and remove the folder."""
    for point in reversed(_mounts_under(layout.run)):
        run(["umount", "--lazy", point])
    # Were the state folder still mounted there, it would be deleted with the run folder.
    if left := _mounts_under(layout.run):
        raise RefusedError(f"still mounted, so {layout.run} is not removed: {', '.join(map(str, left))}")
    shutil.rmtree(layout.run, ignore_errors=True)


def _mounts_under(folder: Path) -> list[Path]:
    return [point for point in _mount_points() if point.is_relative_to(folder)]


def _mount_points() -> list[Path]:
    """In the order of mounting; os.path.ismount does not see a bind mount within one file system."""
    return [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def make_cgroup(layout: Layout) -> None:
    """The cgroup under which the kubelet puts all pods, so that `down` finds every process of theirs."""
    for hierarchy in _hierarchies():
        (hierarchy / layout.name).mkdir(exist_ok=True)


def pod_processes(layout: Layout) -> list[int]:
    """Every process of every pod, by the cgroup it is in."""
    found = (
        int(pid)
        for hierarchy in _hierarchies()
        for procs in (hierarchy / layout.name).rglob("cgroup.procs")
        for pid in procs.read_text().split()
    )
    return sorted(set(found))


def remove_cgroup(layout: Layout) -> None:
    """Remove the cluster's cgroups, deepest first; their processes must have ended."""
    for hierarchy in _hierarchies():
        folders = [folder for folder in (hierarchy / layout.name).rglob("*") if folder.is_dir()]
        for folder in [*sorted(folders, reverse=True), hierarchy / layout.name]:
            if folder.is_dir():
                folder.rmdir()


def _hierarchies() -> list[Path]:
    """One root per controller with cgroup v1, the one and only with v2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if (folder / "cgroup.procs").exists() and not folder.is_symlink()]


def _free_subnet(layout: Layout) -> IPv4Network:
    try:
        return subnet(layout.name, _taken_networks())
    except NoSubnetError as problem:
        raise RefusedError(str(problem)) from problem


def _taken_networks() -> list[IPv4Network]:
    addresses = json.loads(run(["ip", "-json", "-4", "address"]))
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]))
    own = [f"{info['local']}/{info['prefixlen']}" for link in addresses for info in link["addr_info"]]
    routed = [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(network, strict=False) for network in own + routed]


def _cluster_address(layout: Layout) -> IPv4Address:
    links = json.loads(run(["ip", "-json", "-n", layout.name, "-4", "address", "show", "eth0"]))
    return IPv4Address(next(info["local"] for link in links for info in link.get("addr_info", [])))


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Let packages start nothing while they are installed: the cluster's containerd is one of its own."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    try:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)
