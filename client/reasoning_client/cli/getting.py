"""Commands that bring things here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Context, Format, Image, Name, Namespace, Output
from .printing import emit, say, table

app = typer.Typer()


@app.command()
def download(
    name: Name,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help="Kinds such as lora or gguf:q4_k_m; all that were written when left out.", show_default=False
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to; one of the job's name when left out.", show_default=False)
    ] = None,
    namespace: Namespace = None,
    only: Annotated[bool, typer.Option("--only", help="Leave out card, report, scores and transcripts.")] = False,
    image: Image = None,
    context: Context = None,
) -> None:
    """Bring adapter, models, card, report and samples out of the claim, checksums compared.

    A pod that trains is asked; where none runs, a short-lived pod mounts the claim, which takes the rights of the role
    edit. What was cut off goes on when the same command runs again. What differs from what the run wrote is removed,
    and the exit code is 8.

    Examples:

        rtj download gsm8k

        rtj download gsm8k lora --only --to ./adapter
    """
    from reasoning_shared.job_view import read_status

    from .. import download as fetching
    from ..kube import Cluster
    from ..volume import run_files
    from .progress import telling

    cluster = Cluster.connect(namespace, context)
    document = cluster.job(name)
    beside = () if only else fetching.BESIDE
    what = fetching.wanted(read_status(document).artifacts or [], kinds or [], beside)
    target = to or Path(name)
    with run_files(cluster, document, image, say) as files, telling() as tell:
        found = fetching.download(files, what, target, tell)
    for each in what:
        if each.artifact:
            print(f"{target / each.name}  sha256 {each.artifact.sha256} as the status says")
    print(f"{len(found)} files in {target}")


@app.command()
def version(namespace: Namespace = None, output: Format = Output.table, context: Context = None) -> None:
    """Tell the versions of client, operator and CRD, and whether they fit.

    Examples:

        kubectl rtj version
    """
    from ..errors import ClientError, Exit
    from ..versions import compare, look

    try:
        from ..kube import Cluster

        found = look(Cluster.connect(namespace, context))
    except ClientError as error:
        if error.code not in (Exit.NO_CLUSTER, Exit.NOT_INSTALLED):
            raise
        found = None
        say(str(error))
    parts = compare(found)
    if output != Output.table:
        emit({part.name: {"version": part.version, "fits": part.fits, "note": part.note} for part in parts}, output)
    else:
        words = {True: "fits", False: "DOES NOT FIT", None: "unknown"}
        table(("PART", "VERSION", "", "NOTE"), [(p.name, p.version, words[p.fits], p.note) for p in parts])
    if any(part.fits is False for part in parts):
        raise typer.Exit(1)
