"""Images without a registry: built on a Debian base made here, and given to containerd layer by layer."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

from .layout import Layout
from .shell import Refused, run

PAUSE = "localhost/pause:local"
OCI = "application/vnd.oci.image"
Blob = bytes | Path


def load_pause(layout: Layout, program: Path) -> None:
    """Give containerd the image every pod starts with: one static program, no Dockerfile needed."""
    blobs: dict[str, Blob] = {}

    def add(content: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = content
        return {"mediaType": f"{OCI}.{kind}", "digest": digest, "size": len(content)}

    layer = add(_archive({"pause": program.read_bytes()}), "layer.v1.tar")
    root = {"type": "layers", "diff_ids": [layer["digest"]]}
    settings = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]}, "rootfs": root}
    config = add(json.dumps(settings).encode(), "config.v1+json")
    content = {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config, "layers": [layer]}
    manifest = add(json.dumps(content).encode(), "manifest.v1+json")
    if loaded(layout).get(PAUSE) != manifest["digest"]:
        _import(layout, PAUSE, manifest, blobs)


def loaded(layout: Layout) -> dict[str, str]:
    """The node's images: name -> digest of the manifest."""
    rows = run([*_ctr(layout), "images", "list"]).splitlines()[1:]
    return {row.split()[0]: row.split()[2] for row in rows}


def _import(layout: Layout, name: str, manifest: dict[str, object], blobs: dict[str, Blob]) -> None:
    """Stream an OCI archive of these blobs into containerd; layers it has already may be left out."""
    named = manifest | {"annotations": {"io.containerd.image.name": name}}
    index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    command = [*map(str, _ctr(layout)), "images", "import", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ctr:
        assert ctr.stdin and ctr.stdout
        with tarfile.open(fileobj=ctr.stdin, mode="w|") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            _add(archive, "index.json", index)
            for digest, blob in blobs.items():
                _add(archive, f"blobs/{digest.replace(':', '/')}", blob)
        ctr.stdin.close()
        said = ctr.stdout.read().decode()
    if ctr.returncode:
        raise Refused(f"containerd did not take {name}:\n{said}")


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
