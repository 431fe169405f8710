"""How an attempt ends: its termination message.

The message travels in the container's status, which the kubelet carries even when nobody was listening. Kubernetes
cuts it at 4,096 bytes, so it is shortened here, part by part, to what must be known.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from .finding import Finding
from .problem import Problem
from .progress import Progress

MESSAGE_LIMIT = 4096
"""Bytes that Kubernetes keeps of a termination message."""
_TEXT_LIMIT = 700
"""Bytes that are kept of a failure's message and of its hint, each, when the whole does not fit."""
_FINDING_LIMIT = 200
"""The same of a finding's texts."""


class Outcome(Problem):
    """The last word of an attempt; of one without a problem, its reason is Completed."""

    exit_code: int
    """Exit code of the process."""
    progress: Progress | None = None
    """The last report; None where it would not fit."""
    findings: list[Finding] = []
    """Of a preflight: what it found beside what is well, errors first; the last of them are left out if need be."""

    def to_termination_message(self) -> str:
        """Return the JSON of this outcome in at most `MESSAGE_LIMIT` bytes of UTF-8.

        The ends of the texts go first, then sub-figures, artifacts and the report, or the last findings: reason and
        exit code stay.
        """
        for candidate in self._shorter_and_shorter():
            text = candidate.model_dump_json(by_alias=True, exclude_none=True)
            if len(text.encode()) <= MESSAGE_LIMIT:
                break
        return text

    def _shorter_and_shorter(self) -> list[Outcome]:
        brief = {"message": _cut(self.message), "hint": _cut(self.hint)}
        lean = self.progress and self.progress.model_copy(update={"training": None, "guards": None})
        bare = lean and lean.model_copy(update={"artifacts": None})
        found = [_shortened(each) for each in self.findings]
        return [
            self,
            self.model_copy(update=brief | {"findings": found}),
            self.model_copy(update=brief | {"findings": found, "progress": lean}),
            self.model_copy(update=brief | {"findings": found, "progress": bare}),
            *(
                self.model_copy(update=brief | {"findings": found[:kept], "progress": None})
                for kept in range(len(found), -1, -1)
            ),
        ]

    @classmethod
    def from_termination_message(cls, text: str) -> Outcome | None:
        """Read a termination message; None if it is not the trainer's: a crash leaves the end of the log there.

        A trainer of another version may say more than is known here, and report what cannot be read.
        """
        try:
            return cls.model_validate_json(text, extra="ignore")
        except ValidationError as error:
            if any(fault["loc"][:1] != ("progress",) for fault in error.errors()):
                return None
            return cls.model_validate(json.loads(text) | {"progress": None}, extra="ignore")


def _shortened(finding: Finding) -> Finding:
    texts = {name: _cut(getattr(finding, name), _FINDING_LIMIT) for name in ("where", "message", "hint")}
    return finding.model_copy(update=texts)


def _cut(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Shorten a text to what fits into so many bytes of JSON, where a control character takes six."""
    if _json_length(text) <= limit:
        return text
    kept = text[: limit - 3]
    while _json_length(kept) > limit - 3:
        kept = kept[: len(kept) * 3 // 4]
    return kept + "..."


def _json_length(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
