"""Step 8, second half: what was asked for is written, hashed and described."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from reasoning_contract.report import Artifact
from reasoning_contract.spec import EXPORT_FORMATS

from ..algorithms.self_checks import Answers, as_memory_allows, ask, keep_check
from ..attempt import Attempt, Policy
from ..data.examples import Example, Splits
from ..evaluation.agreement import merged_agrees
from ..export import converters
from ..reporting.model_card import Facts, base_licence, model_card
from ..storage.run_folder import read_lines, whole_folder, write_atomic

MERGED = "merged16bit"
GGUF = "gguf:"
PROBE_QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]
"""What adapter and merged model are asked."""


def rehearse(attempt: Attempt, policy: Policy) -> None:
    """Find out before anything is trained whether the model can be written as GGUF, if a file is still to be written.

    Raises
    ------
    TrainerError
        If llama.cpp's converter does not know the architecture or the tokenizer.
    """
    missing = [name for name in attempt.spec.export.formats if not _place(attempt, name).exists()]
    if any(name.startswith(GGUF) for name in missing):
        attempt.tracker.say("trying the conversion to GGUF")
        converters.rehearse(policy.folder, policy.tokenizer, attempt.interruption)


def export(attempt: Attempt, policy: Policy, splits: Splits) -> None:
    """Write every format that is not there yet, the model card, and report them with their hashes.

    The adapter comes first: merging consumes the model in memory. All else is made from the merged model, in the
    order of `EXPORT_FORMATS`.
    """
    attempt.tracker.begin("export", "writing")
    _forget_batching(policy)
    artifacts = []
    for kind in sorted(set(attempt.spec.export.formats), key=EXPORT_FORMATS.index):
        attempt.interruption.check()
        attempt.tracker.say(f"writing {kind}")
        path = _place(attempt, kind)
        if not path.exists():
            with whole_folder(path) as folder:
                _writer(kind)(attempt, policy, folder)
                _let_all_read(folder)
        artifacts.append(describe(kind, path))
        attempt.tracker.report(artifacts=list(artifacts))
    shutil.rmtree(attempt.folder.conversion, ignore_errors=True)
    write_atomic(attempt.folder.path / "README.md", model_card(_facts(attempt, policy, splits)))
    attempt.tracker.finish("export")


def _facts(attempt: Attempt, policy: Policy, splits: Splits) -> Facts:
    prompts = [row.prompt for row in splits.held_out or splits.train if row.prompt]
    return Facts(
        job=attempt.job,
        progress=attempt.tracker.progress(),
        splits=splits,
        messages=policy.asked(Example(min(prompts, key=len, default="Hello"))),
        licence=base_licence(policy.folder),
        sample=_sample(attempt),
    )


def _sample(attempt: Attempt) -> dict[str, Any] | None:
    """Return a transcript of the last model that was evaluated: the first right one, or the first."""
    paths = [attempt.folder.evaluation / f"{stage}.jsonl" for stage in ("reinforce", "warmup")]
    transcripts = next((read_lines(path) for path in paths if path.exists()), [])
    return next((each for each in transcripts if each["right"]), transcripts[0] if transcripts else None)


def _place(attempt: Attempt, kind: str) -> Path:
    # a colon separates paths and tags elsewhere: in PATH, in docker run --volume, on the Hub
    return attempt.folder.artifacts / kind.replace(":", "-")


def _forget_batching(policy: Policy) -> None:
    """Take padding and truncation of the last batch out of what the tokenizer writes."""
    if policy.tokenizer.is_fast:
        policy.tokenizer.backend_tokenizer.no_padding()
        policy.tokenizer.backend_tokenizer.no_truncation()


def _writer(kind: str) -> Callable[[Attempt, Policy, Path], None]:
    if kind.startswith(GGUF):
        quantisation = kind.removeprefix(GGUF)
        return lambda attempt, policy, folder: _write_gguf(attempt, policy, folder, quantisation)
    return {"lora": _write_lora, MERGED: _write_merged, "merged4bit": _write_nf4}[kind]


def _write_lora(attempt: Attempt, policy: Policy, folder: Path) -> None:
    policy.backend.save_adapter(policy.model, folder)
    policy.tokenizer.save_pretrained(folder)
    source = attempt.spec.model.source
    if source.startswith("hf://"):
        name_base(folder / "adapter_config.json", source.removeprefix("hf://"), policy.revision)


def name_base(path: Path, name: str, revision: str | None) -> None:
    """Have the adapter name its base as others find it: the folder that it was loaded from is the pod's own."""
    config = json.loads(path.read_text("utf-8"))
    config |= {"base_model_name_or_path": name, "revision": revision}
    path.write_text(json.dumps(config, indent=2, sort_keys=True), "utf-8")


def _write_merged(attempt: Attempt, policy: Policy, folder: Path) -> None:
    answers: Answers | None = None
    if not _reads_back_otherwise(attempt):
        with as_memory_allows(attempt, "merged"):
            answers = ask(attempt, policy, [policy.render(PROBE_QUESTION)])
    _generate_as_evaluated(policy)
    policy.backend.save_merged(policy.model, policy.tokenizer, folder)
    # the converters, other processes, need the memory
    policy.model = None
    if answers is not None:
        attempt.tracker.say("reading the merged model back")
        # trainers that are done, each in a circle with its callbacks, still hold the model that was trained
        gc.collect()
        torch.cuda.empty_cache()
        with as_memory_allows(attempt, "merged"):
            model, _ = policy.backend.load(attempt.spec, folder)
            keep_check(attempt, merged_agrees(answers.likelihoods, answers.found_by(policy, model)))


def _reads_back_otherwise(attempt: Attempt) -> bool:
    """Whether the merged model is another one than the adapter's on its base, which lies in fewer bits, or one more
    than a process of Unsloth's holds.
    """
    return attempt.spec.backend == "unsloth" or attempt.spec.model.load_in != "16bit"


def _generate_as_evaluated(policy: Policy) -> None:
    """Give the model the ends and the greedy decoding of the evaluation, for programs that ask it for its defaults.

    A base model's end of text is not the end of a turn, and its repetition penalty would change every answer.
    """
    tokenizer, model = policy.tokenizer, policy.model.get_base_model()
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(model.config, name, getattr(tokenizer, name))
    # trainers switch it off and set the tokens above; an attempt that finds all stages finished has had no trainer
    model.config.use_cache = True


def _write_nf4(attempt: Attempt, policy: Policy, folder: Path) -> None:
    trust = "yes" if attempt.spec.model.trust_remote_code else "no"
    converters.run("nf4", _merged(attempt, policy), folder, trust, interruption=attempt.interruption)


def _write_gguf(attempt: Attempt, policy: Policy, folder: Path, quantisation: str) -> None:
    name, interruption = attempt.job.name, attempt.interruption
    converted = attempt.folder.conversion / "gguf"
    if not converted.exists():
        with whole_folder(converted) as partial:
            merged = _merged(attempt, policy)
            converters.run("gguf", "model", merged, partial / "bf16.gguf", name, interruption=interruption)
    file = folder / f"{name}-{quantisation.upper()}.gguf"
    if quantisation == "bf16":
        shutil.copyfile(converted / "bf16.gguf", file)
    else:
        converters.run("quantise", converted / "bf16.gguf", file, quantisation, interruption=interruption)


def _merged(attempt: Attempt, policy: Policy) -> Path:
    """Return the merged model in 16 bits: the artifact, or one that is made for the conversion alone."""
    artifact, aside = _place(attempt, MERGED), attempt.folder.conversion / MERGED
    if artifact.exists():
        return artifact
    if not aside.exists():
        with whole_folder(aside) as folder:
            _write_merged(attempt, policy, folder)
    return aside


def _let_all_read(folder: Path) -> None:
    """Let whoever serves the model read it: safetensors writes files that only the trainer's own user may read."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def describe(kind: str, path: Path) -> Artifact:
    """Return what lies in a folder: its size, and a hash over the hashes of its files."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = sorted(f"{_sha256(file)}  {file.relative_to(path)}\n" for file in files)
    return Artifact(
        kind=kind,
        path=str(path),
        sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        bytes=sum(file.stat().st_size for file in files),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
