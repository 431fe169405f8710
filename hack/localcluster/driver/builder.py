"""Building images with buildah: no daemon, no registry, on a Debian base bootstrapped from the package mirror."""

from __future__ import annotations

import configparser
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import machine, space
from .layout import Layout
from .shell import RefusedError, run, say, stream, succeeds
from .space import Cache

BASE_IMAGE = "localhost/debian-python:bookworm"
BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
BASE_SPACE_GIB = 1.0
WASTE = (
    *("var/cache/apt/archives", "var/lib/apt/lists", "var/cache/debconf"),
    *("usr/share/locale", "usr/share/man", "usr/share/info", "usr/share/bash-completion", "usr/share/lintian"),
)
"""What no container reads, or a package's installation makes anew. Licences stay."""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Where the machine's settings are seen during a build, and nowhere in the image that comes of it.
PIP_CACHE = "/var/cache/pip"
PIP_SETTINGS = ("index_url", "extra_index_url", "trusted_host", "proxy", "timeout")


@dataclass(frozen=True)
class Recipe:
    """What an image is built from.

    Attributes
    ----------
    dockerfile, context
        As for `docker build`.
    arguments
        `KEY=VALUE` build arguments; where there is no registry, BASE_IMAGE is given besides.
    target
        The stage to build; None for the last.
    space
        GiB of disk that must be free.
    once
        The tag stands for all that goes into the image: it is built once, and images of its name with other tags go.
    """

    dockerfile: Path
    context: Path
    arguments: tuple[str, ...] = ()
    target: str | None = None
    space: float = 2
    once: bool = False

    def options(self, *more: str) -> list[str]:
        """Return the options that docker and buildah have in common; `more` are build arguments that go before."""
        target = [f"--target={self.target}"] if self.target else []
        return [f"--file={self.dockerfile}", *target, *(f"--build-arg={each}" for each in (*more, *self.arguments))]


def build(layout: Layout, tag: str, recipe: Recipe) -> None:
    """Build an image; layers that were built before are taken from the cache.

    The name begins with `localhost/`, so that no node ever looks for it in a registry.
    """
    require_local_name(tag)
    _prepare(layout)
    if recipe.once and _is_here(layout, tag):
        say(f"{tag} is built already")
        return
    space.require(layout.folder, recipe.space, f"building {tag}", caches(layout))
    # What a build that was interrupted left.
    run([*buildah(layout), "rm", "--all"])
    ensure_base(layout)
    command = [*buildah(layout), "bud", "--isolation=chroot", "--layers", f"--tag={tag}"]
    stream([*command, *recipe.options(f"BASE_IMAGE={BASE_IMAGE}"), *_mounts(layout), recipe.context])
    if recipe.once and (others := other_tags(tag, run([*buildah(layout), "images", "--format={{.Name}}:{{.Tag}}"]))):
        run([*buildah(layout), "rmi", *others])


def other_tags(tag: str, images: str) -> list[str]:
    """Those of the images, a name a line, that differ from one in their tag alone."""
    name = tag.rpartition(":")[0]
    return [each for each in images.split() if each.rpartition(":")[0] == name and each != tag]


def require_local_name(tag: str) -> None:
    """Refuse an image name that a node would look for in a registry."""
    if not tag.startswith("localhost/") or ":" not in tag:
        raise RefusedError(
            f"the image name {tag!r} must be like localhost/NAME:TAG: a node looks for any other in a registry"
        )


def ensure_base(layout: Layout) -> None:
    """Make the base image once: Debian bookworm with Python, from the machine's own package mirror."""
    if _is_here(layout, BASE_IMAGE):
        return
    space.require(layout.folder, BASE_SPACE_GIB, "the base image")
    say(f"making the base image {BASE_IMAGE}, once (about a minute)")
    container = run([*buildah(layout), "from", "scratch"]).strip()
    try:
        _bootstrap(Path(run([*buildah(layout), "mount", container]).strip()))
        run([*buildah(layout), "config", "--cmd=python3", "--env=LANG=C.UTF-8", container])
        run([*buildah(layout), "commit", "--quiet", container, BASE_IMAGE])
    finally:
        run([*buildah(layout), "rm", container])


def caches(layout: Layout) -> list[Cache]:
    """What builds are faster with, the cheapest to have again first."""

    def drop_layers() -> None:
        run([*buildah(layout), "rmi", "--prune"])

    def drop_downloads() -> None:
        for downloads in (layout.folder / "cache/pip").glob("http*"):
            shutil.rmtree(downloads)

    return [Cache("layers that no image's name leads to", drop_layers), Cache("pip's downloads", drop_downloads)]


def buildah(layout: Layout) -> list[str | Path]:
    """The command with storage of its own, apart from the machine's."""
    return ["buildah", "--root", store(layout), "--runroot", run_folder(layout), "--storage-driver=overlay"]


def store(layout: Layout) -> Path:
    """Where buildah keeps images and layers."""
    return layout.mounted / "images/buildah"


def layer_folders(layout: Layout, image: str) -> list[Path]:
    """Where the layers of an image lie unpacked, bottom first, by the state folder's own path.

    Parameters
    ----------
    image
        The image's ID.
    """
    folder = layout.folder / store(layout).relative_to(layout.mounted)
    images = {each["id"]: each for each in json.loads((folder / "overlay-images/images.json").read_text())}
    parents = {
        each["id"]: each.get("parent") for each in json.loads((folder / "overlay-layers/layers.json").read_text())
    }
    found: list[Path] = []
    layer = images[image]["layer"]
    while layer:
        found.insert(0, folder / "overlay" / layer / "diff")
        layer = parents[layer]
    return found


def run_folder(layout: Layout) -> Path:
    """Where buildah keeps what a reboot may take."""
    return layout.run / "buildah"


def _is_here(layout: Layout, name: str) -> bool:
    return succeeds([*buildah(layout), "inspect", "--type", "image", name])


def _prepare(layout: Layout) -> None:
    machine.require_root()
    machine.install_packages(machine.IMAGE_PACKAGES)
    machine.mount_state(layout)


def _bootstrap(root: Path) -> None:
    options = ["--variant=minbase", f"--include={','.join(BASE_PACKAGES)}"]
    run(["debootstrap", *options, "bookworm", root, *_mirror()])
    for waste in WASTE:
        for content in (root / waste).iterdir():
            shutil.rmtree(content) if content.is_dir() else content.unlink()
    for text in (root / "usr/share/doc").rglob("*"):
        if not text.is_dir() and text.name != "copyright":
            text.unlink()


def _mirror() -> list[str]:
    """Where this machine takes bookworm from; debootstrap's own default if it is another Debian."""
    fields = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    rows = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]).splitlines()
    return [row.split()[0] for row in rows if row.split()[1:] == ["bookworm", "main"]][:1]


def _mounts(layout: Layout) -> list[str]:
    """The machine's certificates, pip and apt settings and a shared pip cache, for the time of the build."""
    folder = layout.mounted / "cache"
    (folder / "pip").mkdir(parents=True, exist_ok=True)
    (folder / "pip.conf").write_text(pip_settings(Path("/etc/pip.conf"), os.environ))
    (folder / "apt.conf").write_text(apt_settings(run(["apt-config", "dump", "Acquire"])))
    mounts = {
        CA_BUNDLE: f"{CA_BUNDLE}:ro",
        folder / "pip.conf": "/etc/pip.conf:ro",
        folder / "apt.conf": "/etc/apt/apt.conf.d/90machine:ro",
        folder / "pip": PIP_CACHE,
    }
    return [f"--volume={source}:{target}" for source, target in mounts.items()]


def pip_settings(file: Path, environment: dict[str, str] | os._Environ[str]) -> str:
    """pip.conf for a build: the machine's index settings, the build's own paths for certificates and cache."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(file)
    found = dict(parser["global"]) if parser.has_section("global") else {}
    kept = {key.replace("-", "_"): value for key, value in found.items()}
    kept |= {key: environment[f"PIP_{key.upper()}"] for key in PIP_SETTINGS if f"PIP_{key.upper()}" in environment}
    lines = [f"{key.replace('_', '-')} = {kept[key]}" for key in PIP_SETTINGS if key in kept]
    return "\n".join(["[global]", *lines, f"cert = {CA_BUNDLE}", f"cache-dir = {PIP_CACHE}", ""])


def apt_settings(dump: str) -> str:
    """How this machine's apt fetches: proxies, certificates, date checks; not which indexes it keeps."""
    lines = [line for line in dump.splitlines() if line.startswith("Acquire::") and not line.endswith(' "";')]
    kept = [line for line in lines if not line.startswith(("Acquire::IndexTargets", "Acquire::cdrom"))]
    return "\n".join([*kept, ""])
