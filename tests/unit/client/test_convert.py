"""Scripts of the shapes that people have, and what becomes of them. None of them is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.client.command_line import rtj

from reasoning_client.convert import Converted, convert, read_script
from reasoning_client.errors import ClientError, Exit
from reasoning_client.manifest import wrong

SCRIPTS = Path(__file__).parent / "scripts"
ALL = sorted([*SCRIPTS.glob("*.py"), *SCRIPTS.glob("*.ipynb")])


def converted(name: str, **given: Any) -> Converted:
    return convert(read_script(SCRIPTS / name), "job", given)


def lines(found: Converted) -> list[str]:
    return [f"{place}: {reason}" for place, reason in found.left]


def of(text: str, tmp_path: Path, name: str = "x.py") -> Converted:
    (tmp_path / name).write_text(text)
    return convert(read_script(tmp_path / name), "job")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_shape_becomes_a_manifest_that_is_valid(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "job.yaml"
    done = rtj("convert", str(path), str(target))
    assert done.code == 0, done.err
    assert rtj("validate", str(target)).code == 0
    assert done.out.count("\n") > 5


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_reward_that_was_found_runs_by_itself(path: Path) -> None:
    for reward in convert(read_script(path), "job").document["spec"].get("rewards", []):
        if "sympy" in reward["python"]["source"]:
            continue
        names: dict[str, Any] = {}
        exec(reward["python"]["source"], names)
        assert callable(names[reward["python"]["function"]])


def test_defaults_of_argparse_and_names_are_followed() -> None:
    found = converted("grpo_argparse.py")
    spec = found.document["spec"]
    assert spec["model"] == {"source": "hf://Qwen/Qwen2.5-1.5B-Instruct"}
    assert spec["lora"] == {"rank": 16, "alpha": 64, "dropout": 0.05, "targetModules": ["q_proj", "v_proj"]}
    assert spec["reinforce"] == {
        "learningRate": 1e-5,
        "steps": 500,
        "numGenerations": 8,
        "batchSize": 4,
        "gradientAccumulation": 4,
        "maxPromptLength": 256,
        "maxCompletionLength": 786,
        "scheduler": "cosine",
        "optimizer": "adamw",
    }
    assert spec["data"]["train"] == {
        "source": "hf://openai/gsm8k",
        "config": "main",
        "columns": {"prompt": "question", "answer": "answer"},
        "answerPattern": "#### (.*)",
    }
    system = "Think in <reasoning></reasoning>. Answer in <answer></answer>."
    assert spec["chatTemplate"] == {"systemPrompt": system}
    assert "line 42: beta: only a run would tell what args.beta is" in lines(found)
    assert "line 50: num_iterations: has no field here" in lines(found)


def test_a_reward_brings_what_it_needs_and_nothing_else() -> None:
    (reward,) = converted("grpo_argparse.py").document["spec"]["rewards"]
    source = reward["python"]["source"]
    assert "ANSWER = re.compile" in source
    assert "def extract" in source
    assert "argparse" not in source
    names: dict[str, Any] = {}
    exec(source, names)
    said = [[{"role": "assistant", "content": f"<answer>{text}</answer>"}] for text in ("3", "4")]
    assert names["correctness"]([], said, ["3", "3"]) == [2.0, 0.0]


def test_an_unsloth_notebook_keeps_backend_precision_and_cells() -> None:
    found = converted("unsloth.ipynb")
    spec = found.document["spec"]
    assert (spec["backend"], spec["model"]["loadIn"]) == ("unsloth", "4bit")
    assert spec["lora"]["gradientCheckpointing"] == "unsloth"
    assert spec["reinforce"]["maxCompletionLength"] == 768
    assert [reward["name"] for reward in spec["rewards"]] == ["int-reward-func", "correctness-reward-func"]
    assert spec["reinforce"]["gradientAccumulation"] == 6
    assert any("every prompt needs a whole group" in note for note in found.notes)
    assert any(line.startswith("cell 7, line 1: save_pretrained_merged") for line in lines(found))


def test_weights_other_splits_and_what_is_no_function_of_the_script() -> None:
    found = converted("several_rewards.py")
    spec = found.document["spec"]
    assert [(reward["name"], reward["weight"]) for reward in spec["rewards"]] == [
        ("tagged", 0.5),
        ("equal", 2.0),
        ("brief", 0.1),
    ]
    assert spec["data"]["heldOut"] == {"split": "test"}
    assert spec["data"]["train"]["limit"] == 2000
    assert spec["data"]["train"]["columns"] == {"prompt": "problem", "answer": "solution"}
    assert spec["reinforce"] == {"lossType": "dr_grpo", "scaleRewards": "none", "epsilonHigh": 0.28}
    text = "\n".join(lines(found))
    assert "only functions that the script defines" in text
    assert "reward equal imports sympy" in text
    assert "filter: rows are not changed here" in text


def test_pairs_keep_their_columns() -> None:
    dpo, orpo = (converted(name).document["spec"] for name in ("dpo.py", "orpo_json.py"))
    assert dpo["model"] == {
        "source": "hf://HuggingFaceTB/SmolLM2-135M-Instruct",
        "revision": "main",
        "maxSequenceLength": 1024,
    }
    assert dpo["reinforce"] == {"algorithm": "DPO", "beta": 0.1, "learningRate": 5e-7, "epochs": 1.0}
    assert orpo["data"]["train"]["columns"] == {"chosen": "good", "rejected": "bad", "prompt": "question"}
    assert orpo["reinforce"] == {"algorithm": "ORPO", "beta": 0.2, "epochs": 3.0, "batchSize": 4}
    assert any("put them on a claim" in line for line in lines(converted("orpo_json.py")))


def test_sft_alone_is_a_warm_up() -> None:
    spec = converted("sft.py").document["spec"]
    assert spec["reinforce"] == {"algorithm": "none"}
    assert spec["warmup"] == {"learningRate": 2e-4, "epochs": 2.0, "warmupRatio": 0.03}
    assert spec["data"]["warmup"]["source"] == "hf://open-r1/OpenR1-Math-220k"


def test_what_a_configuration_file_says_comes_first(tmp_path: Path) -> None:
    target = tmp_path / "job.yaml"
    words = ["--config", str(SCRIPTS / "accelerate_parser.yaml"), "--data", "openai/gsm8k"]
    assert rtj("convert", str(SCRIPTS / "accelerate_parser.py"), str(target), *words).code == 0
    spec = yaml.safe_load(target.read_text())["spec"]
    assert spec["model"]["source"] == "hf://Qwen/Qwen3-1.7B"
    assert spec["data"]["train"]["source"] == "hf://openai/gsm8k"
    reinforce = {name: spec["reinforce"][name] for name in ("learningRate", "maxCompletionLength", "numGenerations")}
    assert reinforce == {"learningRate": 2e-6, "maxCompletionLength": 1024, "numGenerations": 6}


def test_what_only_a_run_would_tell_is_listed_and_not_made_up(tmp_path: Path) -> None:
    found = of(
        "import os\nfrom trl import GRPOConfig, GRPOTrainer\nrate = 1e-5\nrate = 2e-5\n"
        "config = GRPOConfig(learning_rate=rate, max_steps=int(os.environ['STEPS']), **more)\n"
        "GRPOTrainer(model=load(), args=config, reward_funcs=imported).train()\n",
        tmp_path,
    )
    assert "reinforce" not in found.document["spec"]
    assert lines(found)[:3] == [
        "line 5: learning_rate: only a run would tell what rate is",
        "line 5: max_steps: only a run would tell what int(os.environ['STEPS']) is",
        "line 5: settings that only a run would tell: **",
    ]
    assert found.document["spec"]["model"]["source"] == "hf://owner/model"
    assert wrong(found.document) == []


def test_nothing_of_a_script_is_run(tmp_path: Path) -> None:
    of(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\n", tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.py", "def (", "is not Python: line 1"),
        ("x.ipynb", "[]", "is no notebook"),
        ("x.ipynb", "{", "is no notebook"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ClientError, match=words) as error:
        of(text, tmp_path, name)
    assert error.value.code == Exit.INVALID
