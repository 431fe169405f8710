"""What is learned from, and what is held out."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part, rule
from .model import CLAIM_NAME, HUB_NAME
from .nature import RUN
from .types import (
    GROUP_PATTERN,
    UPWARDS_PATTERN,
    Count,
    Passthrough,
    Positive,
    Probability,
    Revision,
    Short,
    Source,
    Text,
)

DATA_SOURCE_PATTERN = (
    rf"^(hf://{HUB_NAME}(/{HUB_NAME})?|pvc://{CLAIM_NAME}/.+|configmap://{CLAIM_NAME}/[-._a-zA-Z0-9]+|file:///.+)$"
)


class Columns(Part):
    """Which columns of the data mean what. Left empty, a column of the role's own name is used if there is one."""

    prompt: Short | None = None
    """The question put to the model: text, or a conversation of one user's turn, which a system turn may precede."""
    answer: Short | None = None
    """The reference answer that a reward compares with."""
    answers: Short | None = None
    """All answers that are accepted, where a row has several: lists, or texts that are lists in JSON. Left empty, a
    column answers is used only where there is no column answer."""
    reasoning: Short | None = None
    """A worked solution, for the warm-up."""
    chosen: Short | None = None
    """The preferred completion, for DPO and ORPO: text, or a conversation that it ends. Where there is no column
    prompt, the user's turn before it is the prompt."""
    rejected: Short | None = None
    """The completion that is not preferred, in the same form."""
    messages: Short | None = None
    """A conversation in messages of role and content, for the warm-up; tools are refused. Left empty, a column
    messages is used only where no other column is named."""
    system: Short | None = None
    """What the model is told to do in this row, in the place of `chatTemplate.systemPrompt`; a row without it is told
    that."""

    @rule(
        "!has(self.prompt) || !has(self.answer) || self.prompt != self.answer",
        "is prompt's column too: the question would be its own answer",
        field="answer",
    )
    def _question_is_not_its_answer(self) -> bool:
        return self.prompt is None or self.prompt != self.answer

    @rule(
        "!has(self.chosen) || !has(self.rejected) || self.chosen != self.rejected",
        "is chosen's column too: of equal completions nothing is learned",
        field="rejected",
    )
    def _completions_differ(self) -> bool:
        return self.chosen is None or self.chosen != self.rejected


class Row(Part):
    """A row written into the manifest itself."""

    prompt: Text
    """The question put to the model."""
    answer: Text | None = None
    """The reference answer."""
    answers: Annotated[list[Text], Field(min_length=1, max_length=64)] | None = None
    """All answers that are accepted, where there are several; `answer` is one of them, the first when empty."""
    reasoning: Text | None = None
    """A worked solution, for the warm-up."""
    chosen: Text | None = None
    """The preferred completion, for DPO and ORPO."""
    rejected: Text | None = None
    """The completion that is not preferred, for DPO and ORPO."""


class ReasoningGym(Part):
    """A task of the library reasoning-gym, which makes verifiable rows from a seed."""

    task: Short
    """Name of the task, such as chain_sum."""
    size: Annotated[int, Field(ge=1, le=1000000)] = 1000
    """How many rows to make."""
    seed: Count = 0
    """Seed of the rows: row n is made from seed + n. Seeds of train and heldOut must lie further apart than the sets
    are large: a row that is in both is refused."""
    config: Passthrough = {}
    """Settings of the task, by the library's names; the library refuses what it does not know."""


ROUNDING = 1e-9
"""What the product of a share and a count may be off by."""
_ANY_COLUMN = " || ".join(f"has(self.columns.{field.alias})" for field in Columns.model_fields.values())
_RENAMED = " || ".join(
    f"(has(self.columns.{field.alias}) && self.columns.{field.alias} != '{field.alias}')"
    for field in Columns.model_fields.values()
)
ONE_KIND = "[has(self.source), has(self.rows), has(self.reasoningGym)].filter(given, given).size()"


class _Rows(Part):
    """Where rows come from: exactly one of source, rows and reasoningGym."""

    source: Source | None = None
    """`hf://owner/name`, `pvc://claim/path`, `configmap://name/key` or `file:///path`: JSON (an object a line, or an
    array), CSV, TSV or Parquet, also with gzip or zstd."""
    rows: Annotated[list[Row], Field(min_length=1, max_length=512)] | None = None
    """Rows in the manifest itself, for small sets."""
    reasoning_gym: ReasoningGym | None = None
    """Rows made by a reasoning-gym task."""
    config: Short | None = None
    """Configuration of a Hub data set."""
    split: Short | None = None
    """Split of a Hub data set; train by default."""
    revision: Revision | None = None
    """Branch, tag or commit of a Hub data set."""
    columns: Columns = Columns()
    """Which columns mean what; a dotted path such as `reward_model.ground_truth` names what is nested in a column."""
    answer_pattern: Short | None = None
    """Regular expression whose first group is the answer within the answer column, such as `#### (.*)`."""
    limit: Positive | None = None
    """Use only this many rows, chosen by the seed."""

    @rule(
        f"!has(self.source) || self.source.matches(r'{DATA_SOURCE_PATTERN}')",
        "must be hf://owner/name, pvc://claim/path, configmap://name/key or file:///path",
        field="source",
    )
    def _source_has_known_scheme(self) -> bool:
        return self.source is None or bool(re.search(DATA_SOURCE_PATTERN, self.source))

    @rule(
        f"!has(self.source) || !self.source.matches(r'{UPWARDS_PATTERN}')",
        "a path leads down from its volume: remove '..'",
        field="source",
    )
    def _path_leads_down(self) -> bool:
        return self.source is None or not re.search(UPWARDS_PATTERN, self.source)

    @rule(
        f"!has(self.answerPattern) || self.answerPattern.matches(r'{GROUP_PATTERN}')",
        "needs a group around the answer, such as #### (.*)",
        field="answerPattern",
    )
    def _pattern_has_a_group(self) -> bool:
        return self.answer_pattern is None or bool(re.search(GROUP_PATTERN, self.answer_pattern))

    @rule(
        f"(!has(self.rows) && !has(self.reasoningGym)) || !({_RENAMED})",
        "rows in the manifest and those of reasoning-gym have columns of their own names: remove it",
        field="columns",
    )
    def _own_rows_have_their_names(self) -> bool:
        named = self.columns.model_dump(by_alias=True, exclude_none=True)
        return (self.rows is None and self.reasoning_gym is None) or all(role == name for role, name in named.items())

    @property
    def kinds(self) -> int:
        """How many of source, rows and reasoningGym are given."""
        return sum(kind is not None for kind in (self.source, self.rows, self.reasoning_gym))

    @property
    def _is_from_hub(self) -> bool:
        return self.source is not None and self.source.startswith("hf://")

    @rule(
        "(!has(self.config) && !has(self.revision)) || (has(self.source) && self.source.startsWith('hf://'))",
        "config and revision belong to a Hub data set: use them with source hf://owner/name",
    )
    def _hub_fields_need_a_hub_source(self) -> bool:
        return self._is_from_hub or (self.config is None and self.revision is None)

    @rule(
        f"!has(self.split) || {ONE_KIND} == 0 || (has(self.source) && self.source.startsWith('hf://'))",
        "only a Hub data set (hf://owner/name) has splits: remove it",
        field="split",
    )
    def _only_hub_data_sets_have_splits(self) -> bool:
        return self.split is None or self.kinds == 0 or self._is_from_hub


class Rows(_Rows):
    """A set of rows and where it comes from: exactly one of source, rows and reasoningGym."""

    @rule(f"{ONE_KIND} == 1", "give exactly one of source, rows and reasoningGym")
    def _one_kind(self) -> bool:
        return self.kinds == 1


class HeldOut(_Rows):
    """Rows that are never trained on: rows of their own, another split of train's source, or a share of train."""

    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of train's rows to hold out, chosen by a hash of the prompt: the same rows for every seed and size."""

    @rule(
        f"{ONE_KIND} + [has(self.fraction), has(self.split) && {ONE_KIND} == 0].filter(given, given).size() == 1",
        "give exactly one of source, rows, reasoningGym, fraction (a share of train), or split (of train's source)",
    )
    def _one_origin(self) -> bool:
        only_split = self.split is not None and self.kinds == 0
        return self.kinds + (self.fraction is not None) + only_split == 1

    @rule(
        f"!has(self.fraction) || !(has(self.answerPattern) || {_ANY_COLUMN})",
        "rows of train keep train's columns and answerPattern: give those in data.train",
        field="fraction",
    )
    def _a_share_of_train_is_read_as_train(self) -> bool:
        return self.fraction is None or (self.answer_pattern is None and self.columns == Columns())


class Difficulty(Part):
    """How often the model, as it goes into RL, solves rows of train: measured once, before RL, by the run's engine."""

    rows: Positive = 128
    """Rows that are measured, chosen by the seed; all where there are no more. Those that are not measured stay."""
    samples: Annotated[int, Field(ge=2, le=64)] = 8
    """Completions a row, drawn as RL draws them: rows x samples of them are spent."""
    min: Probability | None = None
    """Rows with a smaller share of right completions are set aside. When empty, none is for being too hard."""
    max: Probability | None = None
    """Rows with a larger share of right completions are set aside. When empty, none is for being too easy."""

    @rule("!has(self.min) || !has(self.max) || self.min <= self.max", "is above max: no row lies between", field="min")
    def _min_is_not_above_max(self) -> bool:
        return self.min is None or self.max is None or self.min <= self.max

    @rule(
        "!has(self.min) || !has(self.max) || self.min > self.max"
        f" || double(int(self.max * double(self.samples) + {ROUNDING}))"
        f" >= self.min * double(self.samples) - {ROUNDING}",
        "no share of so few samples lies between min and max, so that every measured row would be set aside: widen "
        "them, or raise samples",
        field="samples",
    )
    def _some_share_lies_between(self) -> bool:
        if self.min is None or self.max is None or self.min > self.max:
            return True
        return int(self.max * self.samples + ROUNDING) >= self.min * self.samples - ROUNDING


_ELSEWHERE = " || ".join(
    f"(has(self.heldOut.{name}) ? self.heldOut.{name} : '{default}')"
    f" != (has(self.train.{name}) ? self.train.{name} : '{default}')"
    for name, default in (("config", ""), ("revision", ""), ("split", "train"))
)


class Data(Part):
    """What is learned from, and what is held out."""

    unjudgeable: Literal["count", "drop", "fail"] = "count"
    """What becomes of rows of train and heldOut whose answer no completion can be judged by: one that stands for none
    (proof, notfound, N/A), or that the parser of the correctness reward cannot read. count keeps them and says how
    many there are, drop leaves them out, fail refuses the data."""

    control_tokens: Annotated[Literal["fail", "drop"], RUN] = "fail"
    """What becomes of rows whose text would be read as more than text: it holds a special token of the model that is no
    tag of chatTemplate, such as <|im_end|>, or what begins a turn in the chat template, such as [INST]. fail refuses
    the data, drop leaves them out."""

    difficulty: Difficulty | None = None
    """How hard the rows of train are for the model, measured before RL; when empty, nothing is."""
    train: Rows
    """Rows for RL; preference rows for DPO and ORPO."""
    warmup: Rows | None = None
    """Rows for the SFT warm-up: prompt, reasoning, answer, or messages."""
    held_out: HeldOut | None = None
    """Rows for the evaluation, with answers; those of DPO and ORPO may be pairs without. A row that is also in train or
    warmup is refused."""

    @rule(
        "!has(self.warmup) || !has(self.warmup.reasoningGym)",
        "the warm-up learns from worked rows, and reasoning-gym gives none: use source or rows",
        field="warmup",
    )
    def _warm_up_has_worked_rows(self) -> bool:
        return self.warmup is None or self.warmup.reasoning_gym is None

    @rule(
        "!has(self.heldOut) || !has(self.heldOut.source) || !has(self.train.source)"
        " || self.heldOut.source != self.train.source"
        f" || {_ELSEWHERE}",
        "are the rows of train: name another source or split, or hold out a share of them (fraction: 0.1)",
        field="heldOut",
    )
    def _held_out_rows_are_others(self) -> bool:
        train, held_out = self.train, self.held_out
        if held_out is None or held_out.source is None or held_out.source != train.source:
            return True
        places = [(each.config, each.revision, each.split or "train") for each in (train, held_out)]
        return places[0] != places[1]

    @rule(
        "!has(self.heldOut) || !has(self.heldOut.split) || has(self.heldOut.source)"
        " || self.heldOut.split != (has(self.train.split) ? self.train.split : 'train')",
        "heldOut.split is the split of train: name another, or hold out a share of it (fraction: 0.1)",
        field="heldOut",
    )
    def _held_out_split_is_another(self) -> bool:
        held_out = self.held_out
        if held_out is None or held_out.split is None or held_out.source is not None:
            return True
        return held_out.split != (self.train.split or "train")

    @rule(
        "!has(self.warmup) || !has(self.warmup.rows)"
        " || self.warmup.rows.all(row, has(row.reasoning) && (has(row.answer) || has(row.answers)))",
        "each row of the warm-up needs reasoning and an answer: that is what it learns to write",
        field="warmup",
    )
    def _rows_of_the_warm_up_are_worked(self) -> bool:
        rows = (self.warmup and self.warmup.rows) or []
        return all(row.reasoning is not None and _is_answered(row) for row in rows)


def _is_answered(row: Row) -> bool:
    return row.answer is not None or row.answers is not None
