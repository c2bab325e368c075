"""What the pages show of a response is short, and it is the response."""

import json

from tests.record_examples import WIDTH, packed

STEPS = [{"t": t, "ess": 8.0, "entropy": 2.07944154, "temperature": 1.0, "resampled": t < 3} for t in (1, 2, 3)]
BODY = {
    "answer": "15",
    "solution": "12 + 7 = 19.\n\nThe answer is \\boxed{15}.",
    "distribution": [{"answer": "15", "n": 8}],
    "usage": {f"count_of_what_the_search_needed_{i}": i for i in range(5)},
    "steps": STEPS,
    "id": "2995aa35ae9a43a5849cdc808493b6a6",
}


def test_an_object_is_packed_into_short_lines() -> None:
    shown = packed(BODY)
    rounded = BODY | {"steps": [step | {"entropy": 2.0794} for step in STEPS]}
    assert json.loads(shown) == rounded
    lines = shown.splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    assert [line.count('"t": ') for line in lines] == [0, 0, 0, 0, 1, 1, 1, 0], "each step has a line"
    assert packed({"a": 1.00004, "b": [1, 2]}) == '{"a": 1.0, "b": [1, 2]}'
