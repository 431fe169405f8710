"""Settings come from the environment; a bad one is named."""

from __future__ import annotations

import pytest

from reasoning_operator.settings import Settings, SettingsError, read


def test_defaults() -> None:
    assert read({"PATH": "/bin"}) == Settings()


def test_values_are_read() -> None:
    settings = read(
        {
            "REASONING_OPERATOR_NAMESPACES": "a,b",
            "REASONING_OPERATOR_WORKERS": "3",
            "REASONING_OPERATOR_PROGRESS_ROUTE": "pod",
        }
    )
    assert (settings.namespaces, settings.workers, settings.progress_route) == (("a", "b"), 3, "pod")


def test_no_namespace_means_all() -> None:
    assert read({"REASONING_OPERATOR_NAMESPACES": ""}).namespaces == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"),
        ("WORKERS", "0"),
        ("PROGRESS_ROUTE", "pigeon"),
        ("METRICS_LISTEN_PORT", "tcp://10.0.0.1:9090"),
        ("LOG_LEVEL", "LOUD"),
        ("IMAGE_PULL_DEADLINE_SECONDS", "1"),
    ],
)
def test_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"REASONING_OPERATOR_{name}"):
        read({f"REASONING_OPERATOR_{name}": value})
