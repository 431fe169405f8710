"""A release is one version everywhere, and its workflows run nothing that is not pinned."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.generate.chart import chart_files

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/reasoning-operator"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
DOCKERFILES = ["Dockerfile", "trainer_image/Dockerfile"]


def test_chart_and_its_images_have_the_packages_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    trainer = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))["trainer"]
    assert trainer == {"image": f"reasoning-trainer:{VERSION}", "cpuImage": f"reasoning-trainer:{VERSION}-cpu"}


@pytest.mark.parametrize("path", DOCKERFILES)
def test_images_are_labelled_with_it(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert f"\nARG VERSION={VERSION}\n" in text
    for label in ("title", "description", "version", "licenses", "base.name"):
        assert f"org.opencontainers.image.{label}=" in text
    assert re.search(r"^ARG BASE_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE), "a base that moves"


def test_changes_of_it_are_told() -> None:
    sections = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert sections[0] == VERSION


def test_another_version_is_written_everywhere_from_one_place(tmp_path: Path) -> None:
    for path in ("helm", "pyproject.toml", *DOCKERFILES):
        source, copy = ROOT / path, tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    project = tmp_path / "pyproject.toml"
    project.write_text(
        project.read_text("utf-8").replace(f'version = "{VERSION}"', 'version = "7.8.9-rc.1"', 1), "utf-8"
    )
    texts = chart_files(tmp_path / "helm/reasoning-operator")
    changed = {path.relative_to(tmp_path).as_posix() for path, text in texts.items() if "7.8.9-rc.1" in text}
    names = ("Chart.yaml", "values.yaml", "README.md")
    assert changed == {*DOCKERFILES, *(f"helm/reasoning-operator/{name}" for name in names)}
    assert not [path for path, text in texts.items() if re.search(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])", text)]


def steps(workflow: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(workflow.read_text("utf-8"))
    return [step for job in document["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_pins_what_it_runs_and_starts_without_rights(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text("utf-8"))
    assert document["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in document["jobs"].values())
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_targets_that_a_workflow_makes_exist(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    made = [word for step in steps(workflow) for line in re.findall(r"^make (.+)$", step.get("run", ""), re.MULTILINE)
            for word in line.split()]  # fmt: skip
    assert made
    assert set(made) <= targets


def test_images_are_released_on_a_base_that_is_pinned_by_its_digest() -> None:
    of_images = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text("utf-8"))["jobs"]["images"]["steps"]
    by_id = {step["id"]: step for step in of_images if "id" in step}
    assert 'image=$base@$digest"' in by_id["base"]["run"]
    assert "BASE_IMAGE=${{ steps.base.outputs.image }}" in by_id["build"]["with"]["build-args"].splitlines()
    assert by_id["build"]["with"]["sbom"] is True


def scanner(name: str) -> str:
    found = shutil.which(name, path=str(ROOT / ".venv/bin")) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: `make setup` gets it")
    return found


def test_dockerfile_that_ends_as_root_or_takes_the_latest_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN cd /tmp\nCMD echo\n", "utf-8")
    answer = subprocess.run(
        [scanner("hadolint"), "--format", "json", str(bad)], text=True, capture_output=True, check=False
    )
    assert answer.returncode != 0
    assert {"DL3007", "DL3003"} <= {each["code"] for each in json.loads(answer.stdout)}


def test_workflow_that_lets_a_title_run_is_told(tmp_path: Path) -> None:
    bad = tmp_path / ".github/workflows/bad.yaml"
    bad.parent.mkdir(parents=True)
    steps = [{"run": 'echo "${{ github.event.issue.title }}"'}]
    bad.write_text(yaml.safe_dump({"on": {"issues": None}, "jobs": {"a": {"runs-on": "x", "steps": steps}}}), "utf-8")
    command = [scanner("zizmor"), "--offline", "--no-progress", str(bad)]
    answer = subprocess.run(command, text=True, capture_output=True, check=False)
    assert answer.returncode != 0
    assert "template-injection" in answer.stdout
