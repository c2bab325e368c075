"""Several reward models on the command line, in settings and in Python, as docs/models.md shows them."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from epf.cli.main import main
from epf.reward_models.calibration import Calibration
from epf.service.scoring_app import create_scoring_app
from tests.examples import blocks, examples
from tests.fakes import ScriptedRewardModel
from tests.generators.openai.completions_server import completions_app
from tests.service.serving import served
from tests.tiny_model import write_model

PAGE = "docs/models.md"
PROBLEM = "There are 45 birds on a wire. 17 fly away. How many are left?"
STEP = "45 - 17 = 28."
NAMES = {"scripted-reward-model", "other-reward-model"}

AtTheServers = Callable[[Callable[[Callable[[str], str]], None]], None]


class Other(ScriptedRewardModel):
    """The same scores by another name."""

    name = "other-reward-model"


@pytest.fixture
def at_the_servers(tmp_path: Path) -> AtTheServers:
    """Run a function next to the servers of the page; it gets a function that puts their addresses into a text."""
    write_model(tmp_path / "tiny", "generator")

    def run(work: Callable[[Callable[[str], str]], None]) -> None:
        async def next_to_servers() -> None:
            async with (
                served(completions_app(tmp_path / "tiny", by_ids=True)) as generator,
                served(create_scoring_app(ScriptedRewardModel())) as first,
                served(create_scoring_app(Other())) as second,
            ):
                ports = dict(zip(("8001", "8002", "8003"), (port for _, port in (generator, first, second)), strict=True))

                def in_place(text: str) -> str:
                    return re.sub(r"localhost:(800[123])", lambda found: f"127.0.0.1:{ports[found[1]]}", text)

                await asyncio.to_thread(work, in_place)

        asyncio.run(next_to_servers())

    return run


def the(command: str) -> list[str]:
    """The words of the page's only command that matches."""
    (found,) = (example.command for example in examples(PAGE, "") if re.search(command, example.command))
    return shlex.split(found)


def printed(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints in JSON."""
    assert main(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)


def odds(p: float) -> float:
    return p / (1 - p)


def test_two_on_the_command_line(
    at_the_servers: AtTheServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ("--n-particles", "2", "--max-steps", "2", "--max-tokens-per-step", "4", "--tokenizer", str(tmp_path / "tiny"))

    def work(in_place: Callable[[str], str]) -> None:
        program, verb, *models = map(in_place, the(r"--reward-model \S+ --reward-model"))
        assert (program, verb) == ("epf", "serve")
        monkeypatch.setenv("EPF_GENERATOR__SYSTEM_PROMPT", "")  # the context of the tiny model has no room for one
        assert main(["solve", "--json", *models, *limits, PROBLEM]) == 0
        captured = capsys.readouterr()
        found = re.findall(r"reward model ([\w-]+): epf serve-prm at http://127\.0\.0\.1:\d+", captured.err)
        assert set(found) == NAMES, captured.err
        usage = json.loads(captured.out)["usage"]
        assert set(usage["prm_tokens_of"]) == NAMES
        assert usage["prm_tokens"] == sum(usage["prm_tokens_of"].values()) > 0

    at_the_servers(work)


def test_each_with_settings_of_its_own(
    at_the_servers: AtTheServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slopes = {"first.json": 0.5, "second.json": 2.0}
    monkeypatch.chdir(tmp_path)
    for (file, slope), model in zip(slopes.items(), ("scripted-reward-model", "other-reward-model"), strict=True):
        Calibration(model=model, method="platt", n=1, slope=slope).save(tmp_path / file)

    def work(in_place: Callable[[str], str]) -> None:
        for word in map(in_place, [*the("EPF_REWARD_MODEL=")[1:], *the("EPF_REWARD_MODEL__ALSO=")[1:]]):
            monkeypatch.setenv(*word.split("=", 1))
        found = printed(["score", "--json", PROBLEM, STEP], capsys)
        assert set(found["model"].split(" * ")) == NAMES
        assert odds(found["scores"][0]) == pytest.approx(odds(0.8) ** sum(slopes.values()))
        flag = ["--reward-model", in_place("http://localhost:8002")]
        assert printed(["score", "--json", *flag, PROBLEM, STEP], capsys) == found, "one flag replaces the first model"

    at_the_servers(work)


def test_a_list_in_python(at_the_servers: AtTheServers, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (block for block in blocks(PAGE, "python") if "reward_model=readers" in block)
    limits = "n_particles=2, max_steps=2, max_tokens_per_step=4"
    generator = f"GeneratorOptions(url='http://localhost:8001', tokenizer={str(tmp_path / 'tiny')!r}, system_prompt='')"
    with_options = code.replace('generator="http://localhost:8001"', f"generator={generator}, {limits}")
    assert with_options != code

    def work(in_place: Callable[[str], str]) -> None:
        exec(in_place(f"from epf import GeneratorOptions\n{with_options}"), {})
        _, of = capsys.readouterr().out.split(maxsplit=1)
        assert set(re.findall(r"'([\w-]+)'", of)) == NAMES

    at_the_servers(work)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stories", "stories"), "The reward model stories is named twice: leave one of them out."),
        (("stories", "none"), "reward_model.also: each item must name one reward model"),
        (("stories", "storie"), "reward_model.also, item 1: reward_model: 'storie' names no model (did you mean 'stories'?)"),
        (("none", "stories"), "reward_model.also (EPF_REWARD_MODEL__ALSO) has no effect"),
        (("stories", "plain", "--family", "judge"), "--family could belong to each of 2 reward models"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *more = arguments
    assert main(["score", "--reward-model", first, "--reward-model", second, *more, PROBLEM, STEP]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("epf: "))
    assert line.startswith(f"epf: {message}")
