"""The manifests of examples/algorithms, with the rows and the tokenizer that `make parity` makes for them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hack.algorithms import make_parity
from hack.algorithms.run_all import MANIFESTS, ROOT
from rich.console import Console

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate
from reasoning_trainer.chat.conversation import worked_answer
from reasoning_trainer.commands.check import Options, check
from reasoning_trainer.data.examples import Example
from reasoning_trainer.reporting.display import Display


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the manifests read as pvc://, with a file of weights that nobody reads."""
    folder = tmp_path_factory.mktemp("claims")
    make_parity.make_tokenizer().save_pretrained(folder / "parity/model")
    (folder / "parity/model/model.safetensors").write_bytes(b"")
    make_parity.write_rows(folder / "parity", seed=0)
    return folder


def test_there_is_one_for_each_file() -> None:
    assert sorted(MANIFESTS) == sorted(path.stem for path in (ROOT / "examples/algorithms").glob("*.yaml"))


@pytest.mark.parametrize("name", MANIFESTS)
def test_example_can_be_started(claims: Path, name: str) -> None:
    output = io.StringIO()
    with Display(Console(file=output)) as display:
        outcome = check(Options(ROOT / f"examples/algorithms/{name}.yaml", claims=claims), display)
    assert outcome.exit_code == ExitCode.DONE, outcome
    assert "warning" not in output.getvalue()


def test_rows(claims: Path) -> None:
    rows = {
        name: [json.loads(line) for line in (claims / f"parity/{name}.jsonl").read_text().splitlines()]
        for name in ("train", "heldout")
    }
    assert {name: len(each) for name, each in rows.items()} == {"train": 2000, "heldout": 200}
    assert not {row["prompt"] for row in rows["train"]} & {row["prompt"] for row in rows["heldout"]}
    for row in (*rows["train"], *rows["heldout"]):
        right = ("even", "odd")[int(row["prompt"]) % 2]
        example = Example(answer=right, reasoning=row["prompt"][-1])
        assert (row["answer"], row["chosen"]) == (right, worked_answer(example, ChatTemplate()))
        assert row["rejected"] != row["chosen"]
