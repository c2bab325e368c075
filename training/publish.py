"""Assemble a model directory that ships: weights, tokenizer, configuration and graph in one folder.

python -m epf.training.publish CHECKPOINT TOKENIZER_FOLDER OUT NAME
"""

import argparse
import json
import shutil
from pathlib import Path

from epf.training.export import export

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def publish(checkpoint: Path, tokenizer: Path, out: Path, name: str) -> None:
    """Copy a checkpoint and its tokenizer to ``out`` and write the graph; a README.md in ``out`` is kept."""
    out.mkdir(parents=True, exist_ok=True)
    for file in [*sorted(checkpoint.glob("*.json")), checkpoint / "model.safetensors"]:
        shutil.copyfile(file, out / file.name)
    for file_name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / file_name, out / file_name)
    config = json.loads((out / "config.json").read_text())
    config["_name_or_path"] = name
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    export(out)


def main() -> None:
    """Assemble a model directory from a checkpoint and a tokenizer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name")
    args = parser.parse_args()
    publish(args.checkpoint, args.tokenizer, args.out, args.name)


if __name__ == "__main__":
    main()
