"""A Llama model in ONNX Runtime, with a key-value cache of fixed rows in numpy memory.

The graph (see ``training/export.py``) writes new keys and values into the cache in place. A row is therefore extended without
copying its contents, and rows of different lengths share a batch without padding. Not thread-safe: one thread owns it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from epf.engines.onnx.config import ModelConfig

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Arrays of a decoding batch, bound to the session once, which reads and writes them in place."""

    binding: ort.IOBinding
    ids: NDArray[np.int64]
    seqlens: NDArray[np.int32]
    total: NDArray[np.int32]
    logits: Floats
    keep: list[ort.OrtValue]


class Decoder:
    """A session and its cache, ``(layers, 2, rows, heads, context, head_dim)``: keys at index 0, values at index 1."""

    def __init__(self, directory: Path, config: ModelConfig, n_rows: int, n_threads: int) -> None:
        path = directory / "model.onnx"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing. Write it with: python -m epf.training.export {directory}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the classes of ONNX Runtime have no common base of their own
            raise ValueError(f"{path} cannot be loaded, perhaps since its weights are damaged: {error}") from error
        self._n_outputs = self._session.get_outputs()[0].shape[1]
        shape = (config.n_layers, 2, n_rows, config.n_heads, config.context_length, config.head_dim)
        self._cache: Floats = np.zeros(shape, np.float32)
        self._batches: dict[int, _Batch] = {}
        self._logits: Floats = np.zeros((n_rows, self._n_outputs), np.float32)

    def write(self, row: int, start: int, segment: Floats) -> None:
        """Write keys and values, ``(layers, 2, heads, tokens, head_dim)``, to a row, starting at position ``start``."""
        self._cache[:, :, row, :, start : start + segment.shape[3]] = segment

    def read(self, row: int, start: int, end: int) -> Floats:
        """Return the keys and values at some positions of a row, ``(layers, 2, heads, end - start, head_dim)``, as a view."""
        return self._cache[:, :, row, :, start:end]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one row to another."""
        self._cache[:, :, target, :, :length] = self._cache[:, :, source, :, :length]

    def extend(self, row: int, start: int, ids: tuple[int, ...]) -> Floats:
        """Feed ``ids`` at position ``start`` of a row; returns the last outputs, ``(vocabulary,)`` or ``(1,)``."""
        batch = self._bind(row, np.array([ids], np.int64))
        self._run(batch, np.array([start + len(ids)]))
        result: Floats = batch.logits[0]
        return result

    def decode(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        """Feed one token to each of the first ``b`` rows, which hold ``lengths`` tokens; returns outputs ``(b, vocabulary)``.

        The next call overwrites the result.
        """
        batch = self._batches.get(len(ids))
        if batch is None:
            batch = self._batches[len(ids)] = self._bind(0, np.zeros((len(ids), 1), np.int64))
        batch.ids[:, 0] = ids
        self._run(batch, lengths + 1)
        return batch.logits

    def _run(self, batch: _Batch, lengths_after: NDArray[np.int64]) -> None:
        batch.seqlens[:] = lengths_after - 1
        batch.total[...] = lengths_after.max()
        self._session.run_with_iobinding(batch.binding)

    def _bind(self, first_row: int, ids: NDArray[np.int64]) -> _Batch:
        n_rows, n_tokens = ids.shape
        keep: list[ort.OrtValue] = []
        binding = self._session.io_binding()

        def value(array: NDArray[np.generic]) -> ort.OrtValue:
            keep.append(ort.OrtValue.ortvalue_from_numpy(array))
            return keep[-1]

        seqlens, total = np.zeros(n_rows, np.int32), np.zeros((), np.int32)
        logits = self._logits[:n_rows]  # batches of all sizes write to the same memory
        last_tokens = np.arange(1, n_rows + 1, dtype=np.int64) * n_tokens - 1
        for name, array in (("input_ids", ids), ("seqlens", seqlens), ("total", total), ("logits_at", last_tokens)):
            binding.bind_ortvalue_input(name, value(array))
        binding.bind_ortvalue_output("logits", value(logits))
        for layer, pair in enumerate(self._cache):
            for kind, rows in zip("kv", pair, strict=True):
                shared = value(rows[first_row : first_row + n_rows])
                binding.bind_ortvalue_input(f"past_{kind}.{layer}", shared)
                binding.bind_ortvalue_output(f"new_{kind}.{layer}", shared)
        return _Batch(binding, ids, seqlens, total, logits, keep)
