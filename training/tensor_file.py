"""Safetensors files as numpy arrays.

A file consists of eight bytes of header length, a JSON header and the raw tensors.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[np.generic]]

DTYPES: Mapping[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "I8": np.int8}
"""Types of tensors in the embedded models, by their names in the header."""


def read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return type, shape and place of every tensor by its name, and the offset in bytes from which places count.

    Raises:
        ValueError: the type of a tensor is not one of :data:`DTYPES`.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(size))
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if entry["dtype"] not in DTYPES:
            known = ", ".join(DTYPES)
            raise ValueError(f"{path}: {name} is {entry['dtype']}, but the embedded runtime reads {known}; convert the weights")
    return header, 8 + size


def read_tensors(path: Path) -> Tensors:
    """Return every tensor of a file by its name.

    Raises:
        ValueError: the type of a tensor is not one of :data:`DTYPES`.
    """
    header, start = read_header(path)
    data = path.read_bytes()

    def tensor(entry: Mapping[str, Any]) -> NDArray[np.generic]:
        begin, end = (start + place for place in entry["data_offsets"])
        return np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])

    return {name: tensor(entry) for name, entry in header.items()}


def write_tensors(path: Path, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Write a file that transformers reads too; the widest types come first, so that every tensor is aligned.

    Raises:
        KeyError: the type of a tensor is not one of :data:`DTYPES`.
    """
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in ordered:
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for _, tensor in ordered))
