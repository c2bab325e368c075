"""Writes a directory that transformers and vLLM load, in 16 bits: ``python -m epf.training.restore DIRECTORY OUT``.

The models that ship may have their matrices in 8 bits (:mod:`epf.training.quantize`), which neither of them reads.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from epf.training.export import SCALE, WEIGHTS, export
from epf.training.tensor_file import Tensors, read_tensors, write_tensors


def restore(tensors: Tensors, dtype: type[np.floating[Any]] = np.float16) -> Tensors:
    """Return the tensors of a model as one type, without scales."""
    out: Tensors = {}
    for name, tensor in tensors.items():
        if not name.endswith(SCALE):
            scale = tensors.get(name + SCALE, np.ones(1)).astype(np.float32)
            out[name] = (tensor.astype(np.float32) * scale).astype(dtype)
    return out


def restore_directory(directory: Path, out: Path, dtype: type[np.floating[Any]] = np.float16) -> None:
    """Copy a model directory to ``out``, which must not exist, with its weights as one type and a graph for them."""
    shutil.copytree(directory, out)
    write_tensors(out / WEIGHTS, restore(read_tensors(directory / WEIGHTS), dtype))
    export(out)


def main() -> None:
    """Copy a model directory, with its weights in 16 bits."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    restore_directory(args.directory, args.out)


if __name__ == "__main__":
    main()
