"""Commands about manifests: they need no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Claims, ConfigMaps, Format, Manifest, Output
from .printing import emit, table

app = typer.Typer()


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Manifests; - is the standard input.", show_default=False)],
    output: Format = Output.table,
) -> None:
    """Hold manifests to the contract's rules, without a cluster; the exit code is 64 if one is not valid.

    What the API server would refuse and what this version does not run is named, field by field. `rtj apply --dry-run`
    asks the API server itself, and `python -m reasoning_trainer check` looks at the rows and the model.

    Examples:

        rtj validate examples/*.yaml

        helm template . | rtj validate -
    """
    from .. import manifest

    results: list[dict[str, Any]] = []
    for file in files:
        name = "the standard input" if str(file) == "-" else str(file)
        for job in manifest.jobs_in(manifest.read(file), name):
            found = manifest.wrong(job)
            faults = [{"field": fault.field, "message": fault.message} for fault in found]
            results.append({"file": name, "name": (job.get("metadata") or {}).get("name"), "faults": faults})
    if output != Output.table:
        emit(results, output)
    for result in results if output == Output.table else ():
        print(f"{result['file']}: {result['name']}: {'not valid' if result['faults'] else 'valid'}")
        for fault in result["faults"]:
            print(f"  {fault['field']}: {fault['message']}")
    if any(result["faults"] for result in results):
        raise typer.Exit(64)


@app.command("try-rewards")
def try_rewards(
    file: Manifest,
    completions: Annotated[
        Path | None,
        typer.Option(
            help="Completions to score: JSONL with a column completion, or one in a .txt.", show_default=False
        ),
    ] = None,
    configmaps: ConfigMaps = None,
    claims: Claims = None,
) -> None:
    """Score worked, wrong and empty answers, or completions of yours, by the manifest's rewards, without a model.

    Examples:

        rtj try-rewards job.yaml

        rtj try-rewards job.yaml --completions pasted.jsonl
    """
    from reasoning_contract.spec import Spec

    from .. import local, manifest

    for job in manifest.jobs_in(manifest.read(file), str(file)):
        manifest.refuse(job, str(file))
        local.require("try-rewards", local.trying(Spec.model_validate(job["spec"]).data))
    given = _given(("--completions", completions), ("--configmaps", configmaps), ("--claims", claims))
    raise typer.Exit(local.trainer("try-rewards", file, *given))


@app.command()
def estimate(
    file: Manifest,
    step_seconds: Annotated[
        float | None, typer.Option(help="Seconds of a step, from a job like it.", show_default=False, min=0)
    ] = None,
    price: Annotated[float | None, typer.Option(help="Price of a GPU-hour.", show_default=False, min=0)] = None,
    model_config: Annotated[
        Path | None,
        typer.Option(help="The model's config.json; read from the Hub when left out.", exists=True, show_default=False),
    ] = None,
    output: Format = Output.table,
) -> None:
    """Estimate what a job takes: memory of a GPU, steps, completions, hours and price.

    Memory is counted from the model's config.json, as docs/gpu.md describes; hours need the seconds of a step, which no
    manifest tells.

    Examples:

        rtj estimate job.yaml

        rtj estimate job.yaml --step-seconds 12 --price 2.5
    """
    import json
    import os

    from reasoning_contract.spec import Spec

    from .. import estimating, local, manifest

    document = manifest.jobs_in(manifest.read(file), str(file))[0]
    manifest.refuse(document, str(file))
    spec = Spec.model_validate(document["spec"])
    found = estimating.figures(spec, step_seconds, price)
    if model_config is not None:
        config = json.loads(model_config.read_text("utf-8"))
    else:
        config = local.model_config(spec.model.source, spec.model.revision, os.environ.get("HF_TOKEN"))
    fits = local.memory(spec, config) if config else ["not known: give --model-config"]
    found |= {f"memory {number}" if number else "memory": text for number, text in enumerate(fits)}
    if not fits:
        found["memory"] = "no single GPU to estimate: the job runs on the CPU or on several"
    if output != Output.table:
        emit(found, output)
    else:
        table(("FIGURE", "ESTIMATE"), found.items())


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="Manifest.", exists=True, dir_okay=False, show_default=False)],
    here: Annotated[bool, typer.Option("--local", help="Run it on this machine; the only place so far.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Folder of the run; one begun there goes on.")] = Path("run"),
    port: Annotated[
        int | None, typer.Option(help="Serve /progress, /report and /metrics on this port.", show_default=False)
    ] = None,
    configmaps: ConfigMaps = None,
    claims: Claims = None,
) -> None:
    """Train by a manifest on this machine, as the pod would; the exit codes are the pod's.

    Examples:

        rtj run --local examples/algorithms/grpo.yaml --claims .state/claims
    """
    from .. import local, manifest

    if not here:
        raise typer.BadParameter("say --local to train on this machine; rtj apply sends it to the cluster")
    for job in manifest.jobs_in(manifest.read(file), str(file)):
        manifest.refuse(job, str(file))
    local.require("run --local", local.LIBRARIES)
    given = _given(("--port", port), ("--configmaps", configmaps), ("--claims", claims))
    raise typer.Exit(local.trainer("run", file, "--output", folder, *given))


def _given(*options: tuple[str, Any]) -> list[str]:
    return [str(word) for name, value in options if value is not None for word in (name, value)]


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("job.yaml"),
    name: Annotated[str, typer.Option(help="Name of the job.")] = "my-job",
    model: Annotated[
        str, typer.Option(prompt="Model (repository of the Hub, or pvc://claim/path)", help="The model.")
    ] = "Qwen/Qwen3-4B-Base",
    data: Annotated[
        str, typer.Option(prompt="Data (repository of the Hub, or pvc://claim/rows.jsonl)", help="The rows.")
    ] = "openai/gsm8k",
    kind: Annotated[
        str,
        typer.Option(
            prompt="How answers are judged (math, multiple-choice, code, preferences)", help="How answers are judged."
        ),
    ] = "math",
    gpus: Annotated[int, typer.Option(prompt="GPUs (0 trains on the CPU)", help="GPUs.", min=0, max=1)] = 1,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Write a first manifest, from four answers; options answer without being asked.

    Examples:

        rtj init

        rtj init job.yaml --model Qwen/Qwen3-4B-Base --data openai/gsm8k --kind math --gpus 1
    """
    from .. import initial, manifest

    document = initial.manifest_of(name, initial.Answers(model.strip(), data.strip(), kind.strip(), gpus))
    manifest.refuse(document, "what you answered")
    _write(file, manifest.dump(document), force)
    print(f"{file}: see to data.train.columns, then rtj validate {file}, rtj apply {file}")


@app.command()
def convert(
    script: Annotated[
        Path, typer.Argument(help="Script (.py) or notebook (.ipynb).", exists=True, dir_okay=False, show_default=False)
    ],
    file: Annotated[Path, typer.Argument(help="Where to write the manifest.")] = Path("job.yaml"),
    name: Annotated[
        str | None, typer.Option(help="Name of the job; the script's when left out.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model, where the script does not say.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The rows, where the script does not say.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="The script's configuration file, in YAML, as TRL's.", exists=True, show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
    output: Format = Output.table,
) -> None:
    """Make a manifest of a script or a notebook of TRL or Unsloth, by its syntax tree: nothing of it is run.

    What could not be taken over is listed with its line; the manifest is valid, and what stands in it for what the
    script does not say is told.

    Examples:

        rtj convert grpo.py

        rtj convert notebook.ipynb job.yaml --model Qwen/Qwen3-4B-Base
    """
    import re

    from .. import manifest
    from ..convert import convert as make
    from ..convert import read_script

    given = dict(manifest.read(config)[0]) if config else {}
    given |= {key: value for key, value in (("model_name_or_path", model), ("dataset_name", data)) if value}
    title = name or re.sub(r"[^a-z0-9]+", "-", script.stem.lower()).strip("-")[:50].strip("-") or "job"
    found = make(read_script(script), title, given)
    manifest.refuse(found.document, "what was made of it")
    _write(file, manifest.dump(found.document), force)
    if output != Output.table:
        emit({"taken": found.taken, "left": found.left, "notes": found.notes}, output)
        return
    print(f"{file}\n\ntaken over:")
    for path, value, place in found.taken:
        print(f"  {path}: {value}" + (f"  ({place})" if place else ""))
    print("\nnot taken over:" if found.left else "\nnothing was left out")
    for place, reason in found.left:
        print(f"  {place}: {reason}")
    print("\nto know:")
    for note in found.notes:
        print(f"  {note}")


def _write(file: Path, text: str, force: bool) -> None:
    from ..errors import ClientError, Exit

    if file.exists() and not force:
        raise ClientError(f"{file} is there already", "give another name, or --force", Exit.REFUSED)
    file.write_text(text, "utf-8")
