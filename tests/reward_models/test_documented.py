"""The commands of docs/models.md with which a reward model is served and used, each against its server."""

import asyncio
import os
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from epf.cli.main import main
from epf.engines.onnx.pairs import STORIES
from epf.reward_models.embedded import EmbeddedRewardModel
from epf.reward_models.probe import PROBLEM, RIGHT, WRONG
from epf.service.scoring_app import create_scoring_app
from tests.engines.http.server import upstream
from tests.reward_models.families.opening import write_tokenizer
from tests.servers.scorers import SETUPS, SURE, Setup
from tests.service.serving import served

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
READ_BY_SCORE = ("--reward-model", "--family")


@asynccontextmanager
async def serving(setup: Setup, tokenizer: Tokenizer | None) -> AsyncIterator[str]:
    if setup.script is None:
        async with served(create_scoring_app(EmbeddedRewardModel(STORIES.reward_model))) as (host, port):
            yield f"http://{host}:{port}"
    else:
        script = setup.script
        async with upstream(lambda request: script(request, setup.model, tokenizer)) as server:
            yield server.url


def arguments_of(use: str, url: str) -> tuple[dict[str, str], list[str]]:
    """Variables and arguments of ``epf score`` with the reward model that a command names, at another address."""
    words = shlex.split(use.replace("\\\n", ""))
    variables = dict(word.split("=", 1) for word in words[: words.index("epf")])
    flags = [(flag, words[words.index(flag) + 1]) for flag in READ_BY_SCORE if flag in words]
    return variables, [part for flag, value in flags for part in (flag, url if flag == "--reward-model" else value)]


@pytest.mark.parametrize("setup", SETUPS, ids=[setup.title for setup in SETUPS])
def test_the_documented_command_scores_with_that_server(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    tokenizer = None
    if setup.tokenizer is not None:
        named = re.search(r"TOKENIZER=(\S+)", setup.use)
        write_tokenizer(setup.tokenizer, in_hub_cache(tmp_path, named[1] if named else setup.model))
        (file,) = tmp_path.rglob("tokenizer.json")
        tokenizer = Tokenizer.from_file(str(file))

    async def run() -> list[int]:
        async with serving(setup, tokenizer) as url:
            variables, flags = arguments_of(setup.use, url)
            for name, value in variables.items():
                monkeypatch.setitem(os.environ, name, value)
            return [await asyncio.to_thread(main, ["score", *flags, PROBLEM, *steps]) for steps in (RIGHT, WRONG)]

    codes = asyncio.run(asyncio.wait_for(run(), 30))
    out, err = capsys.readouterr()
    assert codes == [0, 0], err
    scores = [float(line.split()[1]) for line in out.splitlines() if re.match(r"\s+\d+\s+[01]\.\d+", line)]
    assert len(scores) == 4
    right = 1 / (1 + 2.718281828459045**-SURE)
    if setup.script is not None:
        assert scores == pytest.approx([right, right, 1 - right, 1 - right], abs=1e-3)
    assert scores[1] > 0.8 > 0.2 > scores[3]


def in_hub_cache(cache: Path, name: str) -> Path:
    """Directory of the files of a model in the hub's cache."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    return snapshot


def test_every_setup_is_documented() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for setup in SETUPS:
        assert setup.start in page
        assert setup.use in page
