"""An image may be built without llama.cpp: a job that needs it is refused before it trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.export import converters
from reasoning_trainer.interruption import Interruption


def test_gguf_without_llama_cpp_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoning_trainer.export.converters.rehearsal.find_spec", lambda name: None)
    with pytest.raises(TrainerError) as refused:
        converters.rehearse(tmp_path, None, Interruption(lambda: None))
    assert refused.value.exit_code == ExitCode.NOT_SUPPORTED
    assert refused.value.message.startswith("export.formats: GGUF needs llama.cpp")
    assert "pod.image" in refused.value.hint
    assert "merged16bit" in refused.value.hint
