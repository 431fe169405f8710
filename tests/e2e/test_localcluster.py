"""The local cluster is a real one: pods run, claims bind, Services answer; and it leaves the machine as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hack.localcluster.driver import binaries, daemons
from hack.localcluster.driver.layout import Layout, state_folder
from tests.polling import eventually

ROOT = Path(__file__).resolve().parents[2]
LOCALCLUSTER = ROOT / "hack/localcluster/localcluster.py"
IMAGE = "localhost/localcluster-test:local"
OURS = Layout(state_folder(os.environ, ROOT) / "localcluster")
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "write"},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "write",
                        "image": IMAGE,
                        "command": ["python3", "/program.py", "write"],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            }
        },
    },
}
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
PROGRAM = """
import http.server, os, ssl, sys, urllib.request
if sys.argv[1] == "write":
    open("/data/result", "w").write("kept")
    print("written by uid", os.getuid())
elif sys.argv[1] == "serve":
    http.server.ThreadingHTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
else:
    account = "/var/run/secrets/kubernetes.io/serviceaccount/"
    token = open(account + "token").read()
    url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}/version"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    trust = ssl.create_default_context(cafile=account + "ca.crt")
    print(urllib.request.urlopen(request, context=trust).read().decode())
"""


@pytest.fixture(scope="module")
def local(cluster: Path) -> Path:
    """The kubeconfig, if the cluster is one of this tool's own."""
    if not daemons.found(OURS.folder):
        pytest.skip("the cluster is kind's, or your own")
    return cluster


@pytest.fixture(scope="module")
def image(local: Path, localcluster: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small image with a program, built and loaded the way the project's own images are."""
    context = tmp_path_factory.mktemp("image")
    (context / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY program.py /program.py\n")
    (context / "program.py").write_text(PROGRAM)
    localcluster("build-image", IMAGE, "--file", context / "Dockerfile", "--context", context)
    localcluster("load-image", IMAGE)
    return IMAGE


@pytest.fixture
def kubectl(local: Path, kubectl_of: Any) -> Iterator[Any]:
    """kubectl in a namespace that goes with the test."""
    name = f"localcluster-{uuid.uuid4().hex[:6]}"
    everywhere = kubectl_of(local)
    everywhere("create", "namespace", name)
    yield kubectl_of(local, name)
    everywhere("delete", "namespace", name, "--wait=false")


def test_a_job_writes_to_a_claim_of_the_default_class_whose_folder_goes_with_it(image, kubectl):
    for document in (CLAIM, JOB):
        kubectl("apply", "--filename=-", stdin=json.dumps(document))
    kubectl("wait", "job/write", "--for=condition=Complete", "--timeout=60s")
    assert kubectl("logs", "job/write").strip() == "written by uid 1000"

    volume = kubectl("get", "pvc", "data", "--output=jsonpath={.spec.volumeName}")
    folder = Path(kubectl("get", "pv", volume, "--output=jsonpath={.spec.hostPath.path}"))
    assert (folder / "result").read_text() == "kept"
    kubectl("delete", "job/write", "pvc/data")
    eventually(lambda: not folder.exists(), "the end of the claim's folder", 60)


def test_a_pod_reaches_the_api_through_its_service_with_its_own_token(image, kubectl):
    kubectl("run", "ask", f"--image={image}", "--restart=Never", "--", "python3", "/program.py", "ask")
    eventually(lambda: phase(kubectl, "ask") in ("Succeeded", "Failed"), "the pod's end", 60)
    answer = kubectl("logs", "ask")
    assert json.loads(answer)["gitVersion"] == f"v{binaries.KUBERNETES_VERSION}"


def test_a_pod_is_reached_with_exec_and_through_the_api_servers_proxy(image, kubectl):
    kubectl("run", "serve", f"--image={image}", "--restart=Never", "--", "python3", "/program.py", "serve")
    kubectl("wait", "pod/serve", "--for=condition=Ready", "--timeout=60s")
    assert kubectl("exec", "serve", "--", "cat", "/etc/debian_version").startswith("12")
    namespace = kubectl("get", "pod", "serve", "--output=jsonpath={.metadata.namespace}")
    page = f"/api/v1/namespaces/{namespace}/pods/serve:8000/proxy/program.py"
    eventually(lambda: kubectl.ask("get", "--raw", page).stdout == PROGRAM, "the page through the proxy")


def test_it_listens_where_only_this_machine_reaches_it(local):
    processes = daemons.found(OURS.folder)
    own = {os.readlink(f"/proc/{process.pid}/ns/net") for process in processes}
    assert len(own) == 1, "every process of the cluster lives in its one network namespace"
    assert own != {os.readlink("/proc/self/ns/net")}

    listening = listening_addresses(processes[0].pid)
    outside = {address for address in listening if not address.is_loopback}
    server = json.loads(subprocess.check_output(["ip", "-json", "-n", OURS.name, "-4", "address", "show", "eth0"]))
    assert outside == {IPv4Address(server[0]["addr_info"][0]["local"])}


def test_a_second_up_and_load_change_nothing(image, localcluster):
    before = daemons.found(OURS.folder)
    localcluster("up")
    localcluster("load-image", image)
    # Mounted a second time, it would hide the volumes of running pods from the kubelet.
    assert [line.split()[4] for line in mount_table()].count(str(OURS.mounted)) == 1
    wanted = {process.pid for process in before if process.command[0].endswith(("localcluster", "containerd"))}
    assert wanted <= {process.pid for process in daemons.found(OURS.folder)}


def test_a_build_that_failed_does_not_hinder_the_next(image, localcluster, tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nARG PROGRAM\nRUN $PROGRAM\n")
    build = ["build-image", "localhost/localcluster-failing:local", "--file", tmp_path / "Dockerfile"]
    with pytest.raises(subprocess.CalledProcessError):
        localcluster(*build, "--context", tmp_path, "--build-arg", "PROGRAM=false")
    localcluster(*build, "--context", tmp_path, "--build-arg", "PROGRAM=true")


class TestBesideIt:
    """A second checkout, in a path with a space; its binaries are this one's, so that nothing is built."""

    @pytest.fixture
    def second(self, local: Path, tmp_path: Path) -> Iterator[Layout]:
        folder = tmp_path / "a second checkout" / "localcluster"
        shutil.copytree(OURS.folder / "bin", folder / "bin", copy_function=os.link)
        yield Layout(folder)
        self.command(Layout(folder), "down")

    def command(self, second: Layout, *arguments: str) -> str:
        environment = os.environ | {"STATE_DIR": str(second.folder.parent)}
        words = [sys.executable, LOCALCLUSTER, *arguments]
        return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout.strip()

    def test_runs_a_pod_with_a_claim_and_leaves_nothing(self, second, local, kubectl_of):
        others = {process.pid for process in daemons.found(OURS.folder)}
        self.command(second, "up")
        kubectl = kubectl_of(second.kubeconfig)
        kubectl("apply", "--filename=-", stdin=json.dumps(CLAIM))
        kubectl("apply", "--filename=-", stdin=json.dumps(PAUSED_POD))
        kubectl("wait", "pod/paused", "--for=condition=Ready", "--timeout=60s")
        self.command(second, "down")
        assert left_behind(second) == []
        assert {pid for pid in others if Path(f"/proc/{pid}").exists()} == others
        assert kubectl_of(local)("get", "--raw", "/readyz") == "ok"

    @pytest.mark.parametrize("reached", ["cluster/kubeadm.yaml", "logs/etcd.log", "logs/kubelet.log"])
    def test_goes_on_after_an_interruption(self, second, reached):
        environment = os.environ | {"STATE_DIR": str(second.folder.parent)}
        # a job in the background of a shell ignores SIGINT, and its children inherit that
        command = ["env", "--default-signal=INT", sys.executable, LOCALCLUSTER, "up"]
        with subprocess.Popen(command, env=environment) as interrupted:
            eventually(lambda: (second.folder / reached).exists(), reached, 60, pause=0.01)
            interrupted.send_signal(signal.SIGINT)
        assert interrupted.returncode == 130
        self.command(second, "up")
        self.command(second, "down")
        assert left_behind(second) == []


PAUSED_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "paused"},
    "spec": {
        "containers": [
            {
                "name": "paused",
                "image": "localhost/pause:local",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}


def phase(kubectl: Any, pod: str) -> str:
    return kubectl("get", "pod", pod, "--output=jsonpath={.status.phase}")


def listening_addresses(pid: int) -> set[IPv4Address]:
    """Local addresses of listening TCP sockets in a process's network namespace; IPv6 must have none."""
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    six = [row.split() for row in Path(f"/proc/{pid}/net/tcp6").read_text().splitlines()[1:]]
    assert [row[1] for row in six if row[3] == "0A"] == []
    # The kernel prints the address as one little-endian number in hexadecimal.
    return {IPv4Address(bytes.fromhex(row[1].split(":")[0])[::-1]) for row in rows if row[3] == "0A"}


def mount_table() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def left_behind(cluster: Layout) -> list[str]:
    """Whatever of a cluster is still on the machine."""
    mounts = [line for line in mount_table() if cluster.name in line]
    links = subprocess.check_output(["ip", "-brief", "link"], text=True)
    return [
        *map(str, daemons.found(cluster.folder)),
        *mounts,
        *map(str, Path("/sys/fs/cgroup").glob(f"**/{cluster.name}")),
        *[line for line in links.splitlines() if cluster.host_link in line],
        *[str(path) for path in (cluster.run, Path("/run/netns") / cluster.name) if path.exists()],
        *map(str, Path("/var/lib/cni/results").glob(f"{cluster.name}*")),
        *[str(cluster.folder / name) for name in ("cluster", "node", "volumes") if (cluster.folder / name).exists()],
    ]
