"""``epf trace internals``: the embedded pair reads recorded traces, and the output is input of the entropy tools."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from epf.cli.main import main
from epf.engines.onnx.pairs import STORIES
from epf.entropy.core.information import log_softmax
from epf.entropy.traces import Trace, read_rows, traces_of
from tests.cli.processes import ROOT, ended, without

SAMPLE = ROOT / "docs" / "entropy" / "traces.jsonl"
GENERATOR, REWARD_MODEL = STORIES.generator, STORIES.reward_model


@pytest.fixture
def needs_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed; the extra `torch` has it")
    pytest.importorskip("transformers", reason="transformers is not installed; the extra `torch` has it")


def internals(*options: object) -> int:
    return main(["trace", "internals", *map(str, options)])


def embedding() -> np.ndarray:
    """The generator's embedding, which is its output layer as well, from its safetensors file."""
    raw = (GENERATOR / "model.safetensors").read_bytes()
    header_size = int.from_bytes(raw[:8], "little")
    entry = json.loads(raw[8 : 8 + header_size])["model.embed_tokens.weight"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(raw[8 + header_size + begin : 8 + header_size + end], np.float32).reshape(entry["shape"])


@pytest.mark.usefixtures("needs_torch")
def test_last_states_predict_the_log_probabilities_that_the_engine_recorded(tmp_path: Path) -> None:
    assert internals(SAMPLE, "--row", 3, "--model", GENERATOR, "--hidden", tmp_path / "states.json") == 0
    found = json.loads((tmp_path / "states.json").read_text())
    trace = traces_of(read_rows(SAMPLE))[2]
    assert trace.token_ids is not None
    assert trace.logprobs is not None
    tokens, recorded = list(chain(*trace.token_ids)), np.array(list(chain(*trace.logprobs)), dtype=np.float64)
    assert found["groups"] == [k for k, step in enumerate(trace.token_ids) for _ in step]
    predicted = log_softmax(np.array(found["activations"]) @ embedding().T)
    np.testing.assert_allclose([predicted[i, token] for i, token in enumerate(tokens[1:])], recorded[1:], atol=2e-4)


@pytest.mark.usefixtures("needs_torch")
@pytest.mark.parametrize(("model", "n_layers"), [(GENERATOR, 4), (REWARD_MODEL, 6)], ids=["generator", "reward model"])
def test_what_is_written_is_what_the_tools_read(
    model: Path, n_layers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attention, states = tmp_path / "attention.json", tmp_path / "states.json"
    answers = []
    for maps in ((), ("--maps",)):
        assert internals(SAMPLE, "--model", model, "--row", 1, "--attention", attention, *maps) == 0
        assert main(["entropy", "attention", str(attention), "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    of_rows, of_maps = answers
    assert (len(of_rows["layers"]), len(of_rows["heads"])) == (n_layers, 4 * n_layers)
    assert [head["entropy"] for head in of_maps["heads"]] == pytest.approx([h["entropy"] for h in of_rows["heads"]], abs=1e-4)
    trace = traces_of(read_rows(SAMPLE))[0]
    assert [step["step"] for step in of_rows["steps"]] == list(range(len(trace.steps)))
    assert trace.token_ids is not None
    assert [step["n_queries"] for step in of_rows["steps"]] == [len(step) for step in trace.token_ids]
    options = ("--model", model, "--row", 1, "--hidden", states, "--layer", 2, "--group", "correct")
    assert internals(SAMPLE, *options) == 0
    assert main(["entropy", "features", str(states), "--json", "--epochs", "3"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["neurons"], len(answer["groups"])) == (256, 1)


@pytest.mark.usefixtures("needs_torch")
def test_steps_without_token_ids_are_read_as_text(tmp_path: Path) -> None:
    whole = traces_of(read_rows(SAMPLE))[0]
    assert whole.token_ids is not None
    path = tmp_path / "text.jsonl"
    path.write_text(Trace(problem=whole.problem, steps=whole.steps).model_dump_json(exclude_none=True))
    assert internals(path, "--model", GENERATOR, "--hidden", tmp_path / "text.json") == 0
    assert internals(SAMPLE, "--row", 1, "--model", GENERATOR, "--hidden", tmp_path / "ids.json") == 0
    text, ids = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("text", "ids"))
    # The recorded ids end with the end of the turn, which the text does not have.
    assert text["groups"] == ids["groups"][:-1]
    np.testing.assert_allclose(text["activations"], ids["activations"][:-1], atol=1e-4)


@pytest.mark.usefixtures("needs_torch")
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"problem": None}, (), "`traces.0.problem` is missing"),
        ({"steps": [], "token_ids": None}, (), "`traces.0.steps` is empty"),
        ({"token_ids": [[9_999]]}, (), "`traces.0.token_ids` has 9999"),
        ({"token_ids": [[5] * 600]}, (), "the model reads at most 512"),
        ({}, ("--layer", 9), "`layer` is 9"),
        ({}, ("--group", "correct"), "`traces.0.correct` is missing"),
        ({}, ("--hidden", "missing/states.json"), "Cannot write"),
    ],
)
def test_what_the_model_cannot_read_is_refused(
    change: dict[str, object], options: tuple[object, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps({"problem": "1 + 1?", "steps": ["1 + 1 = 2."], **change}))
    assert internals(path, "--model", GENERATOR, "--hidden", tmp_path / "states.json", *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "`attention` and hidden are missing"),
        (("--attention", "a.json"), "`row` is missing"),
        (("--hidden", "h.json", "--maps"), "`maps` needs attention"),
        (("--hidden", "h.json", "--row", 0), "`row` is 0"),
        (("--hidden", "h.json", "--row", 999), "`row` is 999"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_before_a_model_is_loaded(
    options: tuple[object, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert internals(SAMPLE, "--model", "nowhere", *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("needs_torch")
def test_a_directory_without_a_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert internals(SAMPLE, "--model", tmp_path, "--hidden", tmp_path / "h.json") == 2
    assert "has no config.json" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    assert internals(SAMPLE, "--model", tmp_path, "--hidden", tmp_path / "h.json") == 2
    assert "Cannot load a model" in capsys.readouterr().err


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    command = ("trace", "internals", str(SAMPLE), "--model", str(GENERATOR), "--hidden", str(tmp_path / "h.json"))
    done = ended(*without("torch"), *command)
    assert done.returncode == 1
    assert "[torch]" in done.stderr
