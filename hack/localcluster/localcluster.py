#!/usr/bin/env python3
"""A real Kubernetes on one machine, without Docker. See README.md beside this file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from driver import binaries, clusters, controlplane_only
from driver.builder import Recipe
from driver.layout import Layout, state_folder
from driver.shell import RefusedError, alone, say

Command = Callable[[argparse.Namespace, Path], None]
REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Carry out one command; the exit code is 0, or 1 with a line that says what to do."""
    options = parser().parse_args(arguments)
    # Where Debian puts ip, iptables and debootstrap; a plain root shell may lack it.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    state = state_folder(os.environ, REPOSITORY)
    try:
        options.command(options, state)
    except RefusedError as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command, or `down`, goes on from here")
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="localcluster.py", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Command, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(command=does)
        return added

    for name, does, about in (
        ("build", build, "build Kubernetes from source, once, as `up` does if nobody has"),
        ("up", up, "start the cluster, or do nothing if it runs"),
        ("down", down, "stop the cluster and delete its objects and volumes; images and caches stay"),
        ("status", status, "what runs, where, and where the tools are"),
        ("kubeconfig", kubeconfig, "print the path of the kubeconfig"),
    ):
        _add_control_plane_options(command(name, does, about))
    image = command("build-image", build_image, "build an image from a Dockerfile, on a Debian base made here")
    image.add_argument("tag", metavar="TAG", help="begins with localhost/")
    image.add_argument("--file", type=Path, required=True, metavar="DOCKERFILE")
    image.add_argument("--context", type=Path, required=True, metavar="DIR")
    image.add_argument("--target", metavar="STAGE", help="the stage to build; the last by default")
    image.add_argument("--build-arg", action="append", default=[], metavar="K=V")
    image.add_argument("--space", type=float, default=2, metavar="GIB", help="disk space the build needs")
    image.add_argument("--once", action="store_true", help="build no image whose tag is there; its other tags go")
    load = command("load-image", load_images, "give images to the cluster's node")
    load.add_argument("names", nargs="+", metavar="NAME")
    trial = command(
        "run-image", run_image, "run a command in an image that was built here, read-only and without network"
    )
    trial.add_argument("--entrypoint", metavar="PROGRAM", help="what to run instead of the image's own")
    trial.add_argument("name", metavar="NAME")
    trial.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    tool = command("tool", print_tool, "print the path of kubectl or helm")
    tool.add_argument("name", choices=binaries.TOOLS)
    return top


def _add_control_plane_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--control-plane-only",
        action="store_true",
        help="API server, etcd and controllers on 127.0.0.1, without a node and without root",
    )
    command.add_argument("--at", type=Path, metavar="DIR", help="folder of that control plane")


def build(options: argparse.Namespace, state: Path) -> None:
    _cluster(state).build()


def up(options: argparse.Namespace, state: Path) -> None:
    if options.control_plane_only:
        # What is built already is used at once, even while an image build holds the lock.
        built = binaries.cluster_binaries(_folder(state))
        with alone(_control_plane(options, state)):
            controlplane_only.up(_control_plane(options, state), built / "localcluster")
    else:
        with alone(_folder(state)):
            _cluster(state).up()


def down(options: argparse.Namespace, state: Path) -> None:
    if options.control_plane_only:
        with alone(_control_plane(options, state)):
            controlplane_only.down(_control_plane(options, state))
    else:
        with alone(_folder(state)):
            _cluster(state).down()


def status(options: argparse.Namespace, state: Path) -> None:
    if options.control_plane_only:
        print(controlplane_only.status(_control_plane(options, state)))
        return
    print(_cluster(state).status())
    for name in binaries.TOOLS:
        print(f"{name}: {binaries.tool_path(name, _folder(state))}")


def kubeconfig(options: argparse.Namespace, state: Path) -> None:
    if options.control_plane_only:
        print(controlplane_only.kubeconfig(_control_plane(options, state)))
    else:
        print(clusters.kubeconfig(Layout(_folder(state))))


def build_image(options: argparse.Namespace, state: Path) -> None:
    with alone(_folder(state)):
        recipe = Recipe(
            options.file.resolve(),
            options.context.resolve(),
            tuple(options.build_arg),
            options.target,
            options.space,
            options.once,
        )
        _cluster(state).build_image(options.tag, recipe)


def load_images(options: argparse.Namespace, state: Path) -> None:
    with alone(_folder(state)):
        for name in options.names:
            _cluster(state).load_image(name)


def run_image(options: argparse.Namespace, state: Path) -> None:
    with alone(_folder(state)):
        code = _cluster(state).run_image(options.name, options.entrypoint, options.arguments)
    sys.exit(code)


def print_tool(options: argparse.Namespace, state: Path) -> None:
    print(binaries.tool(options.name, _folder(state)))


def _cluster(state: Path) -> clusters.Cluster:
    return clusters.chosen(Layout(_folder(state)), os.environ)


def _folder(state: Path) -> Path:
    return state / "localcluster"


def _control_plane(options: argparse.Namespace, state: Path) -> Path:
    folder: Path | None = options.at
    return folder.resolve() if folder else state / "control-plane"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
