"""The model cards of the pair plain have the figures of its benchmark."""

import json
from pathlib import Path

import pytest

from benchmarks.plain import Question, summary
from epf.training.plain.cards import figures, write_cards

KINDS = ("one_event", "arithmetic", "unanswerable")
BATTERY = summary([Question(kind, "", "1") for kind in KINDS], {"one sample": [True, False, True]})
OTHER = summary([Question("svamp", "", "1")], {"one sample": [True]})


def test_the_cards_have_a_row_for_each_set(tmp_path: Path) -> None:
    for role in ("generator", "reward_model"):
        (tmp_path / role).mkdir()
    result = json.loads(json.dumps({"battery": BATTERY, "svamp": OTHER, "gsm8k_short": OTHER}))
    write_cards(tmp_path, result, {"svamp": {"n": 400, "auc": 0.9, "low": 0.88, "high": 0.92}})
    assert "| SVAMP | 400 | 0.900 (0.880 to 0.920) |" in (tmp_path / "reward_model" / "README.md").read_text(encoding="utf-8")
    for role in ("generator", "reward_model"):
        card = (tmp_path / role / "README.md").read_text(encoding="utf-8")
        assert not {"{figures}", "{separation}"} & set(card.splitlines())
        rows = [line.split(" | ")[0].removeprefix("| ") for line in card.splitlines() if line.startswith("| ")]
        parts = ["one and two events", "all word problems", "arithmetic", "unanswerable"]
        assert rows[:8] == ["problems", "battery", *(f"battery: {part}" for part in parts), "SVAMP", "GSM8K, short"]
        assert f"| battery | 3 | 66.7 ({BATTERY['one sample']['all']['low']:.0f} to " in card


def test_a_set_that_was_not_measured_is_missed() -> None:
    with pytest.raises(KeyError, match="svamp"):
        figures({"battery": BATTERY})
