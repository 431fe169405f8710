"""Whether two ways of asking one model agree: what the self-checks of a run decide by, pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import sqrt
from statistics import fmean, stdev

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.report import SelfCheck

from ..errors import TrainerError

SURE = 3.0
"""Standard errors from which on a mean is taken for what it seems."""
FEWEST = 8
"""Tokens below which nothing is decided."""
CERTAIN_NATS = 13.8
"""Log-likelihood ratio from which on tokens are held against a run: of what an adapter draws, one in a million has it.

By Markov's inequality, whatever the distribution. Standard errors alone mislead where the adapter has won a token that
is rare: until that is drawn, all others are a little likelier without it.
"""
ENGINE_NATS = 0.2
"""Most that engine and trainer may differ in the log-probability of a token that the engine drew, on average.

Two implementations in 16 bits were seen some hundredths apart; another adapter, or none, is tenths to several.
"""
SAME_NATS = 0.2
"""Most that the log-probability of a token may differ, on average, between a model and the same model read back.

Logits of 16 to 32 in bfloat16 lie 0.125 apart: on another kind of GPU that is the difference of a token that rounds to
the other side.
"""

Tokens = Sequence[Sequence[float]]
"""Log-probabilities of the tokens of completions, nats."""


def from_adapter(adapted: Tokens, base: Tokens) -> SelfCheck | None:
    """Tell from completions who drew them: the model with its adapter, or the base model.

    By Gibbs' inequality no model finds what another drew likelier, on average, than the one that drew it.

    Parameters
    ----------
    adapted, base
        What the model finds with the adapter, and without.

    Returns
    -------
    SelfCheck or None
        None while it cannot be told: a fresh adapter changes nothing, and what speaks against it has to be certain.

    Raises
    ------
    TrainerError
        If the base model drew them.
    """
    gains = [with_it - without for with_it, without in zip(_flat(adapted), _flat(base), strict=True)]
    if len(gains) < FEWEST:
        return None
    mean, error = fmean(gains), stdev(gains) / sqrt(len(gains))
    if abs(mean) <= SURE * error:
        return None
    if -CERTAIN_NATS < sum(gains) < 0:
        return None
    figures = f"a token of {len(gains)} is {mean:+.3f} nats likelier with the adapter than without, on average"
    if mean < 0:
        raise failed(
            "AdapterNotSampled",
            f"completions come from the base model and not from the adapter: {figures}",
            "the engine does not take the adapter: nothing that is learned from them holds. Report it with the "
            "versions in the log; inference.engine: transformers, or the other backend, may do",
        )
    return SelfCheck(name="adapter", message=figures)


def engine_agrees(drawn: Tokens, scored: Tokens) -> SelfCheck:
    """Hold an engine's log-probabilities of what it drew against the trainer's.

    Raises
    ------
    TrainerError
        If they are further apart than `ENGINE_NATS`.
    """
    apart = _apart(drawn, scored)
    figures = f"the engine's and the trainer's log-probabilities are {apart:.3f} nats a token apart, on average"
    if apart > ENGINE_NATS:
        raise failed(
            "EngineDiffers",
            f"{figures}, more than {ENGINE_NATS:g}",
            "the engine has other weights than the model that is trained, or reads them otherwise: try "
            "inference.kvCacheDtype auto, inference.engine: transformers, or the other backend",
        )
    return SelfCheck(name="engine", message=figures)


def same_after_resume(before: Tokens, after: Tokens, *, same_tokens: bool, step: int) -> SelfCheck:
    """Hold what a resumed model answers against what it answered when its checkpoint was written.

    Parameters
    ----------
    before, after
        What the model found then and finds now of the completions that it wrote then, greedily.
    same_tokens
        Whether it writes the same ones now. On another GPU a tie may fall otherwise; the likelihoods tell that apart.
    step
        The checkpoint's.

    Raises
    ------
    TrainerError
        If it is another model.
    """
    apart = _apart(before, after)
    if not same_tokens and apart > SAME_NATS:
        raise failed(
            "ResumedOtherwise",
            f"the model of the checkpoint at step {step} answers otherwise than when it was written: {apart:.3f} nats "
            "a token apart, on average",
            "the checkpoint on the volume was changed, or other libraries read it: delete it to go on from the one "
            "before, or start anew",
        )
    told = "token by token as" if same_tokens else f"but for ties ({apart:.3f} nats a token apart) as"
    return SelfCheck(name="resume", message=f"after the resume at step {step} it generates {told} before")


def merged_agrees(adapted: Tokens, merged: Tokens) -> SelfCheck:
    """Hold the merged model, read back, against the model with its adapter, on what that one wrote.

    Raises
    ------
    TrainerError
        If they are further apart than `ENGINE_NATS`: merging rounds to 16 bits.
    """
    apart = _apart(adapted, merged)
    figures = f"merged model and adapter are {apart:.3f} nats a token apart, on average"
    if apart > ENGINE_NATS:
        raise failed(
            "MergedDiffers",
            f"{figures}, more than {ENGINE_NATS:g}: the merged model does not answer as the adapter did",
            "use the adapter (export.formats: [lora]), which is whole",
        )
    return SelfCheck(name="merged", message=figures)


def same_prompts(trained: Sequence[Sequence[int]], evaluated: Sequence[Sequence[int]]) -> SelfCheck:
    """Hold the prompts that are trained on against those that the evaluation's template writes.

    Parameters
    ----------
    trained
        Tokens of prompts of a batch.
    evaluated
        Tokens of all rows' prompts, as the evaluation would write them.

    Raises
    ------
    TrainerError
        If one is not among them.
    """
    known = set(map(tuple, evaluated))
    strange = [prompt for prompt in trained if tuple(prompt) not in known]
    if strange:
        raise failed(
            "TemplateDiffers",
            f"{len(strange)} of {len(trained)} prompts are written otherwise in training than in the evaluation",
            "the libraries write the chat template in two ways: give it as chatTemplate.jinja, without what depends on "
            "the day or on settings",
        )
    return SelfCheck(name="template", message=f"{len(trained)} prompts are written alike in training and evaluation")


def failed(reason: str, message: str, hint: str) -> TrainerError:
    """Return the failure of a self-check."""
    return TrainerError(ExitCode.SELF_CHECK_FAILED, reason, message, hint)


def _apart(one: Tokens, other: Tokens) -> float:
    gaps = [abs(a - b) for a, b in zip(_flat(one), _flat(other), strict=True)]
    return fmean(gaps) if gaps else 0.0


def _flat(tokens: Tokens) -> list[float]:
    return list(chain.from_iterable(tokens))
