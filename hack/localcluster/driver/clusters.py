"""Which cluster is meant: this tool's own, kind's where Docker runs, or the current one if the person says so."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from . import binaries, builder, containers, daemons, images, machine, node, space
from .builder import Recipe
from .layout import Layout
from .shell import RefusedError, run, say, stream, succeeds


class Cluster(Protocol):
    """What can be done with a cluster, whoever runs it."""

    def build(self) -> None:
        """Make what it runs, which may take minutes beside other commands."""

    def up(self) -> None:
        """Start it, or do nothing if it runs."""

    def down(self) -> None:
        """Stop it and delete its objects and volumes."""

    def status(self) -> str:
        """What runs and where, for a person."""

    def build_image(self, tag: str, recipe: Recipe) -> None:
        """Build an image on this machine."""

    def load_image(self, name: str) -> None:
        """Give the node an image that was built on this machine."""

    def run_image(self, name: str, program: str | None, arguments: list[str]) -> int:
        """Run a program in an image that was built on this machine, as strictly as a pod, and return its exit code."""


def chosen(layout: Layout, environment: Mapping[str, str]) -> Cluster:
    """The cluster that $CLUSTER and the machine decide on; never one of the person's own unasked.

    Raises
    ------
    RefusedError
        $CLUSTER has a value that means nothing.
    """
    asked = environment.get("CLUSTER", "")
    if asked == "current":
        return Current(layout)
    if asked:
        raise RefusedError(f"CLUSTER={asked} means nothing: unset it, or set CLUSTER=current to use kubectl's context")
    if not daemons.found(layout.folder) and shutil.which("kind") and succeeds(["docker", "info"]):
        return Kind(layout)
    return Local(layout)


def kubeconfig(layout: Layout) -> Path:
    """The kubeconfig of the cluster that is up."""
    if not layout.kubeconfig.exists():
        raise RefusedError("no cluster is up: run `up` first")
    return layout.kubeconfig


class Local:
    """Kubernetes built from source, in a network namespace of this machine."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def build(self) -> None:
        machine.require_root()
        binaries.cluster_binaries(self._layout.folder)

    def up(self) -> None:
        node.up(self._layout)

    def down(self) -> None:
        node.down(self._layout)

    def status(self) -> str:
        return node.status(self._layout)

    def build_image(self, tag: str, recipe: Recipe) -> None:
        builder.build(self._layout, tag, recipe)

    def load_image(self, name: str) -> None:
        machine.require_root()
        builder.require_local_name(name)
        if not daemons.found(self._layout.folder):
            raise RefusedError("the cluster is not up: run `up` first")
        say(f"loaded {name}" if images.load(self._layout, name) else f"the node has this {name} already")

    def run_image(self, name: str, program: str | None, arguments: list[str]) -> int:
        return containers.run_image(self._layout, name, program, arguments)


class Kind:
    """kind, for machines where Docker runs."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._options = ["--name", layout.name]

    def build(self) -> None:
        """Nothing: kind fetches it."""

    def up(self) -> None:
        if self._layout.name not in run(["kind", "get", "clusters"]).split():
            say(f"Docker runs and kind is here: making the kind cluster {self._layout.name}")
            stream(["kind", "create", "cluster", *self._options, *self._kubeconfig(), "--wait", "180s"])
        self._layout.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        run(["kind", "export", "kubeconfig", *self._options, *self._kubeconfig()])

    def down(self) -> None:
        run(["kind", "delete", "cluster", *self._options, *self._kubeconfig()])

    def status(self) -> str:
        runs = self._layout.name in run(["kind", "get", "clusters"]).split()
        return f"kind cluster {self._layout.name}: {'up' if runs else 'not running'}"

    def build_image(self, tag: str, recipe: Recipe) -> None:
        builder.require_local_name(tag)
        if recipe.once and succeeds(["docker", "image", "inspect", tag]):
            say(f"{tag} is built already")
            return
        space.require(self._layout.folder, recipe.space, f"building {tag}")
        stream(["docker", "build", f"--tag={tag}", *recipe.options(), recipe.context])
        images = run(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}"]) if recipe.once else ""
        if others := builder.other_tags(tag, images):
            run(["docker", "image", "rm", *others])

    def load_image(self, name: str) -> None:
        stream(["kind", "load", "docker-image", name, *self._options])

    def run_image(self, name: str, program: str | None, arguments: list[str]) -> int:
        strict = ["--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        entry = [f"--entrypoint={program}"] if program else []
        options = ["--rm", "--interactive", *strict, "--mount=type=volume,destination=/tmp", *entry]
        return subprocess.run(["docker", "run", *options, name, *arguments], check=False).returncode

    def _kubeconfig(self) -> list[str | Path]:
        return ["--kubeconfig", self._layout.kubeconfig]


class Current:
    """The cluster of kubectl's current context: used and never changed, and named first."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def build(self) -> None:
        """Nothing: it runs."""

    def up(self) -> None:
        context = self._view("{.contexts[0].name}")
        say(f"CLUSTER=current: using the context {context} at {self._view('{.clusters[0].cluster.server}')}")
        self._layout.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self._layout.kubeconfig.touch(mode=0o600)
        # A copy of this one context: a later change of the current one must not lead anywhere else.
        self._layout.kubeconfig.write_text(run([*self._config_view(), "--raw"]))
        run(["kubectl", f"--kubeconfig={self._layout.kubeconfig}", "get", "--raw", "/readyz"])

    def down(self) -> None:
        say("CLUSTER=current: the cluster is yours and stays as it is")
        self._layout.kubeconfig.unlink(missing_ok=True)

    def status(self) -> str:
        return f"context {self._view('{.contexts[0].name}')} at {self._view('{.clusters[0].cluster.server}')}"

    def build_image(self, tag: str, recipe: Recipe) -> None:
        self.load_image(tag)

    def load_image(self, name: str) -> None:
        raise RefusedError(
            f"CLUSTER=current: push {name} to a registry that your cluster pulls from, and name it there"
        )

    def run_image(self, name: str, program: str | None, arguments: list[str]) -> int:
        raise RefusedError("CLUSTER=current: no image is built here: unset CLUSTER to run one")

    def _view(self, path: str) -> str:
        return run([*self._config_view(), f"--output=jsonpath={path}"]).strip()

    def _config_view(self) -> list[str]:
        return ["kubectl", "config", "view", "--minify", "--flatten"]
