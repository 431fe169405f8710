from __future__ import annotations

from reasoning_contract.spec import ChatTemplate, Tags
from reasoning_trainer.chat.conversation import demonstrations, opening
from reasoning_trainer.data.examples import Example, Message

TEMPLATE = ChatTemplate(system_prompt="Think.")
SYSTEM = {"role": "system", "content": "Think."}


def test_system_prompt_opens_the_conversation() -> None:
    assert opening("1+1?", "Think.") == [SYSTEM, {"role": "user", "content": "1+1?"}]
    assert opening("1+1?", "") == [{"role": "user", "content": "1+1?"}]


def test_without_a_system_role_it_opens_the_users_turn() -> None:
    assert opening("1+1?", "Think.", system_role=False) == [{"role": "user", "content": "Think.\n\n1+1?"}]


def test_a_worked_row_stands_in_its_tags() -> None:
    template = ChatTemplate(answer_tags=Tags(start="[", end="]"), system_prompt="")
    (row,) = demonstrations(Example(prompt="1+1?", reasoning="1+1=2", answer="2"), template)
    assert row["prompt"] == [{"role": "user", "content": "1+1?"}]
    assert row["completion"] == [{"role": "assistant", "content": "<reasoning>1+1=2</reasoning>\n[2]"}]


def test_every_turn_of_the_assistant_is_learned() -> None:
    turns = [Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d")]
    rows = demonstrations(Example(messages=tuple(turns)), TEMPLATE)
    assert [row["completion"][0]["content"] for row in rows] == ["b", "d"]
    assert [message["content"] for message in rows[1]["prompt"]] == ["Think.", "a", "b", "c"]


def test_a_conversations_own_system_prompt_stays() -> None:
    turns = (Message("system", "Own."), Message("user", "a"), Message("assistant", "b"))
    assert demonstrations(Example(messages=turns), TEMPLATE)[0]["prompt"][0]["content"] == "Own."
    (row,) = demonstrations(Example(messages=turns), TEMPLATE, system_role=False)
    assert row["prompt"] == [{"role": "user", "content": "Own.\n\na"}]
