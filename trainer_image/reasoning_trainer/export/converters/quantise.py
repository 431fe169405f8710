"""Quantises GGUF with llama.cpp.

``python -m reasoning_trainer.export.converters.quantise FILE TARGET QUANTISATION``.
"""

from __future__ import annotations

import ctypes
import sys

import llama_cpp

from ...environment import cpus


def main(file: str, target: str, quantisation: str) -> None:
    """Write the file's tensors in the types that llama.cpp mixes under that name.

    Raises
    ------
    RuntimeError
        If llama.cpp cannot; it printed why.
    """
    prefix = "LLAMA_FTYPE_ALL" if quantisation == "f32" else "LLAMA_FTYPE_MOSTLY"
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"{prefix}_{quantisation.upper()}")
    parameters.nthread = cpus()
    if llama_cpp.llama_model_quantize(file.encode(), target.encode(), ctypes.byref(parameters)):
        raise RuntimeError(f"llama.cpp cannot quantise {file} to {quantisation}")


if __name__ == "__main__":
    main(*sys.argv[1:])
