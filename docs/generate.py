"""The generated parts of the pages: ``cog -r -I docs docs/*.md`` writes them, ``cog --check ...`` compares them."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from benchmarks.regimes.page import short_table
from benchmarks.regimes.summary import Line
from epf.core.errors import SearchServiceError
from epf.diagnosis.check import Check
from epf.diagnosis.endpoint import Endpoint
from epf.diagnosis.generator_server import GeneratorServer
from epf.diagnosis.reward_checks import RewardChecks
from epf.diagnosis.sampling_checks import SamplingChecks
from epf.diagnosis.token_checks import TokenChecks
from epf.engines.onnx.pairs import STORIES
from epf.reward_models.families.registry import FAMILIES
from epf.reward_models.judge import PROMPTS
from epf.search.engine.warnings import MEANINGS
from epf.search.methods import METHODS
from epf.search.options import SearchOptions
from epf.service.operations.metrics import SearchMetrics
from epf.service.settings import SearchDefaults, Settings
from epf.training.plain.cards import figures
from tests.clients import matrix
from tests.diagnosis.scenarios import SCENARIOS, output_of
from tests.servers.chat_quirks import QUIRKS
from tests.servers.scorers import SETUPS

ROOT = Path(__file__).parent.parent

JUDGES = {
    "judge": "Any chat model, asked for a verdict on the steps so far.",
    "judge-direct": "Any chat model, asked for one word instead of a critique.",
    "thinkprm": "launch/ThinkPRM-1.5B and -14B (arXiv 2504.16828), which think about every step and end with a verdict.",
}


def settings() -> str:
    """Every setting: variable, default, description."""
    rows = [(f"`{variable}`", _default(field), field.description) for variable, field in _settings(Settings, "EPF_")]
    return _table(("variable", "default", "description"), rows)


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        variable, kind = f"{prefix}{name.upper()}", field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not SearchDefaults:
            yield from _settings(kind, f"{variable}__")
        else:
            yield variable, field


def _default(field: FieldInfo) -> str:
    """The default as written in the environment; empty if there is no default."""
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", {}, ()) or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def methods() -> str:
    """Every method: name, what it does, and the options that it reads in addition to the common ones."""
    rows = []
    for method in METHODS.values():
        own = [f"`{name}`" for name in SearchOptions.model_fields if name in method.own and method.reads(name)]
        rows.append((f"`{method.name}`", method.summary, ", ".join(own)))
    return _table(("method", "what it does", "reads in addition"), rows)


def regimes() -> str:
    """What methods solve in worlds that are known exactly."""
    recorded = json.loads((ROOT / "benchmarks" / "results" / "regimes.json").read_text(encoding="utf-8"))
    return short_table([Line(**line) for line in recorded["lines"]]) + "\n"


def options(*, research: bool) -> str:
    """The options of a search, or those for research: name, default, allowed values, description."""
    rows = []
    for name, schema in SearchOptions.model_json_schema()["properties"].items():
        if schema.get("x-research", False) == research:
            default = schema.get("default")
            shown = "" if default in (None, []) else f"`{_json(default)}`"
            description = SearchOptions.model_fields[name].description
            rows.append((f"`{name}`", shown, _allowed(schema), description))
    return _table(("option", "default", "allowed", "description"), rows)


def _allowed(schema: dict[str, Any]) -> str:
    """The values that a schema allows, in a few words."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind = kinds[0]
    if "enum" in kind:
        return "see above" if len(kind["enum"]) > 8 else ", ".join(f"`{value}`" for value in kind["enum"])
    if kind["type"] == "boolean":
        return "`true`, `false`"
    if kind["type"] == "array":
        return f"at most {kind['maxItems']} " + ("texts" if kind["items"]["type"] == "string" else "numbers")
    if kind["type"] == "string":
        return f"at most {kind['maxLength']} characters"
    return " and ".join(_bounds(kind))


def _bounds(schema: dict[str, Any]) -> Iterator[str]:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    for name, word in words.items():
        if name in schema:
            bound = schema[name]
            yield f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound:g}"


def _json(value: object) -> str:
    return repr(value).replace("True", "true").replace("False", "false").replace("'", '"')


def families() -> str:
    """Every PRM family: its name and the models that it is for."""
    rows = [(f"`{name}`", "`vllm`, `http`", _first_sentence(load)) for name, load in FAMILIES.items()]
    rows += [(f"`{name}`", "`http`", JUDGES[name]) for name in PROMPTS]
    return _table(("family", "kind", "models"), rows)


def scorers() -> str:
    """Every way to serve a reward model that is tested: the command that starts the server and the one that uses it."""
    return "\n".join(f"{setup.title}:\n\n```sh\n{setup.start}\n{setup.use}\n```\n" for setup in SETUPS)


def servers() -> str:
    """Every quirk of servers that is tested: what they do, where it was seen, what epf does, the cases that are tested."""
    rows = [(q.name, q.servers, q.result, f"{len(q.scripts)}: {', '.join(q.scripts)}") for q in QUIRKS]
    return _table(("what a server does", "seen with", "what epf does", "tested"), rows)


def clients() -> str:
    """What each client could do when ``make test-clients RECORD=1`` ran last."""
    return matrix.markdown()


def _first_sentence(load: Callable[..., object]) -> str:
    text = inspect.getdoc(inspect.getmodule(load)) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "`")


def errors() -> str:
    """Every error of the service: status, code, type, whether to send the request again, meaning."""
    rows = []
    for kind in _subclasses(SearchServiceError):
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        rows.append((kind.status, f"`{kind.code}`", f"`{kind.type}`", "yes" if kind.retryable else "no", meaning))
    rows.sort(key=lambda row: (row[0], row[1]))
    return _table(("status", "code", "type", "retry", "meaning"), rows)


def _subclasses(kind: type[SearchServiceError]) -> Iterator[type[SearchServiceError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("epf."):
            yield child
            yield from _subclasses(child)


def warnings() -> str:
    """Every warning of a result: code, meaning."""
    return _table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in MEANINGS.items()])


def metrics() -> str:
    """Every metric of ``epf serve``: name, type, meaning."""
    rows = []
    for metric in SearchMetrics().registry.collect():
        if metric.name.startswith("epf_"):
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            rows.append((f"`{name}`", metric.type, metric.documentation))
    return _table(("metric", "type", "meaning"), rows)


def results() -> str:
    """The table of all methods that ``make bench-methods`` measured."""
    return _table_of("methods/table.md")


def forks(pair: str) -> str:
    """The first table of what ``make bench-forks`` measured with the reward model of a pair."""
    page = (ROOT / "benchmarks" / "results" / "forks.md").read_text(encoding="utf-8")
    return page.split(f"## Reward model of `{pair}`")[1].strip().split("\n\n")[0] + "\n"


def tuning() -> str:
    """The table of what ``make bench-tune`` measured."""
    return _table_of("tuning.md")


def readers() -> str:
    """The table of what ``make bench-readers`` measured."""
    return _table_of("readers.md")


def confidence(pair: str) -> str:
    """The table of what ``make bench-confidence`` measured for a pair."""
    return _table_of(f"confidence_{pair}.md")


def plain() -> str:
    """The table of what ``make bench-plain`` measured."""
    found = json.loads((ROOT / "benchmarks" / "results" / "plain.json").read_text(encoding="utf-8"))
    return figures(found) + "\n"


def real_model() -> str:
    """The table of what ``make bench-real`` measured."""
    return _table_of("real_model.md")


def epf_help(*command: str) -> str:
    """What ``epf COMMAND --help`` prints, 80 columns wide and without colours."""
    plain = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "PATH": os.environ["PATH"]}
    code = "import sys; from epf.cli.main import main; sys.exit(main())"
    run = [sys.executable, "-c", f"import sys; sys.argv[0] = 'epf'; {code}", *command, "--help"]
    done = subprocess.run(run, env=plain, capture_output=True, text=True, check=True, timeout=60)
    text = re.sub(r"[ \t]+$", "", done.stdout, flags=re.MULTILINE).strip()
    return f"```text\n{text}\n```\n"


def checks() -> str:
    """Every check of ``epf doctor``: what it belongs to, its name, and what is checked."""
    endpoint, unused = Endpoint("http://localhost:8001", "the generator", ""), cast(Any, None)
    groups: list[tuple[str, Iterable[Check]]] = [
        ("a server", GeneratorServer(endpoint, None).checks()),
        ("the generator", TokenChecks(STORIES.generator, endpoint, "").checks()),
        ("the generator", SamplingChecks(unused).checks()),
        ("the reward model", RewardChecks(unused).checks()),
    ]
    rows = [(of, check.name, inspect.getdoc(check.run)) for of, each in groups for check in each]
    return _table(("of", "check", "what is checked"), rows)


def doctor() -> str:
    """What ``epf doctor`` prints when something is wrong, each with a heading."""
    return "\n".join(f"**{scenario.title}**\n\n```text\n{output_of(scenario)}```\n" for scenario in SCENARIOS)


def _table_of(result: str) -> str:
    """The table on a page of ``benchmarks/results``."""
    text = (ROOT / "benchmarks" / "results" / result).read_text(encoding="utf-8")
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith("|"))


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
