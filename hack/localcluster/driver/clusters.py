"""Which cluster is meant: one of this tool's own, kind's, or the current one where the person says so."""

from __future__ import annotations

from pathlib import Path

from . import builder, images, machine, node
from .layout import Layout


class Local:
    """Kubernetes built from source, in a network namespace of this machine."""

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(folder)

    def up(self) -> None:
        node.up(self._layout)

    def down(self) -> None:
        node.down(self._layout)

    def status(self) -> str:
        return node.status(self._layout)

    def kubeconfig(self) -> Path:
        return self._layout.kubeconfig

    def build_image(self, tag: str, dockerfile: Path, context: Path, arguments: list[str], space: float) -> None:
        builder.build(self._layout, tag, dockerfile, context, arguments, space)

    def load_image(self, name: str) -> None:
        machine.require_root()
        images.load(self._layout, name)


def chosen(folder: Path) -> Local:
    return Local(folder)
