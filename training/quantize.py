"""Stores the matrices of a model in 8 bits: ``python -m epf.training.quantize DIRECTORY``.

A row of a matrix becomes whole numbers from -127 to 127 and one scale: row = scale * numbers. Norms and the head of a reward
model, which are small, stay as they are. The embedded runtime multiplies when it loads the model and computes in 32 bits, so
8 bits make the file half as large as 16 bits, and nothing slower (docs/decisions/eight-bits.md). :mod:`epf.training.restore`
gives the 16 bits that transformers and vLLM load.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from epf.training.export import SCALE, WEIGHTS, export
from epf.training.tensor_file import Tensors, read_tensors, write_tensors

HEAD = "score.weight"
LIMIT = 127


def quantized(matrix: NDArray[np.generic]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return numbers ``(out, in)`` and scales ``(out, 1)`` of a matrix ``(out, in)``; their product is off by half a scale."""
    wide = matrix.astype(np.float64)
    scale = (np.abs(wide).max(axis=1, keepdims=True) / LIMIT).astype(np.float32)
    steps = np.where(scale > 0, scale, 1).astype(np.float64)
    return np.clip(np.rint(wide / steps), -LIMIT, LIMIT).astype(np.int8), scale


def quantize(tensors: Tensors) -> Tensors:
    """Return the tensors of a model with its matrices in 8 bits; a matrix that already is stays as it is."""
    out: Tensors = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and tensor.dtype != np.int8 and name != HEAD and not name.endswith(SCALE):
            out[name], out[name + SCALE] = quantized(tensor)
        else:
            out[name] = tensor
    return out


def quantize_directory(directory: Path) -> None:
    """Store the matrices of a model directory in 8 bits, and write its graph."""
    write_tensors(directory / WEIGHTS, quantize(read_tensors(directory / WEIGHTS)))
    export(directory)


def main() -> None:
    """Store the matrices of a model directory in 8 bits."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path)
    quantize_directory(parser.parse_args().directory)


if __name__ == "__main__":
    main()
