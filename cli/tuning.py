"""The run of ``epf tune``: what it finds, line by line, and the file."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from epf.cli.loading import loaded, notice
from epf.evaluation.profile.learn import affordable, learn
from epf.evaluation.profile.searches import SHARED, Searches
from epf.evaluation.profile.tune import FEW_SEARCHES
from epf.evaluation.worker import LoadModels, Worker
from epf.problem_sets.problem import Problem
from epf.search.options import SearchOptions
from epf.search.profile.file import check_place, save_profile
from epf.search.profile.profile import Profile
from epf.service.settings import Settings

UNNAMED = "epf.profile.json"
"""Stands for the file of a profile until its models are loaded."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for; ``out`` None names the file after the models."""

    dataset: str
    problems: Sequence[Problem]
    budget_s: float
    concurrency: int
    out: Path | None
    dry_run: bool


def run(asked: Asked, settings: Settings, load_models: LoadModels) -> int:
    """Learn, print what was found, and write the profile; the exit code."""
    if not asked.dry_run:
        check_place(asked.out or Path(UNNAMED))
    profile = asyncio.run(_learn(asked, settings, load_models))
    path = asked.out or Path(profile.file_name)
    for line in changes(profile):
        print(line)
    for warning in hidden(profile, settings):
        print(f"epf: {warning}", file=sys.stderr)
    if asked.dry_run:
        print(f"Nothing is written (--dry-run). The profile would be {path}.")
        return 0
    save_profile(profile, path)
    print(f"To use it: EPF_PROFILE={path}")
    return 0


async def _learn(asked: Asked, settings: Settings, load_models: LoadModels) -> Profile:
    notices = ExitStack()
    notices.enter_context(notice("loading the models"))
    async with loaded(load_models, notices) as models:
        worker = Worker(models)
        generator, reward_model = worker.models
        assert reward_model is not None, "the settings have a reward model"
        shared = {name: value for name, value in settings.search.chosen().items() if name in SHARED}
        searches = Searches(asked.problems, worker, concurrency=asked.concurrency, shared=shared)
        n_searches = await affordable(searches, asked.budget_s)
        few = ", which confirm large gains only: raise --budget-minutes" if n_searches < FEW_SEARCHES else ""
        print(f"epf: about {n_searches} searches fit into {asked.budget_s / 60:g} minutes{few}", file=sys.stderr, flush=True)
        return await learn(searches, (generator, reward_model), n_searches, asked.dataset, _note)


def _note(finding: str) -> None:
    print(f"- {finding}", flush=True)


def changes(profile: Profile) -> list[str]:
    """The options that differ from the defaults, one line each."""
    title = f"Profile of {profile.generator} with {profile.reward_model}:"
    if not profile.options:
        return [f"{title} the defaults of epf stay."]
    before = SearchOptions()
    return [title, *(f"  {name}: {getattr(before, name)} -> {value}" for name, value in profile.options.items())]


def hidden(profile: Profile, settings: Settings) -> list[str]:
    """A warning for each option of the profile that has no effect, since a setting wins over it."""
    both = sorted(profile.options.keys() & settings.search.chosen().keys())
    return [f"{name} is set (EPF_SEARCH__{name.upper()}) and wins over the profile: unset it" for name in both]
