"""What the stages ask of the library that holds the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reasoning_contract.spec import Spec

from ..chat.chat import Chat


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn.

    Attributes
    ----------
    max_tokens
        Longest completion.
    temperature
        0 for greedy decoding; top_p, top_k and min_p have no effect then.
    top_p, top_k, min_p
        As in ``spec.reinforce``.
    count
        Completions a prompt.
    seed
        Seed of the draw.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float | None = None
    count: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """A completion as `Chat.text` reads it, and its length in tokens, the end token included; and these."""

    text: str
    tokens: int
    ids: tuple[int, ...] = ()


class Backend(Protocol):
    """A library that loads, adapts, trains and generates.

    Models are whatever the library makes of them; stages hand them on and do not look inside.
    """

    name: str

    def load(self, spec: Spec, folder: Path) -> tuple[Any, Any]:
        """Return model and tokenizer of a folder on this machine.

        Raises
        ------
        TrainerError
            If they are not there or cannot be read.
        """

    def adapt(self, model: Any, spec: Spec, new_tokens: Sequence[int]) -> Any:
        """Return the model with a fresh adapter; embeddings of new tokens are trained with it."""

    def trainer_arguments(self, spec: Spec) -> dict[str, Any]:
        """Return the arguments of every TRL configuration that depend on device and precision."""

    def generation_arguments(self, spec: Spec, stops: Sequence[int] = ()) -> dict[str, Any]:
        """Return the arguments of TRL's GRPO and RLOO configurations that choose the engine.

        Parameters
        ----------
        spec
            The job.
        stops
            Tokens at which it must stop and would not by itself: vLLM reads its own copy of the tokenizer.
        """

    def engine(self, spec: Spec) -> str:
        """Return what `generate` generates with: a value of ``spec.inference.engine``."""

    def generating(
        self, spec: Spec, model: Any, folder: Path, say: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Have the model's weights as they are now with the engine while `generate` is called in this context.

        Parameters
        ----------
        spec
            The job.
        model
            The model; an adapter that is switched off adds nothing.
        folder
            Where the base model lies: an engine is started when it is first needed.
        say
            Prints a line for people.
        """

    def lending(self, spec: Spec, folder: Path, say: Callable[[str], None]) -> AbstractContextManager[None]:
        """Have the trainer that TRL makes in this context use the engine that is there."""

    def generate(self, model: Any, chat: Chat, prompts: Sequence[str], sampling: Sampling) -> list[list[Completion]]:
        """Return ``sampling.count`` completions of each prompt, a text with template and all; within `generating`."""

    def log_likelihoods(
        self, model: Any, tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]
    ) -> list[float]:
        """Return the log-probability of each completion after its prompt, in nats; both are texts, template and all."""

    def token_likelihoods(
        self,
        model: Any,
        padding: int,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        temperature: float,
    ) -> list[list[float]]:
        """Return the log-probability of each token of each completion of tokens after its prompt, in nats.

        Parameters
        ----------
        model
            The model; its mode is left as it was.
        padding
            Token to fill up with.
        prompts, completions
            Tokens, one of each a pair.
        temperature
            What logits are divided by.
        """

    def switch_adapter(self, model: Any, folder: Path) -> None:
        """Generate with a saved adapter from now on, whatever this job's own is like.

        Raises
        ------
        TrainerError
            If there is no adapter for this model.
        """

    def load_adapter(self, model: Any, folder: Path) -> None:
        """Put the weights of a saved adapter into the model's own."""

    def copy_adapter(self, model: Any, name: str) -> None:
        """Add a frozen copy of the adapter as it is now."""

    def value_model(self, spec: Spec, folder: Path) -> Any:
        """Return a model that gives every token a number: the critic of PPO."""

    def save_adapter(self, model: Any, folder: Path) -> None:
        """Write the adapter."""

    def save_merged(self, model: Any, tokenizer: Any, folder: Path) -> None:
        """Write the model with the adapter merged in, in 16 bits. The model may not be used any more."""
