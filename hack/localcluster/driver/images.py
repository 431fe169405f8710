"""Images for a node without a registry: what containerd lacks of them is streamed into it, layer by layer."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from . import builder
from .layout import Layout
from .machine import require_space
from .shell import RefusedError, run, succeeds

PAUSE = "localhost/pause:local"
OCI = "application/vnd.oci.image"
REF_NAME = "org.opencontainers.image.ref.name"
Blob = bytes | Path


def load_pause(layout: Layout, program: Path) -> None:
    """Give containerd the image every pod starts with: one static program, no Dockerfile needed."""
    blobs: dict[str, Blob] = {}

    def add(content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = content
        return {"mediaType": f"{OCI}.{kind}", "digest": digest, "size": len(content)}

    layer = add(_archive({"pause": program.read_bytes()}), "layer.v1.tar")
    root = {"type": "layers", "diff_ids": [layer["digest"]]}
    settings = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]}, "rootfs": root}
    config = add(json.dumps(settings).encode(), "config.v1+json")
    content = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": config,
        "layers": [layer],
    }
    manifest = add(json.dumps(content).encode(), "manifest.v1+json")
    if loaded(layout).get(PAUSE) != manifest["digest"]:
        _import(layout, PAUSE, manifest, blobs)


def load(layout: Layout, name: str) -> bool:
    """Give the node an image that was built here; only layers it lacks are copied.

    Returns
    -------
    bool
        False if the node had this very image already.
    """
    store = layout.mounted / "images/layout"
    manifest = _export(layout, store, name)
    before = loaded(layout)
    if before.get(name) == manifest["digest"]:
        return False
    content = json.loads(_blob(store, manifest["digest"]).read_bytes())
    layers = lacking([layer["digest"] for layer in content["layers"]], _unpacked(layout))
    _fill(layout, store, name, layers)
    require_space(layout.folder, _gib(store, layers) + 1, f"loading {name}")
    wanted = [manifest["digest"], content["config"]["digest"], *layers]
    _import(layout, name, manifest, {digest: _blob(store, digest) for digest in wanted})
    _drop_copies(layout, store, layers)
    _remove_replaced(layout, before.get(name))
    return True


def loaded(layout: Layout) -> dict[str, str]:
    """The node's images: name -> digest of the manifest."""
    rows = run([*_ctr(layout), "images", "list"]).splitlines()[1:]
    return {row.split()[0]: row.split()[2] for row in rows}


def _export(layout: Layout, store: Path, name: str) -> dict[str, Any]:
    """Write the image into an OCI layout, where layers that are there are not written again; its descriptor."""
    if not succeeds([*builder.buildah(layout), "inspect", "--type", "image", name]):
        raise RefusedError(f"there is no image {name} here: build it first, with `build-image {name}`")
    # Uncompressed: a layer's digest is then that of its content, the same on both sides, and needs no gzip.
    source = f"containers-storage:[overlay@{builder.store(layout)}+{builder.run_folder(layout)}]{name}"
    run(["skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers", source, f"oci:{store}:{name}"])
    index = json.loads((store / "index.json").read_text())
    descriptor = next(m for m in index["manifests"] if m.get("annotations", {}).get(REF_NAME) == name)
    return {key: descriptor[key] for key in ("mediaType", "digest", "size")}


def _unpacked(layout: Layout) -> set[str]:
    """Chain IDs of the layers that containerd has unpacked."""
    return {row.split()[0] for row in run([*_ctr(layout), "snapshots", "list"]).splitlines()[1:]}


def lacking(layers: list[str], unpacked: set[str]) -> list[str]:
    """The layers, bottom first, that are not among the unpacked ones.

    An unpacked layer goes by its chain ID (OCI image specification, "Layer ChainID"):
    chain(1) = layer(1), chain(n) = sha256(chain(n-1) + " " + layer(n)).
    """
    missing, chain = [], ""
    for layer in layers:
        chain = f"sha256:{hashlib.sha256(f'{chain} {layer}'.encode()).hexdigest()}" if chain else layer
        if chain not in unpacked:
            missing.append(layer)
    return missing


def _fill(layout: Layout, store: Path, name: str, layers: list[str]) -> None:
    """Write layers again that were given to a node which has lost them since."""
    hollow = [_blob(store, layer) for layer in layers if _is_hollow(_blob(store, layer))]
    for blob in hollow:
        blob.unlink()
    if hollow:
        _export(layout, store, name)


def _drop_copies(layout: Layout, store: Path, layers: list[str]) -> None:
    """Keep a layer's files where buildah and containerd work on them, and neither archive it passed through."""
    for layer in layers:
        _hollow(_blob(store, layer))
    if layers:
        run([*_ctr(layout), "content", "rm", *layers])


def _remove_replaced(layout: Layout, digest: str | None) -> None:
    """Let containerd collect the image that had the name before, unless another name holds it."""
    names = [name for name, of in loaded(layout).items() if of == digest]
    if names and all(name.startswith("sha256:") for name in names):
        run([*_ctr(layout), "images", "rm", *names])


def _hollow(blob: Path) -> None:
    """Free a layer's disk but keep its name and size: buildah asks only for these before it writes one again."""
    size = blob.stat().st_size
    os.truncate(blob, 0)
    os.truncate(blob, size)


def _is_hollow(blob: Path) -> bool:
    return blob.stat().st_blocks == 0


def _import(layout: Layout, name: str, manifest: dict[str, Any], blobs: dict[str, Blob]) -> None:
    """Stream an OCI archive of these blobs into containerd; layers it has already may be left out."""
    named = manifest | {"annotations": {"io.containerd.image.name": name}}
    index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    command = [*map(str, _ctr(layout)), "images", "import", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ctr:
        assert ctr.stdin
        assert ctr.stdout
        with tarfile.open(fileobj=ctr.stdin, mode="w|") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            _add(archive, "index.json", index)
            for digest, blob in blobs.items():
                _add(archive, f"blobs/{digest.replace(':', '/')}", blob)
        ctr.stdin.close()
        said = ctr.stdout.read().decode()
    if ctr.returncode:
        raise RefusedError(f"containerd did not take {name}:\n{said}")


def _archive(files: dict[str, bytes]) -> bytes:
    """A tar archive of programs; the same bytes for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            _add(archive, name, content)
    return packed.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: Blob) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o755
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as stream:
        archive.addfile(entry, stream)


def _ctr(layout: Layout) -> list[str | Path]:
    return ["ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io"]


def _blob(store: Path, digest: str) -> Path:
    return store / "blobs" / digest.replace(":", "/")


def _gib(store: Path, layers: list[str]) -> float:
    """What containerd will take: each layer once as an archive and once unpacked."""
    return 2 * sum(_blob(store, layer).stat().st_size for layer in layers) / 2**30
