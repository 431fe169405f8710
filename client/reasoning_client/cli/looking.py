"""Commands that look: they change nothing but for a short-lived pod that reads a claim."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Context, Format, Image, Name, Namespace, Output
from .printing import emit, say, table

app = typer.Typer()
COLUMNS = ("NAME", "PHASE", "STAGE", "PROGRESS", "ETA", "REWARD", "BASE", "FINAL", "PROBLEM", "AGE")
SPARE = ("BASE", "REWARD", "ETA", "STAGE", "AGE", "FINAL")
"""What a narrow terminal does without, the first one first."""


@app.command("list")
def list_jobs(
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
    output: Format = Output.table,
    context: Context = None,
) -> None:
    """List jobs with phase, progress, reward and held-out accuracy.

    Examples:

        rtj list

        rtj list -A -o json | jq '.[].status.phase'
    """
    from ..kube import Cluster

    cluster = Cluster.connect(namespace, context)
    jobs = cluster.jobs(None if everywhere else cluster.namespace)
    if output != Output.table:
        emit(jobs, output)
        return
    if not jobs:
        say("no jobs in any namespace" if everywhere else f"no jobs in namespace {cluster.namespace}")
        return
    columns = ("NAMESPACE", *COLUMNS) if everywhere else COLUMNS
    rows = [([job["metadata"]["namespace"]] if everywhere else []) + _row(job) for job in jobs]
    table(columns, rows, columns.index("PROBLEM"), SPARE)


def _row(job: dict[str, Any]) -> list[str]:
    from reasoning_shared.job_view import read_status, seconds_since
    from reasoning_shared.words import duration

    status = read_status(job)
    progress, training, evaluation = status.progress, status.training, status.evaluation
    base = evaluation.held_out.base if evaluation else None
    age = seconds_since(job["metadata"].get("creationTimestamp"), None, datetime.now(UTC))
    return [
        job["metadata"]["name"],
        status.phase or "",
        (status.stage or "") if status.phase == "Running" else "",
        progress.display if progress else "",
        (progress.eta or "") if progress and status.phase == "Running" else "",
        _figure(training.reward if training else None),
        _figure(base.accuracy if base else None),
        _figure(evaluation.final_accuracy if evaluation else None),
        status.failure.reason if status.failure else "",
        duration(age),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


@app.command()
def watch(
    name: Name,
    namespace: Namespace = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds to watch at most.", show_default=False)] = None,
    context: Context = None,
) -> None:
    """Watch a job live until it has ended; the exit code is 7 if it failed.

    On a terminal it is drawn anew with each change, elsewhere each change is a line. Ctrl-C ends the
    watching, not the job.

    Examples:

        rtj watch gsm8k

        rtj watch gsm8k --timeout 3600 > run.log
    """
    from rich.console import Console

    from reasoning_shared.job_view import JobView, line

    from ..following import follow
    from ..kube import Cluster

    console = Console(highlight=False)
    cluster = Cluster.connect(namespace, context)
    view = JobView(lambda: datetime.now(UTC))
    if console.is_terminal:
        from rich.live import Live

        documents = follow(cluster, name, timeout)
        view.take(next(documents))
        with Live(view, console=console, refresh_per_second=4):
            for document in documents:
                view.take(document)
    else:
        said = ""
        for document in follow(cluster, name, timeout):
            view.take(document)
            if (now := line(document)) != said:
                console.print(now, soft_wrap=True, markup=False)
                said = now
    if (view.document.get("status") or {}).get("phase") == "Failed":
        raise typer.Exit(7)


@app.command()
def logs(
    name: Name,
    namespace: Namespace = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only so many last lines.", show_default=False)] = None,
    previous: Annotated[bool, typer.Option(help="Of the attempt before the last.")] = False,
    box: Annotated[bool, typer.Option(help="Of the container that runs Python rewards.")] = False,
    preflight: Annotated[bool, typer.Option(help="Of the check before the training.")] = False,
    context: Context = None,
) -> None:
    """Print the log of the job's newest pod.

    Examples:

        rtj logs gsm8k -f

        rtj logs gsm8k --previous --tail 50
    """
    import sys

    from ..kube import Cluster
    from ..pods import choose, log

    cluster = Cluster.connect(namespace, context)
    document = cluster.job(name)
    pod = choose(cluster, document, previous=previous, preflight=preflight)
    for piece in log(cluster, pod, box=box, follow=follow, tail=tail):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@app.command()
def why(name: Name, namespace: Namespace = None, output: Format = Output.table, context: Context = None) -> None:
    """Say in words why a job is as it is, and what to do.

    Examples:

        rtj why gsm8k
    """
    from dataclasses import asdict

    from ..kube import Cluster
    from ..why import diagnose

    document = Cluster.connect(namespace, context).job(name)
    found = diagnose(document, datetime.now(UTC))
    if output != Output.table:
        emit([asdict(reason) for reason in found], output)
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    signs = {"error": ("✗", "red"), "warning": ("!", "yellow"), "note": ("·", "cyan"), "ok": ("✓", "green")}
    phase = (document.get("status") or {}).get("phase") or "not looked at yet"
    console.print(Text.assemble((name, "bold"), f": {phase}"))
    for reason in found:
        sign, color = signs[reason.level]
        console.print(Text.assemble((f"{sign} ", color), (reason.what, "bold")))
        for label, text in (("why", reason.why), ("fix", reason.fix)):
            if text:
                console.print(Padding(Text.assemble((f"{label}: ", "dim"), text), (0, 0, 0, 2)))


@app.command()
def report(
    name: Name,
    namespace: Namespace = None,
    file: Annotated[
        Path | None, typer.Option(help="Where to write it; NAME-report.html when left out.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
    image: Image = None,
    context: Context = None,
) -> None:
    """Bring the report here and open it: from the pod that runs, else by a short-lived pod that reads the claim.

    Examples:

        rtj report gsm8k

        rtj report gsm8k --no-open --file report.html
    """
    from ..kube import Cluster
    from ..volume import run_files

    cluster = Cluster.connect(namespace, context)
    path = file or Path(f"{name}-report.html")
    with run_files(cluster, cluster.job(name), image, say) as files:
        path.write_text(files.text("report.html"), "utf-8")
    print(path)
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


@app.command()
def samples(
    name: Name,
    namespace: Namespace = None,
    model: Annotated[
        str | None, typer.Option(help="base, warmup or reinforce; all when left out.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", "-c", help="How many of each model.", min=1)] = 3,
    wrong: Annotated[bool, typer.Option(help="Only those that were not right.")] = False,
    output: Format = Output.table,
    image: Image = None,
    context: Context = None,
) -> None:
    """Show what the models wrote for held-out rows.

    Examples:

        rtj samples gsm8k --model reinforce --wrong

        rtj samples gsm8k -c 100 -o json > samples.json
    """
    from ..drawing import draw_samples
    from ..kube import Cluster
    from ..records import samples as read
    from ..volume import run_files

    cluster = Cluster.connect(namespace, context)
    with run_files(cluster, cluster.job(name), image, say) as files:
        found = [each for each in read(files, model) if not (wrong and each.get("right"))]
    models = dict.fromkeys(each["model"] for each in found)
    chosen = [each for one in models for each in [each for each in found if each["model"] == one][:count]]
    if output != Output.table:
        emit(chosen, output)
    elif chosen:
        draw_samples(chosen)
    else:
        say("no such samples")


@app.command()
def compare(
    first: Name,
    second: Name,
    namespace: Namespace = None,
    output: Format = Output.table,
    context: Context = None,
) -> None:
    """Compare two jobs: held-out figures, whether the second is better, and which fields of the spec differ.

    Examples:

        rtj compare gsm8k gsm8k-dapo
    """
    from .. import comparing
    from ..kube import Cluster

    cluster = Cluster.connect(namespace, context)
    both = (cluster.job(first), cluster.job(second))
    figures, changes, verdict = comparing.figures(*both), comparing.spec_changes(*both), comparing.judged(*both)
    if output != Output.table:
        parts = {"figures": figures, "spec": changes}
        emit({"verdict": verdict} | {key: [list(row) for row in rows] for key, rows in parts.items()}, output)
        return
    table(("FIGURE", first, second), figures)
    print(f"\n{verdict}\n")
    if changes:
        table(("SPEC", first, second), changes)
    else:
        print("Their specs are the same.")
