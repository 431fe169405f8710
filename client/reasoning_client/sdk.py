"""Jobs from Python: in a notebook or in a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reasoning_contract.job_status import Status
from reasoning_contract.report import Artifact
from reasoning_contract.rules import Part, faults
from reasoning_contract.spec import Spec
from reasoning_shared.job_view import JobView, read_status

from . import changing, manifest, records
from .download import BESIDE, download, wanted
from .errors import ClientError, Exit
from .following import follow
from .kube import Cluster
from .volume import run_files

if TYPE_CHECKING:
    import pandas

Json = dict[str, Any]


class JobFailedError(ClientError):
    """The job that was waited for failed.

    Attributes
    ----------
    status
        How it ended.
    """

    def __init__(self, name: str, status: Status) -> None:
        failure = status.failure
        message = f"{name} failed: {failure.reason}: {failure.message}" if failure else f"{name} failed"
        super().__init__(message, failure.hint if failure else "", Exit.JOB_FAILED)
        self.status = status


class Job:
    """A ReasoningTrainingJob: written here, applied to a cluster and followed there.

    >>> job = Job("gsm8k", model={"source": "hf://Qwen/Qwen3-4B-Base"},
    ...           data={"train": {"source": "hf://openai/gsm8k", "config": "main"}, "heldOut": {"split": "test"}},
    ...           rewards=[{"name": "correct", "builtin": "correctness"}])
    >>> job.spec.reinforce.algorithm
    'GRPO'

    Parameters
    ----------
    name
        Its name.
    namespace
        Its namespace; that of the kubeconfig's context when None.
    context
        Context of the kubeconfig; the current one when None.
    beside
        Objects that are applied with it: ConfigMaps that its sources name.
    **parts
        Parts of the spec, by their names in Python or in YAML: models of `reasoning_contract.spec`, or dictionaries.

    Raises
    ------
    ClientError
        If the spec is not valid: every wrong field is named.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str | None = None,
        context: str | None = None,
        beside: Sequence[Json] = (),
        **parts: Part | Sequence[Any] | Mapping[str, Any] | str | bool,
    ) -> None:
        try:
            self.spec = Spec.model_validate(parts)
        except ValidationError as error:
            problems = "\n".join(f"  {fault}" for fault in faults(error, "spec"))
            raise ClientError(f"{name} is not valid:\n{problems}", "mend the fields named", Exit.INVALID) from None
        self.name = name
        self.namespace = namespace
        self.beside = list(beside)
        self._context = context
        self._cluster: Cluster | None = None
        manifest.refuse(self.document, name)

    @classmethod
    def from_yaml(cls, source: str | Path, *, namespace: str | None = None, context: str | None = None) -> Job:
        """Return the job of a manifest: of a file, or of the text of one.

        Raises
        ------
        ClientError
            If it cannot be read, is not valid or has not exactly one job.
        """
        documents = manifest.read(source)
        jobs = manifest.jobs_in(documents, "the manifest")
        if len(jobs) > 1:
            raise ClientError(f"the manifest holds {len(jobs)} jobs", "give one at a time", Exit.INVALID)
        manifest.refuse(jobs[0], "the manifest")
        meta = jobs[0]["metadata"]
        beside = [each for each in documents if each.get("kind") == "ConfigMap"]
        where = namespace or meta.get("namespace")
        return cls(meta["name"], namespace=where, context=context, beside=beside, **jobs[0]["spec"])

    @classmethod
    def get(cls, name: str, *, namespace: str | None = None, context: str | None = None) -> Job:
        """Return a job that is in the cluster."""
        cluster = Cluster.connect(namespace, context)
        document = cluster.job(name)
        job = cls(name, namespace=cluster.namespace, context=context, **document["spec"])
        job._cluster = cluster
        return job

    @property
    def document(self) -> Json:
        """The object, as it is applied: what was left open stays open."""
        given = self.spec.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, mode="json")
        return manifest.document_of(self.name, given, self.namespace)

    def to_yaml(self) -> str:
        """Return its manifest."""
        return "---\n".join(manifest.dump(each) for each in [self.document, *self.beside])

    @property
    def cluster(self) -> Cluster:
        """The cluster that it is in, or is applied to."""
        if self._cluster is None:
            self._cluster = Cluster.connect(self.namespace, self._context)
            self.namespace = self._cluster.namespace
        return self._cluster

    def apply(self, *, dry_run: bool = False, force: bool = False) -> Job:
        """Apply it to the cluster, as `kubectl apply --server-side` does, ConfigMaps first.

        Parameters
        ----------
        dry_run
            Have it checked by the API server, and change nothing.
        force
            Take over fields that another tool has set.
        """
        for each in self.beside:
            self.cluster.apply_config_map(each, dry_run=dry_run, force=force)
        self.cluster.apply(self.document, dry_run=dry_run, force=force)
        return self

    @property
    def live(self) -> Json:
        """The object as the cluster has it now."""
        return self.cluster.job(self.name)

    @property
    def status(self) -> Status:
        """Its status now."""
        return read_status(self.live)

    def wait(self, *, timeout: float | None = None) -> Status:
        """Wait until it has ended and return its status.

        Parameters
        ----------
        timeout
            Seconds to wait at most; without end when None.

        Raises
        ------
        JobFailedError
            If it failed.
        ClientError
            If the time is over.
        """
        status = Status()
        for document in self.follow(timeout):
            status = read_status(document)
        return self._ended(status)

    def watch(self, *, timeout: float | None = None) -> Status:
        """Show it live, in a terminal or a notebook, until it has ended, and return its status as `wait` does."""
        from .drawing import live

        view = JobView(lambda: datetime.now(UTC))
        documents = self.follow(timeout)
        view.take(next(documents))
        with live(view) as draw_anew:
            draw_anew()
            for document in documents:
                view.take(document)
                draw_anew()
        return self._ended(read_status(view.document))

    def _ended(self, status: Status) -> Status:
        if status.phase == "Failed":
            raise JobFailedError(self.name, status)
        return status

    def follow(self, timeout: float | None = None) -> Iterator[Json]:
        """Yield the object now and whenever it changes, until it has ended.

        Raises
        ------
        ClientError
            If the time is over.
        """
        yield from follow(self.cluster, self.name, timeout)

    def suspend(self) -> None:
        """Stop it with a checkpoint, until it is resumed."""
        self.cluster.patch(self.name, changing.suspend(True))

    def resume(self) -> None:
        """Let it go on."""
        self.cluster.patch(self.name, changing.suspend(False))

    def retry(self) -> None:
        """Ask the operator to run it again after it failed."""
        self.cluster.patch(self.name, changing.retry(datetime.now(UTC)))

    def delete(self) -> None:
        """Delete it, and its pods with it."""
        self.cluster.delete(self.name)

    def history(self, stage: str | None = None) -> pandas.DataFrame:
        """Return the metrics of every step, of stages that are finished and of the last checkpoint of one that runs.

        Parameters
        ----------
        stage
            ``warmup`` or ``reinforce``; both when None.

        Returns
        -------
        pandas.DataFrame
            A row a step, with the columns stage and step, and those that TRL logs.
        """
        frame = _pandas().DataFrame
        with run_files(self.cluster, self.live, say=_nothing) as files:
            return frame(records.history(files, stage))

    def samples(self, model: str | None = None) -> pandas.DataFrame:
        """Return transcripts of the held-out evaluation.

        Parameters
        ----------
        model
            ``base``, ``warmup`` or ``reinforce``; all when None.
        """
        frame = _pandas().DataFrame
        with run_files(self.cluster, self.live, say=_nothing) as files:
            return frame(records.samples(files, model))

    @property
    def artifacts(self) -> Artifacts:
        """What it wrote."""
        return Artifacts(self)

    def _repr_html_(self) -> str:
        """Draw it in a notebook: the job as the cluster has it, or its manifest where there is none."""
        from .drawing import as_html

        return as_html(self._view())

    def _view(self) -> Any:
        from rich.text import Text

        try:
            view = JobView(lambda: datetime.now(UTC))
            view.take(self.live)
        except ClientError:
            return Text(self.to_yaml())  # no colours: they would need a background, and pages are light or dark
        return view

    def __repr__(self) -> str:
        return f"Job({self.name!r}, namespace={self.namespace!r})"


class Artifacts:
    """What a job wrote.

    Parameters
    ----------
    job
        The job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def all(self) -> Sequence[Artifact]:
        """Return what the status names."""
        return self._job.status.artifacts or []

    def download(
        self, target: str | Path, *kinds: str, image: str | None = None, beside: Sequence[str] = BESIDE
    ) -> list[Path]:
        """Bring artifacts here, compare their checksums with the status, and return the files.

        Parameters
        ----------
        target
            Folder to write to.
        *kinds
            Such as ``lora`` or ``gguf:q4_k_m``; all when there are none.
        image
            Image of the pod that reads the claim; the trainer's when None.
        beside
            What else is brought from the run's folder.
        """
        what = wanted(self.all(), kinds, beside)
        with run_files(self._job.cluster, self._job.live, image, _nothing) as files:
            return download(files, what, Path(target), lambda name, here, size: None)


def _nothing(text: str) -> None:
    """Say nothing: a program has no terminal."""


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ClientError("pandas is not installed", "pip install pandas, or use reasoning_client.records") from None
    return pandas
