"""The Hub, faked: a cache as a download leaves it, and a server on the loopback that a download asks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from tests.polling import eventually
from tests.trainer.fake_hub import FakeHub

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs
from reasoning_trainer.storage.commits import Commits
from reasoning_trainer.storage.model_files import fetch, require_safetensors

OLD, NEW = "a" * 40, "b" * 40
NEW_ROWS = {"train.jsonl": b'{"prompt": "new"}', "README.md": b"# Rows"}
NOWHERE = Inputs(None, None)


def spec(**model: Any) -> Spec:
    document = {
        "model": {"source": "hf://owner/name"} | model,
        "data": {"train": {"rows": [{"prompt": "a", "answer": "b"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    return resolve(Spec.model_validate(document))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake: the cache of two downloads, main being the newer commit."""
    repository = tmp_path / "models--owner--name"
    for commit in (OLD, NEW):
        (repository / "snapshots" / commit).mkdir(parents=True)
        (repository / "snapshots" / commit / "model.safetensors").write_text(commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(NEW)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository


def test_files_that_are_there_need_no_hub(cache: Path) -> None:
    assert fetch(spec(), NOWHERE) == (cache / "snapshots" / NEW, NEW)
    assert fetch(spec(revision=OLD), NOWHERE) == (cache / "snapshots" / OLD, OLD)


def test_later_attempt_takes_the_commit_of_the_first(cache: Path, tmp_path: Path) -> None:
    commits = Commits(tmp_path / "commits.json")
    (cache / "refs/main").write_text(OLD)
    assert fetch(spec(), NOWHERE, commits=commits)[1] == OLD
    (cache / "refs/main").write_text(NEW)
    assert fetch(spec(), NOWHERE, commits=commits)[1] == OLD
    assert fetch(spec(), NOWHERE)[1] == NEW


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("model", [{"revision": "c" * 40}, {"source": "hf://owner/other"}], ids=str)
def test_files_that_are_not_there_are_asked_for_again(model: dict[str, str]) -> None:
    with pytest.raises(TrainerError, match="cannot be fetched") as caught:
        fetch(spec(**model), NOWHERE)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.TRANSIENT, "HubUnreachable")


@pytest.mark.parametrize(
    ("files", "words"),
    [(["config.json", "pytorch_model.bin"], "it has pytorch_model.bin"), (["config.json"], "no weights")],
)
def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(TrainerError, match=words) as caught:
        require_safetensors(spec(), tmp_path)
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.MODEL_INVALID, "SafetensorsMissing")
    (tmp_path / "model.safetensors").touch()
    require_safetensors(spec(), tmp_path)


OF_A_DATA_SET = """
import json, sys
from reasoning_contract.spec import Rows
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.data.sources import Source, read

for revision in json.loads(sys.argv[1]):
    source = Source(locate=None)
    rows = Rows.model_validate({"source": "hf://owner/rows"} | ({"revision": revision} if revision else {}))
    try:
        print(json.dumps([read(rows, "data.train", source)[0]["prompt"], source.taken["data.train"]]))
    except TrainerError as error:
        print(json.dumps([error.reason, error.message]))
"""


def read_in_a_process(endpoint: str, home: Path, revisions: list[str | None], **environment: str) -> list[Any]:
    """Read a data set at revisions; the libraries read where the Hub is when they are imported."""
    settings = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    settings |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)} | environment
    command = [sys.executable, "-c", OF_A_DATA_SET, json.dumps(revisions)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def test_data_set_at_its_commit_with_and_without_a_hub(tmp_path: Path) -> None:
    hub = FakeHub({"datasets/owner/rows": {OLD: {"train.jsonl": b'{"prompt": "old"}'}, NEW: NEW_ROWS}})
    with hub.serve():
        found = read_in_a_process(hub.endpoint, tmp_path, [OLD, None, "main"])
    assert found == [["old", OLD], ["new", NEW], ["new", NEW]]
    missing = "c" * 40
    again = read_in_a_process(hub.endpoint, tmp_path, [None, OLD, NEW, missing], HF_HUB_OFFLINE="1")
    assert again[:3] == [["new", NEW], ["old", OLD], ["new", NEW]]
    assert again[3][0] == "DatasetRevisionMissing"
    assert f"wanted at {missing}, and what was downloaded before is {NEW}" in again[3][1]


SUPERVISOR = """
import sys
from reasoning_trainer import command_line
from reasoning_trainer.supervisor import process

process.COMMAND = (sys.executable, "-c", sys.argv.pop(1), sys.argv.pop(1))
sys.exit(command_line.main())
"""
WEIGHTS_COME_BEFORE_THE_LIBRARIES = """
import sys, time
from pathlib import Path
from reasoning_trainer import backends, worker

cache, choose = Path(sys.argv.pop(1)), backends.choose

def choose_when_the_weights_are_there(spec):
    deadline = time.monotonic() + 60
    while not list(cache.glob("hub/models--owner--name/snapshots/*/model.safetensors")):
        assert time.monotonic() < deadline, "nothing is fetched while the libraries are imported"
        time.sleep(0.05)
    assert "torch" not in sys.modules
    return choose(spec)

backends.choose = choose_when_the_weights_are_there
sys.exit(worker.main())
"""


def test_model_comes_from_the_hub_while_the_libraries_are_imported(
    tiny_model: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()} | {"consolidated.safetensors": b"again"}
    hub = FakeHub({"models/owner/name": {NEW: files}})
    job = manifest(
        model={"source": "hf://owner/name", "maxSequenceLength": 128},
        reinforce={"algorithm": "none", "maxCompletionLength": 12},
        rewards=None,
        evaluation={"enabled": False},
    )
    program = [sys.executable, "-c", SUPERVISOR, WEIGHTS_COME_BEFORE_THE_LIBRARIES, tmp_path]
    settings = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with hub.serve():
        settings |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [*program, "run", job, "--output", tmp_path / "run"]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    report = json.loads((tmp_path / "run/progress.json").read_text())
    assert report["model"]["revision"] == NEW
    assert not [asked for asked in hub.asked if "consolidated" in asked]


MIB = 1 << 20
SLOW = bytes(12 * MIB)
"""A file that comes in two pieces: the library writes 10 MiB at a time."""
ROWS = b'{"prompt": "1+1", "answer": "2"}\n'
TELLS_OFTEN = """
import sys
from reasoning_trainer import worker
from reasoning_trainer.storage import arrivals

arrivals.TOLD_SECONDS = float(sys.argv.pop(1))
sys.exit(worker.main())
"""


@pytest.mark.parametrize(
    ("repository", "file", "what", "fields"),
    [
        (
            "datasets/owner/slow",
            {"train.jsonl": ROWS * (len(SLOW) // len(ROWS))},
            "reading the data: hf://owner/slow",
            {"data": {"train": {"source": "hf://owner/slow"}}},
        ),
        (
            "models/owner/slow",
            {"model.safetensors": SLOW},
            "fetching hf://owner/slow",
            {"model": {"source": "hf://owner/slow", "maxSequenceLength": 128}},
        ),
        (
            "models/owner/slow",
            {"model.safetensors": SLOW},
            "loading the rewards",
            {"rewards": [{"name": "judge", "model": {"source": "hf://owner/slow"}}]},
        ),
    ],
    ids=["rows", "model", "reward model"],
)
def test_a_slow_download_tells_how_much_has_come(
    manifest: Callable[..., Path],
    tmp_path: Path,
    repository: str,
    file: dict[str, bytes],
    what: str,
    fields: dict[str, Any],
) -> None:
    """What moves is no stall: the watch would end an hour's download that tells nothing."""
    hub = FakeHub({repository: {NEW: {"config.json": b"{}"} | file}}, stalled=tuple(file), first=11 * MIB)
    job = manifest(evaluation={"enabled": False}, **fields)
    settings = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    kept = tmp_path / "run/progress.json"

    def told() -> float | None:
        found = re.search(rf'"{what}, ([\d.]+) MiB have come"', kept.read_text()) if kept.exists() else None
        return float(found[1]) if found else None

    with hub.serve():
        settings |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SUPERVISOR, TELLS_OFTEN, "0.2", "run", job, "--output", tmp_path / "run"]
        with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL) as process:
            try:
                come = eventually(lambda: (told() or 0) >= 10 and told(), lambda: f"10 MiB, but {told()}", 60)
            finally:
                hub.go_on.set()
                process.kill()
    assert come < 12


@pytest.mark.parametrize("what", [signal.SIGTERM, "import of a library fails"])
def test_process_does_not_stay_for_the_download(
    what: signal.Signals | str, tiny_model: Path, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """Whose threads Python waits for at its end."""
    files = {path.name: path.read_bytes() for path in tiny_model.iterdir()}
    hub = FakeHub({"models/owner/name": {NEW: files}}, stalled=("model.safetensors",))
    job = manifest(
        model={"source": "hf://owner/name", "maxSequenceLength": 128},
        reinforce={"algorithm": "none", "maxCompletionLength": 12},
        rewards=None,
        evaluation={"enabled": False},
    )
    settings = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    with hub.serve():
        settings |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path)}
        if isinstance(what, str):
            broken = tmp_path / "broken"
            broken.mkdir()
            (broken / "trl.py").write_text("import time; time.sleep(5); raise RuntimeError('broken')")
            settings["PYTHONPATH"] = f"{broken}{os.pathsep}{os.pathsep.join(sys.path)}"
        else:
            settings["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, "-m", "reasoning_trainer", "run", job, "--output", tmp_path / "run"]
        with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not any(asked.startswith("GET") and "model.safetensors" in asked for asked in hub.asked):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            if isinstance(what, signal.Signals):
                process.send_signal(what)
            try:
                code = process.wait(60)
            finally:
                hub.go_on.set()
                process.kill()
    assert code == (ExitCode.INTERRUPTED if what is signal.SIGTERM else ExitCode.INTERNAL_ERROR)
