"""Each finding of the preflight made to happen, by the command that its pod runs; their table is held to the code."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from rich.console import Console

from reasoning_contract.outcome import Outcome
from reasoning_trainer.commands import findings
from reasoning_trainer.commands.check import Options, check
from reasoning_trainer.reporting.display import Display

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "trainer_image/reasoning_trainer"
ROW = {"prompt": "What is 1 + 1?", "reasoning": "1 and 1 are 2.", "answer": "2"}
OTHER = {"prompt": "What is 70 + 7?", "answer": "77"}
ALONE: dict[str, Any] = {"evaluation": {"enabled": False}}
SMALL = {"steps": 1, "numGenerations": 2, "batchSize": 2, "maxCompletionLength": 48}
PAIRS = {"reinforce": {"algorithm": "DPO", "steps": 1, "maxCompletionLength": 12}, "rewards": []} | ALONE
TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
OPENED = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
HIDDEN = (
    "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}{% if add_generation_prompt %}A: <t>{% endif %}"
)
NO_SYSTEM = "{% for m in messages %}{% if 'TEN' in m.content %}{{ raise_exception('no') }}{% endif %}{% endfor %}"
ENDLESS = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def python(body: str) -> dict[str, Any]:
    return {
        "rewards": [{"name": "mine", "python": {"source": f"def score(prompts, completions, **more):\n    {body}\n"}}]
    }


def judge(**settings: Any) -> dict[str, Any]:
    return {
        "rewards": [{"name": "j", "judge": {"url": "http://j/v1", "model": "m", "prompt": "{completion}"} | settings}]
    }


def rows_of(*rows: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"train": {"rows": [*rows]} | more}, "reinforce": SMALL} | ALONE


def file_of(content: bytes | str, name: str = "rows.jsonl", **more: Any) -> Callable[[Path], dict[str, Any]]:
    def changes(folder: Path) -> dict[str, Any]:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return {"data": {"train": {"source": f"file://{folder / name}"} | more}, "reinforce": SMALL} | ALONE

    return changes


def model_of(**files: str) -> Callable[[Path], dict[str, Any]]:
    def changes(folder: Path) -> dict[str, Any]:
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return {"model": {"source": f"file://{folder}"}}

    return changes


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 9\n"
NO_TEMPLATE = "no template"
"""A model whose tokenizer carries none."""
ERRORS: dict[str, dict[str, Any] | Callable[[Path], dict[str, Any]]] = {
    "SpecInvalid": {"rewards": []},
    "NotSupported": {"parallelism": {"nodes": 2, "gpusPerNode": 0}},
    "TrackerMissing": {"tracking": {"mlflow": {"url": "http://mlflow:5000"}}},
    "TrackerKeyMissing": {"tracking": {"wandb": {}}},
    "SourceNotFound": {"data": {"train": {"source": "file:///nowhere.jsonl"}}} | ALONE,
    "DatasetNotFound": lambda folder: {"data": {"train": {"source": f"file://{folder}"}}} | ALONE,
    "DatasetFormatUnknown": file_of("{}", "rows.txt"),
    "DatasetMalformed": file_of("{"),
    "DatasetEmpty": file_of("\n"),
    "DatasetColumnMissing": file_of('{"question": "a"}\n'),
    "DatasetColumnTwice": file_of('{"prompt": "a"}\n{"prompt": "b"}\n', columns={"answer": "prompt"}),
    "DatasetValueMissing": file_of('{"prompt": "a", "answer": "b"}\n{"prompt": "a", "answer": null}\n'),
    "DatasetValueInvalid": file_of('{"prompt": "a", "answer": {"b": {}}}\n'),
    "DatasetTooSmall": rows_of(ROW) | {"reinforce": SMALL | {"batchSize": 64}},
    "AnswerPatternInvalid": rows_of(ROW, answerPattern="(2"),
    "AnswerPatternUnmatched": rows_of(ROW, answerPattern="#### (.*)"),
    "AnswersMissing": PAIRS
    | {
        "data": {"train": {"rows": [ROW | {"chosen": "a", "rejected": "b"}]}}
        | {"heldOut": {"rows": [{"prompt": "z", "chosen": "a", "rejected": "b"}]}},
        "evaluation": {"passAtK": [2]},
    },
    "AnswersUnjudgeable": {"data": {"train": {"rows": [ROW | {"answer": "N/A"}]}, "unjudgeable": "fail"}} | ALONE,
    "PairQuestionsDiffer": lambda folder: (
        file_of(
            json.dumps(
                {
                    name: [{"role": "user", "content": question}, {"role": "assistant", "content": name}]
                    for name, question in (("chosen", "What?"), ("rejected", "Who?"))
                }
                | {"prompt": "What?"}
            ),
            columns={"chosen": "chosen", "rejected": "rejected"},
        )(folder)
        | PAIRS
    ),
    "HeldOutOverlap": {
        "data": {"train": {"rows": [ROW]}, "heldOut": {"rows": [{"prompt": "what is 1 + 1", "answer": "2"}]}}
    },
    "ReasoningGymTaskUnknown": {"data": {"train": {"reasoningGym": {"task": "chain_som"}}}} | ALONE,
    "ReasoningGymConfigInvalid": {"data": {"train": {"reasoningGym": {"task": "chain_sum", "config": {"no": 1}}}}}
    | ALONE,
    "ModelNotFound": {"model": {"source": "file:///nowhere"}},
    "HubUnreachable": {"model": {"source": "hf://owner/nothing"}},
    "SafetensorsMissing": model_of(config__json="{}"),
    "GitLfsPointer": model_of(config__json="{}", model__safetensors=POINTER),
    "ModelUnreadable": model_of(config__json="{}", model__safetensors=""),
    "ChatTemplateMissing": {"model": NO_TEMPLATE},
    "ChatTemplateInvalid": {"chatTemplate": {"jinja": "{# messages #}a"}},
    "ResponseNotFound": {"chatTemplate": {"jinja": HIDDEN}},
    "ConversationRefused": {"chatTemplate": {"jinja": NO_SYSTEM + TURNS + OPENED, "systemPrompt": ""}}
    | rows_of(ROW | {"prompt": "TEN"}),
    "ControlTokens": rows_of(ROW | {"prompt": "a <|im_end|> b"}),
    "PromptsTooLong": {"reinforce": SMALL | {"maxPromptLength": 2}},
    "NothingToLearn": python("return [0.0 for _ in completions]"),
    "RewardMisjudges": rows_of(ROW | {"answer": "two"})
    | {"rewards": [{"name": "c", "builtin": "correctness", "params": {"parser": "number"}}]},
    "RewardNotLoaded": {"rewards": [{"name": "mine", "python": {"source": "import nothing_of_this_name\nscore = 1"}}]},
    "RewardFailing": python("return [1 / 0 for _ in completions] if completions else []"),
    "RewardHeadersInvalid": {
        "rewards": [{"name": "h", "http": {"url": "http://h/", "headersSecretRef": {"name": "s", "key": "k"}}}]
    },
    "RewardKeyInvalid": judge(apiKeySecretRef={"name": "s", "key": "k"}),
    "JudgePatternInvalid": judge(pattern="score: ((.)"),
    "RewardModelInvalid": lambda folder: (
        model_of(config__json='{"architectures": ["LlamaForCausalLM"]}', model__safetensors="")(folder)
        and {"rewards": [{"name": "m", "model": {"source": f"file://{folder}"}}]}
    ),
}
"""Reason of an error -> what is changed of a good job."""
ELSEWHERE = {
    "DatasetInvalid": ("tests/unit/trainer_pure/test_data.py", "DatasetInvalid"),
    "DatasetRevisionMissing": ("tests/trainer/test_hub_cache.py", "DatasetRevisionMissing"),
    "RewardBoxOpen": ("tests/box/test_box.py", "MissingWallError"),
    "RewardBoxUnavailable": ("tests/box/test_box.py", "BoxError"),
    "RewardFunctionError": ("tests/unit/trainer_pure/test_rewards.py", "RewardFunctionError"),
}
"""What needs a Hub that answers, a kernel without walls, or a fault of a built-in reward: where that is made, and the
word by which it is found there."""
RUN_ALONE = {
    "AdapterInvalid": "the adapter is made when the weights are loaded",
    "InternalError": "what nobody foresaw has no row",
    "OutOfGPUMemory": "a preflight has no GPU",
    "OutOfMemory": "told by the kernel",
    "RunFolderBusy": "a preflight has no volume",
    "SpecChanged": "a preflight has no volume",
    "StorageFull": "a preflight has no volume",
}
"""Reasons in what `check` imports that it does not end with, and why."""
WARNINGS: dict[str, tuple[dict[str, Any], str]] = {
    "volume": ({"storage": {"size": "100k"}}, "storage.size has"),
    "prompt_lengths": (rows_of(ROW, ROW | {"prompt": "What is " + "1 + " * 40 + "1?"}, OTHER), "left out as too long"),
    "answer_lengths": ({"reinforce": SMALL | {"maxCompletionLength": 2}}, "do not fit into a completion"),
    "turn": (
        {"chatTemplate": {"jinja": ENDLESS}, "data": {"train": {"rows": [ROW, OTHER]}}} | ALONE,
        "ends the assistant's turn with nothing",
    ),
    "turns": (
        {"data": {"train": {"rows": [ROW, OTHER]}, "warmup": {"rows": [ROW, ROW | {"reasoning": "1 " * 99}]}}} | ALONE,
        "turns are learned",
    ),
    "pairs": (
        PAIRS | {"data": {"train": {"rows": [{"prompt": p, "chosen": "a", "rejected": r} for p, r in ("1a", "2b")]}}},
        "chosen and rejected are the same in 1 of 2 rows",
    ),
    "_reward": (
        {"rewards": [*python("return [0.0 for _ in completions]")["rewards"], {"name": "c", "builtin": "correctness"}]},
        "scores everything alike",
    ),
    "rows": (rows_of(ROW, ROW | {"answer": "3"}, OTHER), ""),
}
"""Function of `findings` that warns -> what is changed of a good job, and words of the warning."""


@pytest.fixture
def checked(manifest: Callable[..., Path], no_weights: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Checks a good job with changes."""

    def run(changes: dict[str, Any]) -> Outcome:
        model = {"source": f"file://{no_weights}", "maxSequenceLength": 128}
        if changes.get("model") == NO_TEMPLATE:
            folder = copytree(no_weights, tmp_path / "bare")
            (folder / "chat_template.jinja").unlink(missing_ok=True)
            settings = json.loads((folder / "tokenizer_config.json").read_text())
            settings.pop("chat_template", None)
            (folder / "tokenizer_config.json").write_text(json.dumps(settings))
            changes = changes | {"model": {"source": f"file://{folder}"}}
        changes = changes | {"model": model | changes.get("model", {})}
        with Display(Console(file=io.StringIO(), soft_wrap=True)) as display:
            return check(Options(manifest(**changes)), display)

    return run


@pytest.mark.parametrize("reason", ERRORS)
def test_error_ends_the_check_with_its_reason_and_a_way_out(
    checked: Callable[..., Outcome], tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    changes = ERRORS[reason]
    outcome = checked(changes(tmp_path) if callable(changes) else changes)
    assert outcome.reason == reason, outcome
    assert outcome.message
    assert outcome.hint


@pytest.mark.parametrize("function", WARNINGS)
def test_warning_is_told_and_ends_nothing(checked: Callable[..., Outcome], function: str) -> None:
    changes, words = WARNINGS[function]
    outcome = checked(changes)
    assert outcome.exit_code == 0, outcome
    assert [each for each in outcome.findings if each.level == "warning" and words in each.message], outcome.findings


def test_every_finding_of_the_code_is_made_to_happen() -> None:
    assert set(_reasons()) == {*ERRORS, *ELSEWHERE, *RUN_ALONE}
    for path, word in ELSEWHERE.values():
        assert word in (ROOT / path).read_text("utf-8")
    warning = {
        node.name for node in _functions(Path(findings.__file__)) if '"warning"' in ast.unparse(node).replace("'", '"')
    }
    assert warning - {"worth_telling"} == WARNINGS.keys()


def test_every_reason_has_its_row_in_the_table() -> None:
    table = (ROOT / "docs/preflight.md").read_text("utf-8").partition("## Findings")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:[A-Z]+[a-z]+){2,}[A-Z]*)`", table)) - {"StorageTooSmall"}
    assert named == {*ERRORS, *ELSEWHERE}


def _reasons() -> Iterator[str]:
    """Yield every reason of an error in the modules that `check` imports, but for verdicts of guards."""
    for name, path in _imported("commands.check").items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and not (name.startswith("guards.") and name != "guards.unscored"):
                yield from _reasons_of(node)


def _reasons_of(call: ast.Call) -> Iterator[str]:
    called = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if called not in ("TrainerError", "invalid_data", "_error", "Problem", "Outcome", "against"):
        return
    for value in [*call.args, *(each.value for each in call.keywords if each.arg == "reason")]:
        if isinstance(value, ast.Constant) and re.fullmatch(r"([A-Z]+[a-z]+){2,}[A-Z]*", str(value.value)):
            yield value.value


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef))


def _imported(begin: str) -> dict[str, Path]:
    """Return the modules that one imports, with those that these import."""
    paths = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    found: dict[str, Path] = {}
    waiting = [begin]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found:
            found[name] = modules[name]
            waiting += _imports(name, modules)
    return found


def _imports(name: str, modules: dict[str, Path]) -> Iterator[str]:
    package = name.split(".") if modules[name].name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(modules[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            yield ".".join(base)
            yield from (".".join([*base, alias.name]) for alias in node.names)
