"""Images for a node without a registry: containerd gets their names, and a copy of the layers that it lacks."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from . import builder, snapshots
from .layout import Layout
from .shell import RefusedError, run, succeeds

PAUSE = "localhost/pause:local"
OCI = "application/vnd.oci.image"


def load_pause(layout: Layout, program: Path) -> None:
    """Give containerd the image every pod starts with: one static program, no Dockerfile needed."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes, kind: str) -> dict[str, Any]:
        digest = _digest(content)
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
    image = _built(layout, name)
    content, settings = image["Manifest"].encode(), image["Config"].encode()
    manifest = {"mediaType": f"{OCI}.manifest.v1+json", "digest": _digest(content), "size": len(content)}
    before = loaded(layout)
    if before.get(name) == manifest["digest"]:
        return False
    layers = json.loads(settings)["rootfs"]["diff_ids"]
    folders = builder.layer_folders(layout, image["FromImageID"])
    with snapshots.copied(layout, layers, folders, builder.caches(layout)):
        _import(layout, name, manifest, {_digest(blob): blob for blob in (content, settings)})
    _remove_replaced(layout, before.get(name))
    return True


def loaded(layout: Layout) -> dict[str, str]:
    """The node's images: name -> digest of the manifest."""
    rows = run([*snapshots.ctr(layout), "images", "list"]).splitlines()[1:]
    return {row.split()[0]: row.split()[2] for row in rows}


def _built(layout: Layout, name: str) -> dict[str, Any]:
    """What buildah says of an image."""
    command = [*builder.buildah(layout), "inspect", "--type", "image", name]
    if not succeeds(command):
        raise RefusedError(f"there is no image {name} here: build it first, with `build-image {name}`")
    return dict(json.loads(run(command)))


def _remove_replaced(layout: Layout, digest: str | None) -> None:
    """Let containerd collect the image that had the name before, unless another name holds it."""
    names = [name for name, of in loaded(layout).items() if of == digest]
    if names and all(name.startswith("sha256:") for name in names):
        run([*snapshots.ctr(layout), "images", "rm", *names])


def _import(layout: Layout, name: str, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    """Pass an OCI archive of these blobs to containerd; layers that it has unpacked are left out."""
    named = manifest | {"annotations": {"io.containerd.image.name": name}}
    index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": index}
    files |= {f"blobs/{digest.replace(':', '/')}": blob for digest, blob in blobs.items()}
    command = [*map(str, snapshots.ctr(layout)), "images", "import", "-"]
    done = subprocess.run(command, input=_archive(files), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RefusedError(f"containerd did not take {name}:\n{done.stdout.decode()}")


def _archive(files: dict[str, bytes]) -> bytes:
    """A tar archive of programs; the same bytes for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
