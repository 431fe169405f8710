"""Arguments that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How something is printed."""

    table = "table"
    json = "json"
    yaml = "yaml"


def _names(incomplete: str) -> list[str]:
    """Return names of jobs for the shell's completion; none where there is no cluster to ask."""
    from ..errors import ClientError
    from ..kube import Cluster

    try:
        cluster = Cluster.connect()
        names = [str(each["metadata"]["name"]) for each in cluster.jobs(cluster.namespace)]
    except ClientError:
        return []
    return [name for name in names if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="Name of the job.", autocompletion=_names, show_default=False)]
Manifest = Annotated[
    Path,
    typer.Argument(help="Manifest with the ReasoningTrainingJob.", exists=True, dir_okay=False, show_default=False),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace; the context's own when left out.", show_default=False),
]
Context = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig; the current one when left out.", show_default=False)
]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print it.")]
Image = Annotated[
    str | None,
    typer.Option(
        help="Image of the pod that reads the claim, with Python 3.11 or newer; the trainer's own when left out.",
        show_default=False,
    ),
]
ConfigMaps = Annotated[
    Path | None, typer.Option("--configmaps", help="Folder with NAME/KEY for configmap:// sources.", show_default=False)
]
Claims = Annotated[
    Path | None, typer.Option("--claims", help="Folder with CLAIM/PATH for pvc:// sources.", show_default=False)
]
