"""The flags that name the models of a command, and what is printed of the models that they name."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from epf.cli.command import Option
from epf.core.errors import InvalidRequest
from epf.engines.onnx.pairs import DEFAULT_PAIR, PAIRS

REFERENCE = "reference"
"""Key of a reference in a table of options; see :mod:`epf.engines.reference`, which this module does not import."""

if TYPE_CHECKING:
    from epf.service.searches.models import Models
    from epf.service.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

HEADING = "Models"

GENERATOR = Option(
    ["--generator"],
    metavar="REF",
    heading=HEADING,
    help="The generator: an address such as http://localhost:8001 (several with commas between them), a directory, a name on "
    f"the hub, or a pair of this package: {', '.join(PAIRS)}.  [default: EPF_GENERATOR, or {DEFAULT_PAIR.name}]",
)
REWARD_MODEL = Option(
    ["--reward-model"],
    metavar="REF",
    heading=HEADING,
    multiple=True,
    help="The reward model, in the same way, or none. Several multiply their odds: repeat the option.  [default: "
    "EPF_REWARD_MODEL, or that of the generator's pair, and none for any other generator]",
)
FAMILY = Option(
    ["--family"],
    metavar="NAME",
    heading=HEADING,
    help="Family of the reward model, its prompt format; judge for any chat model.  [default: EPF_REWARD_MODEL__FAMILY, or "
    "found by the model's name]",
)
TOKENIZER = Option(
    ["--tokenizer"],
    metavar="DIR|NAME",
    heading=HEADING,
    help="Tokenizer of the generator, where it is not found by the model's name.  [default: EPF_GENERATOR__TOKENIZER]",
)
EXAMPLES = Option(
    ["--examples"],
    metavar="FILE",
    heading=HEADING,
    help="Solved problems that the generator reads before each problem (JSON Lines with `problem` and `solution`).  "
    "[default: EPF_GENERATOR__EXAMPLES]",
)
SYSTEM_PROMPT = Option(
    ["--system-prompt"],
    metavar="TEXT",
    heading=HEADING,
    help="System prompt for conversations that have none; an empty one sends none.  [default: EPF_GENERATOR__SYSTEM_PROMPT, or "
    "one that asks for steps and a boxed answer]",
)
PROFILE = Option(
    ["--profile"],
    metavar="FILE|none",
    heading=HEADING,
    help="Profile of both models that epf tune has written: defaults for the options of epf; none leaves out that of an "
    "embedded pair.  [default: EPF_PROFILE]",
)
SCORING_TOKENIZER = Option(
    ["--tokenizer"],
    metavar="DIR|NAME",
    heading=HEADING,
    help="Tokenizer of the reward model, where it is not found by the model's name.  [default: EPF_REWARD_MODEL__TOKENIZER]",
)


ALL = (GENERATOR, REWARD_MODEL, FAMILY, TOKENIZER, EXAMPLES)


def model_options(*options: Option) -> Callable[[Function], Function]:
    """Add flags that name models to the function of a command, by default all five; they come as ``**references``."""

    def add(function: Function) -> Function:
        for option in reversed(options or ALL):
            declared = getattr(function, "__click_params__", [])
            function.__click_params__ = [*declared, option]  # type: ignore[attr-defined]
        return function

    return add


def named_models(
    generator: str | None = None,
    reward_model: Sequence[str] = (),
    family: str | None = None,
    tokenizer: str | None = None,
    examples: str | None = None,
    system_prompt: str | None = None,
    profile: str | None = None,
) -> dict[str, Any]:
    """What the flags set, as arguments of :func:`epf.cli.settings.read_settings`."""
    prompting = {"tokenizer": tokenizer, "examples": examples, "system_prompt": system_prompt}
    models = _given(generator={REFERENCE: generator, **prompting}, reward_model=_several(reward_model, family=family))
    return models if profile is None else {**models, "profile": profile}


def scoring_models(
    generator: str | None, reward_model: Sequence[str], family: str | None, tokenizer: str | None
) -> dict[str, dict[str, Any]]:
    """What the flags set where only the reward model is loaded, to which the tokenizer then belongs."""
    return _given(generator={REFERENCE: generator}, reward_model=_several(reward_model, family=family, tokenizer=tokenizer))


def _several(reward_models: Sequence[str], **options: str | None) -> dict[str, Any]:
    """The options of the first reward model, with the others among them. Several replace those that the environment adds."""
    if not reward_models:
        return options
    first, *others = reward_models
    for name, value in options.items():
        if others and value is not None:
            message = f"--{name} could belong to each of {len(reward_models)} reward models: "
            message += "name the first with --reward-model, and the others in EPF_REWARD_MODEL__ALSO with what belongs to each "
            message += "(see docs/models.md)."
            raise InvalidRequest(message, param=name)
    return {REFERENCE: first, **options, **({"also": others} if others else {})}


def _given(**tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    given = {name: {key: value for key, value in table.items() if value is not None} for name, table in tables.items()}
    return {name: table for name, table in given.items() if table}


@asynccontextmanager
async def announced_models(settings: "Settings") -> "AsyncIterator[Models]":
    """The models of the settings, closed at the end; what was found is printed on standard error."""
    from epf.service.searches.found import found
    from epf.service.searches.models import open_models

    async with open_models(settings) as models:
        for line in found(settings, models):
            print(f"epf: {line}", file=sys.stderr, flush=True)
        yield models
