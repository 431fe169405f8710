"""Commands that change a job in the cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from .options import Context, Format, Manifest, Name, Namespace, Output
from .printing import emit, say

app = typer.Typer()


@app.command()
def apply(
    file: Manifest,
    namespace: Namespace = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Have it checked by the API server alone.")] = False,
    force: Annotated[bool, typer.Option(help="Take over fields that another tool has set.")] = False,
    output: Format = Output.table,
    context: Context = None,
) -> None:
    """Check a manifest and apply it on the server, ConfigMaps first.

    Examples:

        rtj apply examples/minimal.yaml && rtj watch gsm8k
    """
    from .. import manifest
    from ..kube import Cluster

    documents = manifest.read(file)
    jobs = manifest.jobs_in(documents, str(file))
    for job in jobs:
        manifest.refuse(job, str(file))
    cluster = Cluster.connect(namespace or jobs[0]["metadata"].get("namespace"), context)
    for each in documents:
        if each.get("kind") == "ConfigMap":
            cluster.apply_config_map(each, dry_run=dry_run, force=force)
    applied = [cluster.apply(job, dry_run=dry_run, force=force) for job in jobs]
    if output != Output.table:
        emit(applied, output)
        return
    for job in applied:
        print(f"{job['metadata']['name']} {'would be ' if dry_run else ''}applied in {job['metadata']['namespace']}")


@app.command()
def suspend(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Stop a job with a checkpoint; resume lets it go on from there.

    Examples:

        rtj suspend gsm8k
    """
    from ..changing import suspend as change

    _change(name, namespace, context, change(True))
    print(f"{name} stops when its checkpoint is saved: rtj resume {name} lets it go on")


@app.command()
def resume(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Let a suspended job go on from its last checkpoint.

    Examples:

        rtj resume gsm8k
    """
    from ..changing import suspend as change

    _change(name, namespace, context, change(False))
    print(f"{name} goes on")


@app.command()
def retry(name: Name, namespace: Namespace = None, context: Context = None) -> None:
    """Run a job again that failed, from its last checkpoint.

    It sets the annotation reasoning-operator.io/retry to the time; the operator sees a new value.

    Examples:

        rtj retry gsm8k
    """
    from ..changing import retry as change
    from ..errors import ClientError, Exit
    from ..kube import Cluster

    cluster = Cluster.connect(namespace, context)
    phase = (cluster.job(name).get("status") or {}).get("phase")
    if phase != "Failed":
        raise ClientError(
            f"{name} has not failed: it is {phase or 'not looked at yet'}", f"rtj why {name} says more", Exit.REFUSED
        )
    cluster.patch(name, change(datetime.now(UTC)))
    print(f"{name} was asked to run again: rtj watch {name}")


@app.command()
def cancel(
    name: Name,
    namespace: Namespace = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    context: Context = None,
) -> None:
    """End a job for good: delete it with its pods. Its claim stays if storage.retain is true, which is the default.

    Examples:

        rtj cancel gsm8k

        rtj cancel gsm8k --yes
    """
    from ..kube import Cluster

    cluster = Cluster.connect(namespace, context)
    job = cluster.job(name)
    stays = _stays(job)
    if not yes:
        say(f"{name} in {cluster.namespace} will be deleted. {stays}")
        typer.confirm("Go on?", abort=True, err=True)
    cluster.delete(name)
    print(f"{name} is deleted. {stays}")


def _stays(job: dict[str, Any]) -> str:
    claim = ((job.get("status") or {}).get("storage") or {}).get("claimName")
    storage = job["spec"].get("storage") or {}
    if not claim:
        return "It has written nothing."
    if storage.get("existingClaim") or storage.get("retain", True):
        return f"Claim {claim} stays with what was written."
    return f"Claim {claim} goes with all that was written: storage.retain is false."


def _change(name: str, namespace: str | None, context: str | None, change: dict[str, Any]) -> None:
    from ..kube import Cluster

    Cluster.connect(namespace, context).patch(name, change)
