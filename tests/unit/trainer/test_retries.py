"""What is said while the Hub does not answer. The texts are those of huggingface_hub and datasets."""

from __future__ import annotations

import logging

from reasoning_trainer.reporting.retries import told

FAILED = (
    "'[Errno -3] Temporary failure in name resolution' thrown while requesting HEAD "
    "https://hub.example/owner/name/resolve/main/config.json?Signature=secret"
)
HTTP, DATASETS = logging.getLogger("huggingface_hub.utils._http"), logging.getLogger("datasets.utils.file_utils")


def test_a_repeated_request_is_said_from_the_first_time_on() -> None:
    said: list[str] = []
    with told(said.append):
        HTTP.warning(FAILED)
        HTTP.warning("Retrying in 1s [Retry 1/5].")
        DATASETS.warning("Got disconnected from remote data host. Retrying in 5sec [1/20]")
    assert said[0] == (
        "the Hub did not answer: '[Errno -3] Temporary failure in name resolution' thrown while requesting HEAD "
        "https://hub.example/owner/name/resolve/main/config.json; Retrying in 1s [Retry 1/5]."
    )
    assert "Retrying in 5sec [1/20]" in said[1]
    assert len(said) == 2


def test_other_warnings_are_none_of_it_and_nothing_is_said_afterwards() -> None:
    said: list[str] = []
    with told(said.append):
        HTTP.warning("You are sending unauthenticated requests to the HF Hub.")
    HTTP.warning("Retrying in 1s [Retry 1/5].")
    assert said == []
