"""The pure parts of the local cluster's driver, and its handling of processes: no root, no network, no cluster."""

from __future__ import annotations

import json
import socket
import sys
import threading
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hack.localcluster.driver import (
    binaries,
    builder,
    clusters,
    containers,
    controlplane,
    controlplane_only,
    daemons,
    layout,
    machine,
    node,
    shell,
    snapshots,
    space,
)
from hack.localcluster.driver.layout import Layout

FOLDER = Path("/home/somebody/a checkout/.state/localcluster")


def test_subnet_is_decided_by_the_name():
    first = layout.subnet("localcluster-1", taken=[])
    assert first == layout.subnet("localcluster-1", taken=[])
    assert first != layout.subnet("localcluster-2", taken=[])
    assert first.prefixlen == 30
    assert first.subnet_of(layout.VETH_BLOCK)


def test_subnet_keeps_clear_of_networks_that_are_taken():
    wanted = layout.subnet("localcluster-1", taken=[])
    around = wanted.supernet(new_prefix=24)
    assert not layout.subnet("localcluster-1", taken=[around]).overlaps(around)


def test_a_machine_whose_routes_take_every_subnet_is_told_so():
    with pytest.raises(layout.NoSubnetError, match="no free /30"):
        layout.subnet("localcluster-1", taken=[IPv4Network("10.0.0.0/8")])


def test_names_fit_the_kernel_and_paths_of_mounts_have_no_space():
    cluster = Layout(FOLDER)
    assert len(cluster.host_link) <= 15
    assert " " not in f"{cluster.mounted}{cluster.containerd_socket}{cluster.name}"
    assert cluster.name != Layout(FOLDER.parent).name


def test_configurations_name_no_path_with_a_space():
    cluster = Layout(FOLDER)
    assert str(FOLDER) not in node.containerd_configuration(cluster)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, Path("/repo/.state")),
        ({"STATE_DIR": "/big disk/x"}, Path("/big disk/x")),
        ({"STATE_DIR": ""}, Path("/repo/.state")),
    ],
)
def test_state_folder(environment, folder):
    assert layout.state_folder(environment, Path("/repo")) == folder


def test_only_missing_packages_are_named(tmp_path):
    there = tmp_path / "there"
    there.touch()
    packages = {"b": str(tmp_path / "gone"), "a": str(there), "c": str(tmp_path / "gone too")}
    assert machine.missing_packages(packages) == ["b", "c"]


def test_a_full_disk_is_told_what_is_needed_and_where(tmp_path):
    problem = space.problem(2**29, 6, "building Kubernetes", tmp_path)
    assert problem is not None
    for part in ("building Kubernetes", "needs 6.0 GiB", "0.5 GiB free", str(tmp_path), "STATE_DIR"):
        assert part in problem
    assert space.problem(6 * 2**30, 6, "building Kubernetes", tmp_path) is None


class TestMakingRoom:
    @pytest.fixture
    def disk(self, monkeypatch):
        """A disk on which freeing a cache frees its GiB."""
        free = [1.0]
        monkeypatch.setattr(space, "_free", lambda _folder: int(free[0] * 2**30))

        def cache(what, gib):
            return space.Cache(what, lambda: free.__setitem__(0, free[0] + gib))

        return cache

    def test_caches_go_in_order_and_no_more_of_them_than_it_takes(self, disk, tmp_path, capsys):
        space.require(tmp_path, 4, "building it", [disk("layers", 1), disk("downloads", 3), disk("wheels", 2)])
        said = capsys.readouterr().err
        assert "building it needs 4.0 GiB of disk: freed 1.0 GiB of layers" in said
        assert "freed 3.0 GiB of downloads" in said
        assert "wheels" not in said

    def test_nothing_goes_where_there_is_room(self, disk, tmp_path, capsys):
        space.require(tmp_path, 1, "loading it", [disk("layers", 1)])
        assert capsys.readouterr().err == ""

    def test_what_caches_do_not_make_room_for_is_refused(self, disk, tmp_path):
        with pytest.raises(shell.RefusedError, match=r"needs 4\.0 GiB of disk and .* has 2\.0 GiB free"):
            space.require(tmp_path, 4, "building it", [disk("layers", 1)])


def test_of_pip_only_its_downloads_are_a_cache_to_free(tmp_path):
    downloads, wheel = tmp_path / "cache/pip/http-v2/0", tmp_path / "cache/pip/wheels/compiled.whl"
    for file in (downloads, wheel):
        file.parent.mkdir(parents=True)
        file.touch()
    builder.caches(Layout(tmp_path))[-1].free()
    assert not downloads.exists()
    assert wheel.exists()


def test_go_caches_are_gone_once_kubernetes_is_built(tmp_path, monkeypatch):
    def build(folder, target):
        (folder / "cache/go-modules/k8s.io").mkdir(parents=True)
        (target / "localcluster").touch()

    monkeypatch.setattr(space, "_free", lambda _folder: 2**40)
    monkeypatch.setattr(binaries, "_go_build", build)
    assert (binaries.cluster_binaries(tmp_path) / "localcluster").exists()
    assert not (tmp_path / "cache/go-modules").exists()


@pytest.mark.parametrize("name", ["trainer:dev", "docker.io/trainer:dev", "localhost/trainer"])
def test_an_image_name_that_a_node_would_pull_is_refused(name):
    with pytest.raises(shell.RefusedError, match="localhost/NAME:TAG"):
        builder.require_local_name(name)


@pytest.mark.parametrize(
    ("version", "enough"),
    [("go1.24.0", True), ("go1.26.8\n", True), ("go2.0", True), ("go1.19.8", False), ("devel +abc", False)],
)
def test_go_version(version, enough):
    assert binaries.is_new_enough(version) is enough


def test_pip_settings_of_the_machine_reach_a_build_and_its_paths_do_not(tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a.example/simple\ncert = /here/only.crt\nno-cache-dir = true\n")
    settings = builder.pip_settings(file, {"PIP_TRUSTED_HOST": "a.example", "PIP_FIND_LINKS": "/here/wheels"})
    assert "index-url = https://a.example/simple" in settings
    assert "trusted-host = a.example" in settings
    assert "/here" not in settings
    assert "no-cache-dir" not in settings


def test_apt_settings_are_those_of_fetching():
    dump = 'Acquire "";\nAcquire::Check-Date "false";\nAcquire::IndexTargets::x "1";\nAcquire::cdrom "";\n'
    assert builder.apt_settings(dump) == 'Acquire::Check-Date "false";\n'


def test_containerd_names_a_layer_by_all_layers_below():
    # Worked out with sha256sum, as the OCI image specification defines it.
    second = "sha256:970a948bffa8de94d6e22d747ba8c95030e6e546909f98f54e99a13005e173a8"
    assert snapshots.chain_ids(["sha256:a", "sha256:b"]) == ["sha256:a", second]
    assert snapshots.chain_ids([]) == []


@pytest.mark.parametrize(
    "mount",
    [
        "mount -t bind /run/x/snapshots/1/fs /target -o rw,rbind\n",
        "mount -t overlay overlay /target -o index=off,workdir=/run/x/snapshots/1/work,"
        "upperdir=/run/x/snapshots/1/fs,lowerdir=/run/x/snapshots/0/fs\n",
    ],
)
def test_a_snapshot_s_files_go_where_its_mount_is_written_to(mount):
    assert snapshots.upper_folder(mount) == Path("/run/x/snapshots/1/fs")


def test_layers_of_a_built_image_are_found_bottom_first(tmp_path):
    cluster = Layout(tmp_path)
    folder = tmp_path / "images/buildah"
    records = {
        "overlay-images/images.json": [{"id": "other", "layer": "x"}, {"id": "image", "layer": "b"}],
        "overlay-layers/layers.json": [{"id": "a"}, {"id": "x", "parent": "a"}, {"id": "b", "parent": "a"}],
    }
    for name, content in records.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(content))
    assert builder.layer_folders(cluster, "image") == [folder / "overlay" / layer / "diff" for layer in ("a", "b")]


def test_an_image_s_other_tags_are_those_of_the_same_name_alone():
    images = "localhost/model:1\nlocalhost/model:2\nlocalhost/model-of-another:1\n<none>:<none>\n"
    assert builder.other_tags("localhost/model:2", images) == ["localhost/model:1"]


class TestWhichCluster:
    def test_one_of_our_own_without_kind(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert isinstance(clusters.chosen(Layout(tmp_path), {}), clusters.Local)

    @pytest.mark.parametrize(("docker_exit", "expected"), [(0, clusters.Kind), (1, clusters.Local)])
    def test_kind_where_docker_runs(self, tmp_path, monkeypatch, docker_exit, expected):
        fake_program(tmp_path / "docker", exit_code=docker_exit)
        fake_program(tmp_path / "kind", exit_code=0)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        assert isinstance(clusters.chosen(Layout(tmp_path / "state"), {}), expected)

    def test_the_current_one_only_if_asked(self, tmp_path):
        assert isinstance(clusters.chosen(Layout(tmp_path), {"CLUSTER": "current"}), clusters.Current)
        with pytest.raises(shell.RefusedError, match="CLUSTER=production means nothing"):
            clusters.chosen(Layout(tmp_path), {"CLUSTER": "production"})


class TestDaemons:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "a folder"
        folder.mkdir()
        yield folder
        daemons.end_all(folder)

    def test_started_once_and_found_again(self, folder):
        sleeper = daemons.Daemon("sleeper", ("sleep", "1000"))
        assert daemons.start(sleeper, folder)
        assert not daemons.start(sleeper, folder)
        assert [process.name for process in daemons.found(folder)] == ["sleeper"]
        assert daemons.found(folder.parent) == []

    def test_replaced_when_its_command_changed(self, folder):
        daemons.start(daemons.Daemon("sleeper", ("sleep", "1000")), folder)
        daemons.start(daemons.Daemon("sleeper", ("sleep", "2000")), folder)
        assert [process.command for process in daemons.found(folder)] == [("sleep", "2000")]

    def test_ended_with_its_children(self, folder):
        daemons.start(daemons.Daemon("shell", ("sh", "-c", "sleep 1000 & sleep 1001 & wait")), folder)
        shell.until("its children", lambda: len(daemons.found(folder)) == 3, seconds=10)
        daemons.end_all(folder)
        assert daemons.found(folder) == []

    def test_one_that_died_is_reported_with_the_end_of_its_log(self, folder):
        broken = daemons.Daemon(
            "broken", (sys.executable, "-c", "import time, sys; time.sleep(.3); sys.exit('no port')")
        )
        daemons.start(broken, folder)
        shell.until("it to die", lambda: not daemons.is_running(broken, folder), seconds=10)
        with pytest.raises(shell.RefusedError, match="no port"):
            daemons.require(broken, folder)


def test_a_port_that_somebody_else_took_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (tmp_path / "ports.json").write_text(f'{{"port": {port}, "etcd_port": {controlplane.free_port()}}}')
        with pytest.raises(shell.RefusedError, match=f"port {port} .*taken by another process"):
            controlplane_only.up(tmp_path, tmp_path / "binary")


def test_two_commands_on_one_folder_run_one_after_the_other(tmp_path):
    entered = threading.Event()

    def second() -> None:
        with shell.alone(tmp_path):
            entered.set()

    waiting = threading.Thread(target=second)
    with shell.alone(tmp_path):
        waiting.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    waiting.join()


def fake_program(path: Path, exit_code: int) -> None:
    path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    path.chmod(0o755)


IMAGE = {"Env": ["HOME=/tmp/home"], "User": "65532:65532", "WorkingDir": "/tmp", "Entrypoint": ["python3", "-m", "x"]}


@pytest.mark.parametrize(
    ("program", "arguments", "run"),
    [
        (None, [], ["python3", "-m", "x"]),
        (None, ["run", "job.yaml"], ["python3", "-m", "x", "run", "job.yaml"]),
        ("pip", ["list"], ["pip", "list"]),
    ],
)
def test_image_is_tried_with_its_entry_point_or_another_program(program, arguments, run):
    process = containers.configuration(IMAGE, program, arguments, "/root", Path("/scratch"))["process"]
    assert process["args"] == run
    assert (process["user"], process["cwd"]) == ({"uid": 65532, "gid": 65532}, "/tmp")


def test_image_is_tried_as_strictly_as_a_pod_runs_it():
    found = containers.configuration(IMAGE, None, [], "/root", Path("/scratch"))
    assert found["root"] == {"path": "/root", "readonly": True}
    assert "capabilities" not in found["process"]
    assert {"type": "network"} in found["linux"]["namespaces"]
