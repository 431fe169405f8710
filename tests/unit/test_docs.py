"""The documentation builds as a site, without a dead link, and its manifests are taken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reasoning_contract.spec import Spec

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
BESIDE: dict[str, Any] = {
    "model": {"source": "hf://owner/model"},
    "data": {"train": {"source": "hf://owner/rows"}, "heldOut": {"fraction": 0.1}},
    "rewards": [{"name": "correct", "builtin": "correctness"}, {"name": "format", "builtin": "format"}],
    "reinforce": {"beta": 0.04},
}
"""What a fragment of a spec is completed with."""


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    configuration = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    configuration |= {"docs_dir": str(docs), "hooks": [str(ROOT / "tools/site_links.py")]}
    path = site.parent / "mkdocs.yml"
    path.write_text(yaml.safe_dump(configuration), "utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(path), "--site-dir", str(site)]
    return subprocess.run(command, text=True, capture_output=True, check=False, cwd=ROOT)


def test_site_is_built_and_every_link_of_it_leads_somewhere(tmp_path: Path) -> None:
    built = build(ROOT / "docs", tmp_path / "site")
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site/repository/examples/minimal.yaml").read_bytes() == (
        ROOT / "examples/minimal.yaml"
    ).read_bytes()


@pytest.mark.parametrize("link", ["[gone](gone.md)", "[gone](api.md#gone)", "[gone](../examples/gone.yaml)"])
def test_dead_link_ends_the_build(link: str, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for page in PAGES:
        copy = docs / page.relative_to(ROOT / "docs")
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(f"# {page.stem}\n", "utf-8")
    (docs / "index.md").write_text(f"# Home\n\n{link}\n", "utf-8")
    built = build(docs, tmp_path / "site")
    assert built.returncode != 0
    assert "gone" in built.stderr


def fragments() -> list[Any]:
    found = []
    for page in PAGES:
        for number, text in enumerate(BLOCK.findall(page.read_text("utf-8"))):
            documents = [each for each in yaml.safe_load_all(text) if isinstance(each, dict)]
            specs = [each["spec"] for each in documents if each.get("kind") == "ReasoningTrainingJob"]
            parts = {each.alias or name for name, each in Spec.model_fields.items()}
            specs += [each.get("spec", each) for each in documents if set(each.get("spec", each)) <= parts]
            found += [pytest.param(each, id=f"{page.stem}-{number}") for each in specs if isinstance(each, dict)]
    return found


@pytest.mark.parametrize("spec", fragments())
def test_manifest_of_a_page_is_taken(spec: dict[str, Any]) -> None:
    Spec.model_validate(BESIDE | spec)
