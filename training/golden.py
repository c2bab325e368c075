"""Record torch's outputs for the embedded pairs, so that tests compare the runtime with torch without installing torch.

python -m epf.training.golden
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from epf.core.generator import Message
from epf.engines.onnx.pairs import PAIRS
from epf.engines.tokenizer import ChatTokenizer
from epf.training.restore import restore_directory

PATH = Path("tests/data/golden_logits.npz")
PROBLEM = "There are 45 birds on a wire. 17 fly away. Then 3 times as many come back as flew away. How many are there now?"
SOLUTION = "There are 45 - 17 = 28 birds left.\n\nThen 3 * 17 = 51 come back.\n\n28 + 51 = 79.\n\n\\boxed{79}\n\n"
EVERY = 12
"""Outputs are recorded after every 12th token and after the last one."""


def golden(directory: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return token ids ``(t,)``, lengths ``(k,)``, and torch's outputs after each length, ``(k, vocabulary)`` or ``(k, 1)``."""
    with TemporaryDirectory() as folder:
        restored = Path(folder) / directory.name
        restore_directory(directory, restored, np.float32)
        return _golden(restored)


def _golden(directory: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    tokenizer = ChatTokenizer(directory)
    ids = tokenizer.render([Message("user", PROBLEM)]) + tokenizer.encode(SOLUTION)
    lengths = np.array([*range(1, len(ids), EVERY), len(ids)])
    with torch.no_grad():
        if directory.name == "generator":
            model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
            outputs = model(torch.tensor([ids])).logits[0]
        else:
            model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
            outputs = model.score(model.model(torch.tensor([ids])).last_hidden_state[0])
    return np.array(ids), lengths, outputs.numpy()[lengths - 1]


def main() -> None:
    """Write the outputs of both models of every pair."""
    arrays: dict[str, Any] = {}
    for pair in PAIRS.values():
        for role in ("generator", "reward_model"):
            for key, array in zip(("ids", "lengths", "outputs"), golden(pair.directory_of(role)), strict=True):
                arrays[f"{pair.name}_{role}_{key}"] = array
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **arrays)
    print(PATH)


if __name__ == "__main__":
    main()
