"""What is exported is loaded again, by the libraries that its users have, and answers as the model in memory did."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import numpy as np
import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.spec import QUANTISATIONS
from reasoning_trainer.commands.check import Options, check
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.export import converters
from reasoning_trainer.interruption import Interruption
from reasoning_trainer.reporting.display import Display
from reasoning_trainer.stages.export import describe

FORMATS = ["lora", "merged16bit", "merged4bit", "gguf:bf16", "gguf:q8_0", "gguf:q4_k_m"]
EXACT = ("lora", "merged16bit", "gguf:bf16")
CORRELATION = {"q5": 0.998, "q4": 0.995, "iq4": 0.995, "q3": 0.99, "q2": 0.98}
"""Least correlation of logits with the 16-bit model's, by bits; 0.999 from six bits on. Of texts nothing
is asked: this model decides between signs that are as good as each other, and rounding decides otherwise."""

Export = tuple[Path, Outcome, Path]
Texts = list[str]


@pytest.fixture(scope="module")
def export(
    tmp_path_factory: pytest.TempPathFactory,
    wide_model: Path,
    write_manifest: Callable[..., Path],
    train_in: Callable[[Path, Path], Outcome],
) -> Export:
    """The run folder, the outcome and the manifest of a job that learns a form by heart and exports."""
    folder = tmp_path_factory.mktemp("export")
    job = write_manifest(
        folder,
        model={"source": f"file://{wide_model}", "maxSequenceLength": 128},
        warmup={"epochs": 12, "batchSize": 4, "gradientAccumulation": 1, "learningRate": 1e-2},
        reinforce={"algorithm": "none", "maxCompletionLength": 24},
        evaluation={"samples": 8},
        export={"formats": FORMATS},
    )
    return folder / "run", train_in(job, folder / "run"), job


@pytest.fixture(scope="module")
def artifacts(export: Export) -> Path:
    run, outcome, _ = export
    assert outcome.exit_code == ExitCode.DONE, outcome
    return run / "artifacts"


@pytest.fixture(scope="module")
def prompts(artifacts: Path) -> Texts:
    """The held-out prompts, chat template and all."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(artifacts / "lora")
    return [
        tokenizer.apply_chat_template([{"role": "user", "content": each}], tokenize=False, add_generation_prompt=True)
        for each in read_transcripts(artifacts, "prompt")
    ]


def read_transcripts(artifacts: Path, field: str) -> Texts:
    lines = (artifacts.parent / "evaluation/warmup.jsonl").read_text().splitlines()
    return [json.loads(line)[field] for line in lines]


def gguf_file(artifacts: Path, quantisation: str) -> Path:
    return artifacts / f"gguf-{quantisation}/tiny-{quantisation.upper()}.gguf"


def answers_of_transformers(folder: Path, prompts: Texts) -> Texts:
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    kind = AutoPeftModelForCausalLM if (folder / "adapter_config.json").exists() else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32)
    answers = []
    for prompt in prompts:
        inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
        output = model.generate(**inputs, max_new_tokens=24, do_sample=False, eos_token_id=tokenizer.eos_token_id)
        answers.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return answers


def logits_of_transformers(folder: Path, prompts: Texts) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        batches = [tokenizer(each, return_tensors="pt", add_special_tokens=False)["input_ids"] for each in prompts]
        return torch.cat([model(each).logits[0].float() for each in batches]).numpy()


def answers_of_llama_cpp(file: Path, prompts: Texts) -> Texts:
    from llama_cpp import Llama

    model = Llama(str(file), n_ctx=128, n_threads=1, verbose=False)
    tokens = [model.tokenize(prompt.encode(), add_bos=False, special=True) for prompt in prompts]
    return [model(each, max_tokens=24, temperature=0)["choices"][0]["text"] for each in tokens]


def logits_of_llama_cpp(file: Path, prompts: Texts) -> Any:
    from llama_cpp import Llama

    model = Llama(str(file), n_ctx=128, n_threads=1, logits_all=True, verbose=False)
    rows = []
    for prompt in prompts:
        model.reset()
        tokens = model.tokenize(prompt.encode(), add_bos=False, special=True)
        model.eval(tokens)
        rows.append(model.scores[: len(tokens)].copy())
    return np.concatenate(rows)


@pytest.mark.parametrize("kind", EXACT)
def test_exported_model_answers_as_the_one_in_memory(artifacts: Path, prompts: Texts, kind: str) -> None:
    quantisation = kind.partition(":")[2]
    if quantisation:
        answers = answers_of_llama_cpp(gguf_file(artifacts, quantisation), prompts)
    else:
        answers = answers_of_transformers(artifacts / kind, prompts)
    assert answers == read_transcripts(artifacts, "completion")


def test_four_bits_keep_the_logits(artifacts: Path, prompts: Texts) -> None:
    exact, quantised = (logits_of_transformers(artifacts / kind, prompts) for kind in ("merged16bit", "merged4bit"))
    correlation = np.corrcoef(exact.ravel(), quantised.ravel())[0, 1]
    print(f"NF4: {correlation:.5f}")
    assert correlation > CORRELATION["q4"]


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_every_quantisation_keeps_the_logits(
    artifacts: Path, prompts: Texts, quantisation: str, tmp_path: Path
) -> None:

    target = tmp_path / "quantised.gguf"
    converters.run("quantise", gguf_file(artifacts, "bf16"), target, quantisation, interruption=unmoved())
    exact, quantised = (logits_of_llama_cpp(file, prompts) for file in (gguf_file(artifacts, "bf16"), target))
    correlation = np.corrcoef(exact.ravel(), quantised.ravel())[0, 1]
    print(f"{quantisation}: {correlation:.5f}, {target.stat().st_size} bytes")
    assert correlation > CORRELATION.get(quantisation.partition("_")[0], 0.999)


def test_gguf_has_the_tokenizer_of_the_model(artifacts: Path, prompts: Texts) -> None:
    from llama_cpp import Llama
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(artifacts / "merged16bit")
    model = Llama(str(gguf_file(artifacts, "bf16")), vocab_only=True, verbose=False)
    for text in [*prompts, "Ünïcode, it's 3.14\n\n  two  spaces\t<answer>12</answer><|im_end|>"]:
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert model.tokenize(text.encode(), add_bos=False, special=True) == expected
    assert model.metadata["tokenizer.chat_template"] == tokenizer.chat_template
    assert model.token_eos() == tokenizer.eos_token_id


def test_four_bits_are_smaller(export: Export) -> None:
    import torch
    from safetensors.torch import load_file

    artifacts = {each.kind: each for each in export[1].progress.artifacts}  # type: ignore[union-attr]
    weights = load_file(Path(artifacts["merged4bit"].path) / "model.safetensors")
    assert weights["model.layers.0.mlp.up_proj.weight"].dtype == torch.uint8
    assert artifacts["merged4bit"].bytes < artifacts["merged16bit"].bytes
    assert artifacts["gguf:q4_k_m"].bytes < artifacts["gguf:q8_0"].bytes < artifacts["gguf:bf16"].bytes


def test_artifacts_are_reported_as_they_are(export: Export) -> None:
    run, outcome, _ = export
    reported = (outcome.progress and outcome.progress.artifacts) or []
    assert [each.kind for each in reported] == FORMATS
    for artifact in reported:
        path = Path(artifact.path)
        assert describe(artifact.kind, path) == artifact
        assert artifact.bytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert not (run / "conversion").exists()


def test_programs_of_the_card_run(artifacts: Path) -> None:
    """Each program of the card is run as it stands, and the ones for exact forms print the same answer."""
    card = (artifacts.parent / "README.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(programs) == 4
    answers = [
        subprocess.run(
            [sys.executable, "-c", program], cwd=artifacts.parent, capture_output=True, text=True, check=True
        ).stdout.strip()
        for program in programs
    ]
    lora, merged, nf4, gguf = answers
    assert lora
    assert lora == merged == gguf
    assert nf4
    assert lora in [each.strip() for each in read_transcripts(artifacts, "completion")]


def test_hashes_of_the_card_are_found_with_its_command(export: Export) -> None:
    run, outcome, _ = export
    card = (run / "README.md").read_text()
    command = re.findall(r"```sh\n(.*?)\n```", card, re.DOTALL)[0]
    for artifact in (outcome.progress and outcome.progress.artifacts) or []:
        found = subprocess.run(["sh", "-c", command], cwd=artifact.path, capture_output=True, text=True, check=True)
        assert found.stdout.split()[0] == artifact.sha256
        assert artifact.sha256 in card


def test_model_that_was_trained_quantised_is_merged_into_its_16_bits(wide_model: Path, tmp_path: Path) -> None:
    """The merged weights are the base's own and the adapter's, without the rounding to 4 bits of the training."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    from reasoning_trainer.backends.transformers import TransformersBackend

    quantised = AutoModelForCausalLM.from_pretrained(
        wide_model, quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    )
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["up_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    model = get_peft_model(quantised, config)
    layer = model.get_base_model().model.layers[0].mlp.up_proj
    change = (layer.lora_B["default"].weight @ layer.lora_A["default"].weight).detach().float() * 2
    TransformersBackend().save_merged(model, AutoTokenizer.from_pretrained(wide_model), tmp_path / "merged")
    base, merged = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).model.layers[0].mlp.up_proj.weight
        for folder in (wide_model, tmp_path / "merged")
    )
    assert change.abs().mean() > 1e-3
    torch.testing.assert_close(merged, base + change, rtol=2**-8, atol=1e-5)


def test_adapter_names_a_base_on_the_hub(artifacts: Path, tmp_path: Path) -> None:
    from reasoning_trainer.stages.export import name_base

    path = tmp_path / "adapter_config.json"
    path.write_bytes((artifacts / "lora/adapter_config.json").read_bytes())
    name_base(path, "Qwen/Qwen3-4B-Base", "abc123")
    before, after = (json.loads(each.read_text()) for each in (artifacts / "lora/adapter_config.json", path))
    assert after == before | {"base_model_name_or_path": "Qwen/Qwen3-4B-Base", "revision": "abc123"}


def test_next_attempt_writes_only_what_is_missing(
    export: Export, artifacts: Path, train_in: Callable[[Path, Path], Outcome], tmp_path: Path
) -> None:
    """GGUF is made again from the merged model that is there, and nothing else is touched."""
    run = copytree(artifacts.parent, tmp_path / "run")
    rmtree(run / "artifacts/gguf-q8_0")
    times = {path: path.stat().st_mtime_ns for path in (run / "artifacts").rglob("*")}
    outcome = train_in(export[2], run)
    assert outcome.exit_code == ExitCode.DONE, outcome
    assert times.items() <= {path: path.stat().st_mtime_ns for path in (run / "artifacts").rglob("*")}.items()
    before = {each.kind: each.sha256 for each in (export[1].progress and export[1].progress.artifacts) or []}
    after = {each.kind: each.sha256 for each in (outcome.progress and outcome.progress.artifacts) or []}
    assert after == before


def unmoved() -> Interruption:
    return Interruption(lambda: None)


def test_converter_ends_with_the_trainer(artifacts: Path, tmp_path: Path) -> None:
    interruption, before = unmoved(), signal.getsignal(signal.SIGTERM)
    interruption.install()
    signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
    with pytest.raises(TrainerError) as error:
        converters.run("nf4", artifacts / "merged16bit", tmp_path / "nf4", "no", interruption=interruption)
    assert error.value.exit_code == ExitCode.INTERRUPTED
    assert not (tmp_path / "nf4").exists()


def test_failure_of_a_converter_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"nowhere\.gguf"):
        converters.run("quantise", "nowhere.gguf", tmp_path / "out.gguf", "q8_0", interruption=unmoved())


@pytest.mark.parametrize(
    ("change", "words"),
    [("architecture", "OpenAIGPTLMHeadModel"), ("tokenizer", "pre-tokenizer was not recognized")],
)
def test_model_that_llama_cpp_does_not_know_is_refused_before_training(
    write_manifest: Callable[..., Path],
    train_in: Callable[[Path, Path], Outcome],
    tmp_path: Path,
    tiny_model: Path,
    change: str,
    words: str,
) -> None:
    model = copytree(tiny_model, tmp_path / "model")
    if change == "architecture":
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.for_model("openai-gpt", vocab_size=300, n_embd=64, n_layer=1, n_head=4, n_positions=128)
        AutoModelForCausalLM.from_config(config).save_pretrained(model)
    else:
        document = json.loads((model / "tokenizer.json").read_text())
        document["pre_tokenizer"] = {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, document["pre_tokenizer"]],
        }
        (model / "tokenizer.json").write_text(json.dumps(document))
    job = write_manifest(
        tmp_path,
        model={"source": f"file://{model}", "maxSequenceLength": 128},
        export={"formats": ["lora", "gguf:q4_k_m"]},
    )
    outcome = train_in(job, tmp_path / "run")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.NOT_SUPPORTED, "NotSupported"), outcome
    assert words in outcome.message
    assert "merged16bit" in outcome.hint
    assert not (tmp_path / "run/warmup").exists()
    with Display() as display:
        found = check(Options(job), display)
    assert (found.exit_code, found.message) == (outcome.exit_code, outcome.message)
