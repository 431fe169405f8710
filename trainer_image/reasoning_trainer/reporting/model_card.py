"""The model card: what was trained, how, with what, how good it is, and how to use each file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from reasoning_contract.progress import Progress
from reasoning_contract.report import Artifact, EvaluationStatus, Score
from reasoning_contract.spec import HeldOut, Rows

from ..data.examples import Example, Splits
from ..job import Job

PACKAGES = (
    *("torch", "transformers", "trl", "peft", "accelerate", "datasets", "unsloth", "vllm"),
    *("bitsandbytes", "llama-cpp-python"),
)
TITLES = {"base": "Base model", "warmup": "After the warm-up", "reinforce": "After RL"}
KINDS = {"lora": "LoRA adapter", "merged16bit": "Merged model, bfloat16", "merged4bit": "Merged model, NF4"}
SIGNIFICANT = 0.05
"""p below which a gain is called one."""


@dataclass(frozen=True)
class Facts:
    """What a card is written from.

    Attributes
    ----------
    job
        The job, resolved.
    progress
        The last report: scores, artifacts and the base model's commit.
    splits
        The rows that were trained and evaluated on.
    messages
        A conversation that the model answers to, in the form that it was trained on.
    licence
        The base model's, as its own card names it; None if it names none.
    sample
        A transcript of the held-out evaluation; None if none was kept.
    """

    job: Job
    progress: Progress
    splits: Splits
    messages: Sequence[dict[str, str]]
    licence: str | None = None
    sample: dict[str, Any] | None = None


def base_licence(folder: Path) -> str | None:
    """Return the licence in the front matter of a model's card, or None."""
    path = folder / "README.md"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    if not text.startswith("---\n"):
        return None
    try:
        matter = yaml.safe_load(text.split("\n---", 1)[0])
    except yaml.YAMLError:
        return None  # somebody else's text: what cannot be read names no licence
    licence = matter.get("license") if isinstance(matter, dict) else None
    return licence if isinstance(licence, str) else None


def model_card(facts: Facts) -> str:
    """Return the card in Markdown, with the front matter that the Hub reads."""
    sections = {
        "Evaluation": _evaluation(facts),
        "Use": _use(facts),
        "Files": _files(facts.progress.artifacts or []),
        "Training": _training(facts),
        "Limits": _limits(facts),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\n{_front_matter(facts)}---\n\n# {facts.job.name}\n\n{_summary(facts)}\n\n{body}\n"


def _front_matter(facts: Facts) -> str:
    source = facts.job.spec.model.source
    only_lora = facts.job.spec.export.formats == ["lora"]
    matter = {
        "base_model": source.removeprefix("hf://") if source.startswith("hf://") else None,
        "license": facts.licence,
        "library_name": "peft" if only_lora else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["reasoning", "lora", *_algorithm(facts), "reasoning-operator"],
    }
    return yaml.safe_dump({key: value for key, value in matter.items() if value is not None}, sort_keys=False)


def _algorithm(facts: Facts) -> list[str]:
    algorithm = facts.job.spec.reinforce.algorithm
    return [] if algorithm == "none" else [algorithm.lower()]


def _summary(facts: Facts) -> str:
    spec, model = facts.job.spec, facts.progress.model
    revision = f" at revision `{model.revision}`" if model and model.revision else ""
    source = f"`{spec.model.source}`{revision}"
    if spec.model.source.startswith("hf://"):
        name = spec.model.source.removeprefix("hf://")
        source = f"[{name}](https://huggingface.co/{name}){revision}"
    stages = ["a supervised warm-up"] if spec.data.warmup and not spec.warmup.skip else []
    stages += [spec.reinforce.algorithm] if spec.reinforce.algorithm != "none" else []
    size = f" ({model.trainable_parameters:,} trained parameters)" if model and model.trainable_parameters else ""
    terms = (
        f"`{facts.licence}`" if facts.licence else "not named where it was loaded from; look it up before you publish"
    )
    return (
        f"{source}, trained with LoRA of rank {spec.lora.rank}{size}: {', then '.join(stages)}. "
        f"The licence of the base model, {terms}, holds for this one too."
    )


def _evaluation(facts: Facts) -> str:
    if facts.progress.evaluation is None:
        return "None was asked for: whether this model is better than its base is not known."
    text = _scores(facts.progress.evaluation)
    if facts.sample is None:
        return text
    verdicts = {True: "right", False: f"wrong; expected {facts.sample['answer']}", None: "not judged"}
    verdict = verdicts[facts.sample["right"]]
    transcript = _fenced(f"> {facts.sample['prompt']}\n\n{facts.sample['completion']}", "text")
    return f"{text}\n\nOne of the held-out answers ({verdict}):\n\n{transcript}"


def _scores(evaluation: EvaluationStatus) -> str:
    held_out = evaluation.held_out
    scores = {title: score for stage, title in TITLES.items() if (score := getattr(held_out, stage)) is not None}
    rows = {title: _figures(score) for title, score in scores.items()}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [
        f"Greedy decoding, {held_out.size} held-out rows, none of whose questions was trained on.",
        "",
        f"| Model | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
        *(f"| {title} | {' | '.join(row.get(name, '') for name in columns)} |" for title, row in rows.items()),
    ]
    if any(score.margin is not None for score in scores.values()):
        lines += ["", "Margin: log-probability of the chosen completion less that of the rejected one, in nats."]
    gains = {
        "The final model is {} the base model": (evaluation.improvement, evaluation.p_value),
        "The final model is {} the warmed-up model": (evaluation.reinforce_improvement, evaluation.reinforce_p_value),
        "By pairs preferred, the final model is {} the base model": (
            evaluation.preferred_improvement,
            evaluation.preferred_p_value,
        ),
    }
    for sentence, (gain, p) in gains.items():
        if gain is not None and p is not None:
            verdict = sentence.format("better than" if p < SIGNIFICANT else "not shown to be better than")
            lines += ["", f"{verdict}: {gain:+.3f}, one-sided exact McNemar p = {p:.2g}."]
    return "\n".join(lines)


def _figures(score: Score) -> dict[str, str]:
    """Return the figures of a model by the column that they stand in."""
    sampled = {f"pass@{k}": f"{chance:.3f}" for k, chance in (score.pass_at_k or {}).items()}
    cells = {
        "Accuracy": None if score.accuracy is None else f"{score.accuracy:.3f}",
        "95% interval (Wilson)": "{:.3f} to {:.3f}".format(*score.ci95) if score.ci95 else None,
        **sampled,
        "Pairs preferred": None if score.preferred is None else f"{score.preferred:.3f}",
        "Margin, nats": None if score.margin is None else f"{score.margin:+.3f}",
        "Format kept": f"{score.format:.3f}",
        "Mean length, tokens": f"{score.mean_length:.0f}",
    }
    return {name: text for name, text in cells.items() if text is not None}


def _use(facts: Facts) -> str:
    """Write one program a kind of file: each prints the model's answer to `facts.messages`."""
    snippets, seen = [], set()
    for artifact in facts.progress.artifacts or []:
        kind = artifact.kind.partition(":")[0]
        if kind not in seen:
            snippets.append(
                _gguf_snippet(facts, artifact) if kind == "gguf" else _transformers_snippet(facts, artifact)
            )
        seen.add(kind)
    intro = "Each program runs in the folder of this card and decodes greedily, as the evaluation did."
    return "\n\n".join([intro, *snippets])


def _transformers_snippet(facts: Facts, artifact: Artifact) -> str:
    adapter = artifact.kind == "lora"
    module, name = ("peft", "AutoPeftModelForCausalLM") if adapter else ("transformers", "AutoModelForCausalLM")
    names = "AutoTokenizer" if adapter else f"{name}, AutoTokenizer"
    return _program(
        f"{KINDS[artifact.kind]}, {_installed('transformers', *_needed(artifact.kind))}:",
        *([f"from {module} import {name}"] if adapter else []),
        f"from transformers import {names}",
        "",
        f'folder = "{_relative(artifact)}"',
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        f'model = {name}.from_pretrained(folder, device_map="auto")',
        f"messages = {_messages(facts)}",
        "inputs = tokenizer.apply_chat_template(",
        '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
        ").to(model.device)",
        "output = model.generate(",
        f"    **inputs, max_new_tokens={facts.job.spec.reinforce.max_completion_length}, do_sample=False,",
        "    eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,",
        ")",
        'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    )


def _gguf_snippet(facts: Facts, artifact: Artifact) -> str:
    spec = facts.job.spec
    quantisation = artifact.kind.partition(":")[2].upper()
    return _program(
        f"GGUF, {_installed('llama-cpp-python')}, or any other program that embeds llama.cpp:",
        "from llama_cpp import Llama",
        "",
        "model = Llama(",
        f'    "{_relative(artifact)}/{facts.job.name}-{quantisation}.gguf",',
        f"    n_ctx={spec.model.max_sequence_length}, verbose=False,",
        ")",
        f"messages = {_messages(facts)}",
        "answer = model.create_chat_completion(",
        f"    messages, max_tokens={spec.reinforce.max_completion_length}, temperature=0",
        ")",
        'print(answer["choices"][0]["message"]["content"])',
    )


def _needed(kind: str) -> tuple[str, ...]:
    return {"lora": ("peft",), "merged16bit": (), "merged4bit": ("bitsandbytes",)}[kind]


def _installed(*packages: str) -> str:
    return f"with `pip install {' '.join((*packages, *(['accelerate'] if 'transformers' in packages else [])))}`"


def _program(title: str, *lines: str) -> str:
    return f"{title}\n\n" + _fenced("\n".join(lines), "python")


def _messages(facts: Facts) -> str:
    return json.dumps(list(facts.messages), ensure_ascii=False)


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def _files(artifacts: Sequence[Artifact]) -> str:
    rows = [f"| `{_relative(each)}` | {_title(each)} | {each.bytes:,} | `{each.sha256}` |" for each in artifacts]
    check = "find . -type f -printf '%P\\0' | xargs -0 sha256sum | LC_ALL=C sort | sha256sum"
    table = ["| Folder | What | Bytes | SHA-256 |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(
        [*table, "", "The hash covers names and contents of a folder's files. In it:", "", _fenced(check, "sh")]
    )


def _title(artifact: Artifact) -> str:
    quantisation = artifact.kind.partition(":")[2]
    return f"GGUF, {quantisation.upper()}" if quantisation else KINDS[artifact.kind]


def _relative(artifact: Artifact) -> str:
    path = Path(artifact.path)
    return f"{path.parent.name}/{path.name}"


def _training(facts: Facts) -> str:
    spec = facts.job.spec
    recipe = yaml.safe_dump(spec.model_dump(by_alias=True, exclude_none=True, mode="json"), sort_keys=False)
    return "\n".join(
        [
            "| Rows | Source | Count | SHA-256 |",
            "| --- | --- | --- | --- |",
            *_data(facts),
            "",
            "The hash is over the rows as they were used, one JSON object a line.",
            "",
            "| Library | Version |",
            "| --- | --- |",
            *(f"| {name} | {number} |" for name, number in versions().items()),
            "",
            "<details><summary>The whole recipe, defaults filled in</summary>",
            "",
            _fenced(recipe.rstrip(), "yaml"),
            "",
            "</details>",
        ]
    )


def _data(facts: Facts) -> Iterator[str]:
    data, splits = facts.job.spec.data, facts.splits
    parts = (
        ("Training", data.train, splits.train),
        ("Warm-up", data.warmup, splits.warmup),
        ("Held out", data.held_out, splits.held_out),
    )
    for title, rows, examples in parts:
        if examples:
            yield f"| {title} | {_source(rows, data.train)} | {len(examples)} | `{digest(examples)}` |"


def _source(rows: Rows | HeldOut | None, train: Rows) -> str:
    if rows is None or not rows.kinds:
        return f"{_source(train, train)}, set apart"
    if rows.source is not None:
        details = [rows.config, rows.split, rows.revision]
        return " ".join(f"`{each}`" for each in (rows.source, *filter(None, details)))
    return f"reasoning-gym's `{rows.reasoning_gym.task}`" if rows.reasoning_gym else "in the job itself"


def digest(examples: Sequence[Example]) -> str:
    """Return the SHA-256 of rows as JSON lines, fields that a row lacks left out."""
    text = "".join(json.dumps(_document(each), ensure_ascii=False, sort_keys=True) + "\n" for each in examples)
    return hashlib.sha256(text.encode()).hexdigest()


def _document(example: Example) -> dict[str, Any]:
    compared = [each.name for each in fields(example) if each.compare]
    said = {name: getattr(example, name) for name in compared if getattr(example, name) is not None}
    if example.messages is not None:
        said["messages"] = [vars(message) for message in example.messages]
    return said


def _limits(facts: Facts) -> str:
    lossy = [each.kind for each in facts.progress.artifacts or [] if each.kind not in ("lora", "merged16bit")]
    lines = ["The scores are of this task and these rows; nothing else that the model can do was measured."]
    if lossy:
        lines.append(
            f"They were measured before {', '.join(f'`{kind}`' for kind in lossy)} was made of the model; "
            "what is quantised may answer differently."
        )
    return " ".join(lines)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, by name."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
