"""The command line as a whole."""

from __future__ import annotations

import sys

import typer

from ..errors import ClientError, Exit
from . import changing, getting, looking, writing

HELP = """Run and watch ReasoningTrainingJobs.

The cluster is that of the kubeconfig: KUBECONFIG, --context and -n choose. A user's rights, the roles view and edit,
are enough.

Examples:

    rtj init && rtj validate job.yaml && rtj apply job.yaml

    rtj watch gsm8k

    rtj why gsm8k

    rtj download gsm8k --to ./gsm8k

Exit codes: 0 done, 2 arguments, 3 not found, 4 no cluster, 5 a right is missing, 6 not installed, 7 the job failed,
8 what was downloaded is spoilt, 9 time is over, 10 refused, 64 the manifest is not valid.
"""

app = typer.Typer(name="rtj", help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for group in (looking.app, changing.app, writing.app, getting.app):
    app.registered_commands += group.registered_commands


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        app(args=arguments, prog_name=_name())
    except ClientError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    return Exit.DONE


def _name() -> str:
    return "kubectl rtj" if sys.argv[0].endswith("kubectl-rtj") else "rtj"


def run() -> None:
    """Run the command line and end with its code."""
    sys.exit(main())
