"""Downloads of a run's files; the pod's program is the real one, in a process here instead of a pod."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reasoning_client import records
from reasoning_client.download import download, wanted
from reasoning_client.errors import ClientError, Exit
from reasoning_client.volume import RunFiles, reader_pod
from reasoning_contract.report import Artifact


def here(command: Sequence[str]) -> Iterator[bytes]:
    """Stand in for the pod: run the program in a process here."""
    yield subprocess.run([sys.executable, *command[1:]], check=True, stdout=subprocess.PIPE).stdout


def nobody(name: str, got: int, size: int) -> None:
    """Be told nothing."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "sums-1234"
    lora = folder / "artifacts/lora"
    (lora / "deep").mkdir(parents=True)
    (lora / "adapter.safetensors").write_bytes(bytes(range(256)) * 1000)
    (lora / "deep/config.json").write_text("{}")
    (lora / "empty.txt").write_text("")
    (folder / "README.md").write_text("# card")
    (folder / "evaluation").mkdir()
    (folder / "evaluation/base.jsonl").write_text('{"prompt": "1 + 1?", "completion": "2", "right": true}\n')
    return folder


@pytest.fixture
def artifact(run: Path) -> Artifact:
    """What the status says of it: the hash as the API's reference describes it, by programs that are not ours."""
    hashes = "find . -type f -printf '%P\\n' | xargs sha256sum | LC_ALL=C sort | sha256sum"
    done = subprocess.run(["bash", "-c", hashes], cwd=run / "artifacts/lora", stdout=subprocess.PIPE, check=True)
    path, digest = "/output/sums-1234/artifacts/lora", done.stdout.decode().split()[0]
    return Artifact(kind="lora", path=path, sha256=digest, bytes=256002)


def test_artifacts_and_what_lies_beside_them_come_whole(run: Path, artifact: Artifact, tmp_path: Path) -> None:
    target = tmp_path / "here"
    found = download(RunFiles(str(run), here), wanted([artifact], []), target, nobody)
    assert {str(path.relative_to(target)) for path in found} == {
        "artifacts/lora/adapter.safetensors",
        "artifacts/lora/deep/config.json",
        "artifacts/lora/empty.txt",
        "README.md",
        "evaluation/base.jsonl",
    }
    assert (target / "artifacts/lora/adapter.safetensors").read_bytes() == bytes(range(256)) * 1000
    assert not list(target.rglob("*.partial"))


def test_what_was_cut_off_goes_on_from_there(run: Path, artifact: Artifact, tmp_path: Path) -> None:
    target, offsets = tmp_path / "here", []

    def watched(command: Sequence[str]) -> Iterator[bytes]:
        if command[4] == "read" and command[5].endswith("adapter.safetensors"):
            offsets.append(command[6])
        return here(command)

    partial = target / "artifacts/lora/adapter.safetensors.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes((bytes(range(256)) * 1000)[:1000])
    download(RunFiles(str(run), watched), wanted([artifact], [], ()), target, nobody)
    assert offsets == ["1000"]


def test_what_came_short_is_refused_and_kept_to_go_on(run: Path, artifact: Artifact, tmp_path: Path) -> None:
    def cut(command: Sequence[str]) -> Iterator[bytes]:
        whole = b"".join(here(command))
        yield whole[:500] if command[4] == "read" else whole

    with pytest.raises(ClientError, match="500 of 256000 bytes came") as error:
        download(RunFiles(str(run), cut), wanted([artifact], [], ()), tmp_path / "here", nobody)
    assert error.value.code == Exit.SPOILT
    assert (tmp_path / "here/artifacts/lora/adapter.safetensors.partial").stat().st_size == 500
    assert not (tmp_path / "here/artifacts/lora/adapter.safetensors").exists()


def test_what_differs_from_the_status_is_removed(run: Path, artifact: Artifact, tmp_path: Path) -> None:
    (run / "artifacts/lora/deep/config.json").write_text("[]")
    with pytest.raises(ClientError, match="checksum differs") as error:
        download(RunFiles(str(run), here), wanted([artifact], [], ()), tmp_path / "here", nobody)
    assert error.value.code == Exit.SPOILT
    assert not [path for path in (tmp_path / "here").rglob("*") if path.is_file()]


def test_a_spoilt_file_of_the_same_size_is_mended_by_the_next_run(
    run: Path, artifact: Artifact, tmp_path: Path
) -> None:
    files, target = RunFiles(str(run), here), tmp_path / "here"
    download(files, wanted([artifact], []), target, nobody)
    (target / "artifacts/lora/deep/config.json").write_text("[]")
    (target / "README.md").write_text("#_card")
    with pytest.raises(ClientError, match="checksum differs"):
        download(files, wanted([artifact], []), target, nobody)
    download(files, wanted([artifact], []), target, nobody)
    assert (target / "README.md").read_text() == "# card"


def test_what_bends_on_the_way_is_noticed_beside_the_artifacts_too(run: Path, tmp_path: Path) -> None:
    def bent(command: Sequence[str]) -> Iterator[bytes]:
        whole = b"".join(here(command))
        yield whole.replace(b"card", b"crad") if command[4] == "read" else whole

    with pytest.raises(ClientError, match=r"README\.md is not what the run wrote"):
        download(RunFiles(str(run), bent), wanted([], [], ("README.md",)), tmp_path / "here", nobody)


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    def liar(command: Sequence[str]) -> Iterator[bytes]:
        yield b'{"path": "../../evil", "size": 1}\n' if command[4] == "list" else b"x"

    with pytest.raises(ClientError, match="leads out of"):
        download(RunFiles("/output/x", liar), wanted([], [], ("README.md",)), tmp_path / "a/b", nobody)


def test_links_are_not_followed(run: Path) -> None:
    (run / "artifacts/lora/link").symlink_to("/etc/passwd")
    assert "artifacts/lora/link" not in {each.path for each in RunFiles(str(run), here).entries("artifacts/lora")}


def test_an_unknown_kind_names_those_that_there_are(artifact: Artifact) -> None:
    with pytest.raises(ClientError, match="no artifact gguf:q8_0; it has: lora"):
        wanted([artifact], ["gguf:q8_0"])


def test_transcripts_are_read_with_their_model(run: Path) -> None:
    assert records.samples(RunFiles(str(run), here)) == [
        {"model": "base", "prompt": "1 + 1?", "completion": "2", "right": True}
    ]


def test_metrics_come_from_finished_stages_and_the_last_whole_checkpoint(run: Path) -> None:
    (run / "warmup").mkdir()
    (run / "warmup/history.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    for step, seal in ((2, True), (4, True), (6, False)):
        folder = run / f"reinforce/checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(f'{{"log_history": [{{"step": {step}, "reward": 0.5}}]}}')
        if seal:
            (folder / "complete").write_text("")
    rows = records.history(RunFiles(str(run), here))
    assert [(row["stage"], row["step"]) for row in rows] == [("warmup", 1), ("reinforce", 4)]
    assert records.history(RunFiles(str(run), here), "warmup") == rows[:1]
    with pytest.raises(ClientError, match="no stage sft"):
        records.history(RunFiles(str(run), here), "sft")


def test_the_readers_pod_takes_image_and_place_from_the_training_and_cannot_write() -> None:
    document = {"metadata": {"name": "sums", "uid": "u"}}
    trainer = {"name": "trainer", "image": "trainer:1", "imagePullPolicy": "Never"}
    template = {"containers": [trainer], "nodeSelector": {"gpu": "yes"}, "tolerations": [{"key": "gpu"}]}
    spec = reader_pod(document, "sums-output", template, None, "abc")["spec"]
    (container,) = spec["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("trainer:1", "Never")
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"gpu": "yes"}, [{"key": "gpu"}])
    assert spec["volumes"][0]["persistentVolumeClaim"] == {"claimName": "sums-output", "readOnly": True}
    assert container["volumeMounts"][0]["readOnly"]
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
