"""How a model is talked to: what turns conversations into text and tokens, and tokens back into text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reasoning_contract.spec import ChatTemplate

from ..data.examples import Example, Place
from ..errors import invalid_data
from .conversation import Messages, asked
from .families import parts_of
from .responses import labels, response_start, shared


@dataclass(kw_only=True)
class Chat:
    """How a model is talked to; `apply_template` finds out what a tokenizer alone does not say.

    Attributes
    ----------
    tokenizer
        The library's own object, with the job's chat template.
    template
        What the job says of its template and tags.
    system_role
        Whether the template knows a system role.
    new_tokens
        Tokens that were added to the vocabulary.
    opened
        What a prompt ends with that belongs to what is said: a tag that the template has opened already, as those of
        models that think do, with what follows it; empty where there is none.
    turn_end
        What the template writes after the assistant's words.
    end_token
        The token in it that ends the turn; None where the template writes none.
    stops
        That token, where the tokenizer's own files name another: an engine that reads those would not stop by it.
    hidden
        Tokens that are no part of what is said, such as the end of a turn. The tags' own are none of them.
    """

    tokenizer: Any
    template: ChatTemplate = field(default_factory=ChatTemplate)
    system_role: bool = True
    new_tokens: list[int] = field(default_factory=list)
    opened: str = ""
    turn_end: str = ""
    end_token: int | None = None
    stops: list[int] = field(default_factory=list)
    hidden: frozenset[int] = frozenset()

    def asked(self, row: Example) -> Messages:
        """Return the conversation that a row opens."""
        return asked(row, self.template, system_role=self.system_role)

    def prompt(self, row: Example) -> str:
        """Return the text that the model goes on from.

        Raises
        ------
        TrainerError
            If the template refuses the row.
        """
        with naming(row.place, "prompt"):
            return self.render(self.asked(row))

    def prompt_length(self, row: Example) -> int:
        """Return the length of a row's prompt in tokens, template included."""
        return self.length(self.prompt(row))

    def continuation(self, row: Example, completion: str) -> str:
        """Return what follows a row's prompt where the assistant says this, and the turn's end. Errors as `prompt`."""
        with naming(row.place, "prompt"):
            return self._after(self.asked(row), completion)

    def pair(self, row: Example) -> dict[str, str]:
        """Return a pair as texts: the prompt, and what follows it where each of the two is said. Errors as `prompt`."""
        completions = {"chosen": row.chosen or "", "rejected": row.rejected or ""}
        return {"prompt": self.prompt(row)} | {name: self.continuation(row, text) for name, text in completions.items()}

    def said(self, row: Example, completion: str) -> str:
        """Return what a run would read, had the model said the completion: rewards are given the same text."""
        return self.text(self.tokens(self.continuation(row, completion)))

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of generated tokens, with what the prompt has opened of it."""
        kept = [token for token in ids if token not in self.hidden]
        return self.opened + str(self.tokenizer.decode(kept, skip_special_tokens=False))

    def render(self, messages: Messages) -> str:
        """Return the text that the model goes on from; raises Jinja's `TemplateError` if the template refuses."""
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def write(self, messages: Messages) -> str:
        """Return a whole conversation as text; errors as `render`."""
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False))

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text that template and all is complete."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def length(self, text: str) -> int:
        """Return the length of such a text in tokens."""
        return len(self.tokens(text))

    def learn(self, prompt: Messages, turn: Messages, *, responses_only: bool = True) -> dict[str, list[int]] | None:
        """Return a demonstration as the SFT trainers take it.

        Parameters
        ----------
        prompt
            The conversation before the assistant's turn.
        turn
            The assistant's turn.
        responses_only
            Whether that turn alone is learned.

        Returns
        -------
        dict or None
            ``input_ids``, and ``labels`` that leave out what is not learned; None if the template hides where the turn
            begins.
        """
        rendered, whole = self.render(prompt), self.write([*prompt, *turn])
        start = response_start(rendered, whole, parts_of(self.template))
        if self._thoughts_are_opened and (start is None or not whole.startswith(rendered)):
            start, whole = len(rendered), rendered + self._after(prompt, turn[0]["content"])
        tokens = self.tokens(whole)
        if not responses_only:
            return {"input_ids": tokens, "labels": list(tokens)}
        if start is None:
            return None
        return {"input_ids": tokens, "labels": labels(tokens, self.tokens(whole[:start]))}

    @property
    def _thoughts_are_opened(self) -> bool:
        """Whether a prompt ends within the reasoning."""
        return bool(self.opened) and self.template.reasoning_tags.end not in self.opened

    def _after(self, prompt: Messages, completion: str) -> str:
        """Return what follows a rendered prompt. Of thoughts that it has opened, the template may show none."""
        rendered = self.render(prompt)
        whole = self.write([*prompt, {"role": "assistant", "content": completion}])
        if not self._thoughts_are_opened or whole.startswith(rendered):
            return whole[shared(whole, rendered) :]
        return self._thought(completion) + self.turn_end

    def _thought(self, completion: str) -> str:
        """Return a completion without what the prompt has opened of it; without thoughts of its own it closes them."""
        tags = self.template.reasoning_tags
        thoughts = completion.lstrip()
        if not thoughts.startswith(tags.start):
            return f"{tags.end}\n\n{completion}"
        rest = thoughts.removeprefix(tags.start)
        return rest.removeprefix(self.opened.removeprefix(tags.start))


@contextmanager
def naming(place: Place, role: str) -> Iterator[None]:
    """Make of the chat template's refusal an error that names the row.

    Raises
    ------
    TrainerError
        If the template refuses.
    """
    from jinja2 import TemplateError  # what reads this module need not have it

    try:
        yield
    except TemplateError as error:
        message = f"{place.cell(role)}: the chat template refuses it: {error}"
        hint = "leave such rows out, or choose a chatTemplate.family or jinja that writes them"
        raise invalid_data("ConversationRefused", message, hint) from None
