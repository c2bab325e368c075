"""Writes a directory that transformers and vLLM load, in 16 bits: ``python -m epf.training.restore DIRECTORY OUT``.

The models that ship may have their matrices in 8 bits (:mod:`epf.training.quantize`), which neither of them reads.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from epf.training.export import SCALE, WEIGHTS, export
from epf.training.tensor_file import Tensors, read_tensors, write_tensors


def restore(tensors: Tensors) -> Tensors:
    """Return the tensors of a model in 16 bits, without scales."""
    out: Tensors = {}
    for name, tensor in tensors.items():
        if not name.endswith(SCALE):
            scale = tensors.get(name + SCALE, np.ones(1)).astype(np.float32)
            out[name] = (tensor.astype(np.float32) * scale).astype(np.float16)
    return out


def restore_directory(directory: Path, out: Path) -> None:
    """Copy a model directory to ``out``, which must not exist, with its weights in 16 bits and a graph for them."""
    shutil.copytree(directory, out)
    write_tensors(out / WEIGHTS, restore(read_tensors(directory / WEIGHTS)))
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
