"""The node: containerd, kubelet, scheduler, kube-proxy and volumes, inside the cluster's network namespace."""

from __future__ import annotations

import json
import shutil
from ipaddress import IPv4Address
from pathlib import Path

from . import binaries, controlplane, daemons, images, machine
from .controlplane import ControlPlane
from .daemons import Daemon
from .layout import API_PORT, POD_SUBNET, Layout
from .shell import run, say, succeeds, until

NODE = "node"
DNS_ADDRESS = "10.96.0.10"
MANIFESTS = Path(__file__).resolve().parent.parent / "manifests.yaml"
# Fixed paths of containerd, CNI and the kubelet outside the folders they are given; `down` takes its own out.
SHIM_SOCKETS, CNI_RESULTS, LOG_LINKS = (
    Path("/run/containerd/s"),
    Path("/var/lib/cni/results"),
    Path("/var/log/containers"),
)


def up(layout: Layout) -> None:
    """Bring the whole cluster up, step by step; a step that is done already does nothing."""
    machine.require_root()
    machine.install_packages(machine.NODE_PACKAGES)
    built = binaries.cluster_binaries(layout.folder)
    kubectl = binaries.tool("kubectl", layout.folder)
    machine.mount_state(layout)
    machine.make_cgroup(layout)
    address = machine.make_namespace(layout)
    plane = _plane(layout, built, address)
    controlplane.make_credentials(plane)
    _write_configurations(layout, plane)
    containerd = _containerd(layout)
    daemons.start(containerd, layout.folder)
    controlplane.start(plane)
    _wait_for_containerd(layout, containerd)
    images.load_pause(layout, built / "pause")
    for daemon in _node_daemons(layout, plane):
        daemons.start(daemon, layout.folder)
    _wait_for_node(layout, plane, kubectl)
    shutil.copy(plane.kubeconfig, layout.kubeconfig)
    say(f"{plane.url} is ready; kubeconfig: {layout.kubeconfig}")


def down(layout: Layout) -> None:
    """End every process of the cluster and its pods, and delete what it kept but images and caches."""
    machine.require_root()
    daemons.end_all(layout.folder)
    _end_pods(layout)
    _remove_traces(layout)
    machine.remove_namespace(layout)
    machine.unmount_all(layout)
    machine.remove_cgroup(layout)
    for folder in ("cluster", "node", "volumes", "logs"):
        shutil.rmtree(layout.folder / folder, ignore_errors=True)


def status(layout: Layout) -> str:
    """What runs and where, a line each."""
    wanted = {
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "containerd",
        "kubelet",
        "kube-proxy",
        "kube-scheduler",
        "provisioner",
    }
    pids = {process.name: process.pid for process in reversed(daemons.found(layout.folder))}
    lines = [f"{name}: pid {pids[name]}" if name in pids else f"{name}: not running" for name in sorted(wanted)]
    return "\n".join([f"cluster: {layout.name}", *lines, f"kubeconfig: {layout.kubeconfig}"])


def _plane(layout: Layout, built: Path, address: IPv4Address) -> ControlPlane:
    return ControlPlane(
        folder=layout.mounted / "cluster",
        marked=layout.folder,
        binary=layout.mounted / built.relative_to(layout.folder) / "localcluster",
        address=str(address),
        port=API_PORT,
        etcd_port=2379,
        node=NODE,
        namespace=layout.name,
    )


def _containerd(layout: Layout) -> Daemon:
    return Daemon("containerd", ("containerd", "--config", str(_node_folder(layout) / "containerd.toml")), layout.name)


def _node_daemons(layout: Layout, plane: ControlPlane) -> list[Daemon]:
    folder = _node_folder(layout)
    return [
        plane.daemon("kube-scheduler", f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false", "--secure-port=0"),
        plane.daemon(
            "kubelet",
            f"--config={folder / 'kubelet.json'}",
            f"--kubeconfig={plane.folder / 'kubelet.conf'}",
            f"--root-dir={folder / 'kubelet'}",
            f"--cert-dir={folder / 'kubelet/pki'}",
            f"--hostname-override={NODE}",
            f"--node-ip={plane.address}",
        ),
        plane.daemon(
            "kube-proxy",
            f"--kubeconfig={plane.kubeconfig}",
            f"--hostname-override={NODE}",
            f"--cluster-cidr={POD_SUBNET}",
            "--proxy-mode=iptables",
            "--iptables-localhost-nodeports=false",
            # The machine's own connection tracking limits stay as they are.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            "--healthz-bind-address=127.0.0.1:10256",
            "--metrics-bind-address=127.0.0.1:10249",
        ),
        plane.daemon("provisioner", f"--kubeconfig={plane.kubeconfig}", f"--root={layout.mounted / 'volumes'}"),
    ]


def _write_configurations(layout: Layout, plane: ControlPlane) -> None:
    folder = _node_folder(layout)
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (layout.mounted / "volumes").mkdir(exist_ok=True)
    (folder / "containerd.toml").write_text(containerd_configuration(layout))
    (folder / "cni/10-bridge.conflist").write_text(json.dumps(network_configuration(layout), indent=1))
    (folder / "kubelet.json").write_text(json.dumps(kubelet_configuration(layout, plane), indent=1))


def containerd_configuration(layout: Layout) -> str:
    """containerd with folders and a socket of its own, beside whatever containerd the machine has."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{_images_folder(layout)}"
state = "{layout.run / "containerd"}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{layout.containerd_socket}"
[{cri}]
  sandbox_image = "{images.PAUSE}"
  # Without CAP_SYS_RESOURCE a container may not lower its score, and the first one would die of the attempt.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[{cri}.cni]
  bin_dir = "{machine.CNI_PLUGINS}"
  conf_dir = "{_node_folder(layout) / "cni"}"
[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
  Root = "{layout.run / "runc"}"
"""


def network_configuration(layout: Layout) -> dict[str, object]:
    """A bridge inside the cluster's namespace; no masquerading, so pods reach each other and nothing else."""
    ipam = {
        "type": "host-local",
        "dataDir": str(layout.run / "addresses"),
        "ranges": [[{"subnet": POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": layout.name, "plugins": [bridge]}


def kubelet_configuration(layout: Layout, plane: ControlPlane) -> dict[str, object]:
    """A node that takes what the machine gives: any cgroup version, swap or not, a disk that is nearly full."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": plane.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.folder / "pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images come from no registry: one that is collected could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": str(_node_folder(layout) / "pod-logs"),
        "volumePluginDir": str(_node_folder(layout) / "volume-plugins"),
    }


def _wait_for_containerd(layout: Layout, containerd: Daemon) -> None:
    def is_ready() -> bool:
        daemons.require(containerd, layout.folder)
        return succeeds(["ctr", "--address", layout.containerd_socket, "version"])

    until("containerd", is_ready, seconds=60)


def _wait_for_node(layout: Layout, plane: ControlPlane, kubectl: Path) -> None:
    command: list[str | Path] = [kubectl, f"--kubeconfig={plane.kubeconfig}"]
    run([*command, "apply", "--server-side", f"--filename={MANIFESTS}"])
    started = _node_daemons(layout, plane)
    ready = [*command, "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=2s"]

    def is_ready() -> bool:
        for daemon in started:
            daemons.require(daemon, layout.folder)
        return succeeds(ready)

    until("the node to be Ready", is_ready, seconds=120)


def _end_pods(layout: Layout) -> None:
    def none_left() -> bool:
        pids = machine.pod_processes(layout)
        daemons.kill(pids)
        return not pids

    until("the pods' processes to end", none_left, seconds=20)


def _remove_traces(layout: Layout) -> None:
    for address in layout.run.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    for result in CNI_RESULTS.glob(f"{layout.name}-*"):
        result.unlink()
    for link in LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.mounted):
            link.unlink()


def _node_folder(layout: Layout) -> Path:
    return layout.mounted / "node"


def _images_folder(layout: Layout) -> Path:
    """Stays after `down`, so that the next cluster has its images at once."""
    return layout.mounted / "images/containerd"
