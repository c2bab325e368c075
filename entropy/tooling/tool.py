"""A tool: a question about reasoning traces, the paper that answers it, and how to ask it over HTTP or on the command line.

To add a tool, make a folder ``entropy/NAME/`` with

- ``maths.py``: plain functions over arrays that return frozen dataclasses;
- ``schema.py``: models of the input, with an example, and of the output;
- ``display.py``: the conclusion, the tables and the picture of an output;
- ``tool.py``: the computation, the conversion of traces, and the :class:`Tool` itself;
- ``loss.py``, if the quantity can be trained on: the same over torch tensors.

Then add the tool to ``entropy/registry.py``. Its route, its command and the tests of both are derived from there. Write tests
of the maths in ``tests/entropy/``, a page ``docs/entropy/NAME.md``, whose commands ``make docs-figures`` runs, and a case in
``benchmarks/entropy_speed.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from epf.entropy.core.checks import exclusive, refuse
from epf.entropy.core.schema import Result, Strict
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

In = TypeVar("In", bound=Strict)
Out = TypeVar("Out", bound=Result)

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an answer: its title, the names of its columns, and its rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Tool(Generic[In, Out]):
    """One way to score reasoning traces.

    Attributes:
        name: name of the endpoint and the command, in lower case with hyphens.
        question: the question that the tool answers, as a person with traces would ask it.
        paper: title and identifier of the paper.
        input: model of the request's body, with an example; a :class:`TraceInput` if traces can be converted to it.
        arrays: names of the input's arrays, which traces can replace; without any of them there is nothing to compute.
        output: model of the answer.
        run: computes the answer; raises ``InvalidRequest`` for invalid input that the model does not refuse.
        from_traces: fills in the input's arrays from traces; None for a tool that takes arrays only.
        conclusion: what the answer says, as a sentence.
        tables: formats the answer as tables.
        plot: draws the answer into an empty figure, whose size it may change.
        one_of: whether one of ``arrays`` is enough.
    """

    name: str
    question: str
    paper: str
    input: type[In]
    arrays: tuple[str, ...]
    output: type[Out]
    run: Callable[[In], Out]
    from_traces: Callable[[Sequence[Trace], In], In] | None
    conclusion: Callable[[Out], str]
    tables: Callable[[Out], Sequence[Table]]
    plot: Callable[[Out, "Figure"], None]
    one_of: bool = False

    @property
    def needs(self) -> str:
        """The arrays, as a phrase."""
        return (" or " if self.one_of else " and ").join(self.arrays)

    @property
    def endpoint(self) -> str:
        """The path of the HTTP route."""
        return f"/entropy/{self.name}"

    @property
    def example(self) -> dict[str, Any]:
        """A complete request: the first example of the input's schema."""
        example: dict[str, Any] = self.input.model_json_schema()["examples"][0]
        return example

    def answer(self, given: In) -> Out:
        """Answers for arrays or traces. Raises ``InvalidRequest`` for invalid input, ``NotInstalled`` for a missing library."""
        traces = given.gathered() if isinstance(given, TraceInput) else []
        arrays = given.model_fields_set & set(self.arrays)
        if traces and arrays:
            raise exclusive(min(arrays), "traces")
        if traces and self.from_traces is not None:
            given = self.from_traces(traces, given)
        elif not arrays:
            others = ", or traces" if self.from_traces else ""
            raise refuse(self.arrays[0], "is missing", f"give {self.needs}{others}")
        return self.run(given)


AnyTool = Tool[Any, Any]
