"""What a tool is: a question about reasoning traces, the paper that answers it, and what HTTP and command line need to ask it.

To add a tool: write the maths in ``entropy/NAME.py`` (plain functions over arrays that return frozen dataclasses), bind it in
``entropy/tools/NAME.py`` (input with an example, output, table and picture), and add the binding to ``entropy/registry.py``.
Its route, its command, and the tests of both are made from that. Beside them it gets tests of its maths in ``tests/entropy/``,
a section of docs/entropy.md, whose commands ``make docs-figures`` runs, and a case in ``benchmarks/entropy_speed.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from epf.entropy.core.checks import refuse
from epf.entropy.core.schema import Result, Strict
from epf.entropy.traces import Trace, TraceInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

In = TypeVar("In", bound=Strict)
Out = TypeVar("Out", bound=Result)

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """What the command line prints: a title, the names of the columns and the rows, all of that length."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Tool(Generic[In, Out]):
    """One way to score reasoning traces.

    Attributes:
        name: of the endpoint and the command, in small letters with hyphens.
        question: that the tool answers, as a person with traces would ask it.
        paper: title and identifier.
        input: model of the request's body, with an example; a :class:`TraceInput` if it may be made of traces.
        arrays: names of its fields without which there is nothing to compute, and which traces take the place of.
        output: model of the answer.
        run: computes the answer; raises ``InvalidRequest`` for input that the model cannot refuse.
        from_traces: the same input with its arrays filled in from traces; None for a tool that takes arrays only.
        tables: the answer for a terminal.
        plot: draws the answer into an empty figure, whose size it may change.
        one_of: one of ``arrays`` is enough.
    """

    name: str
    question: str
    paper: str
    input: type[In]
    arrays: tuple[str, ...]
    output: type[Out]
    run: Callable[[In], Out]
    from_traces: Callable[[Sequence[Trace], In], In] | None
    tables: Callable[[Out], Sequence[Table]]
    plot: Callable[[Out, "Figure"], None]
    one_of: bool = False

    @property
    def needs(self) -> str:
        """Its arrays, as a phrase."""
        return (" or " if self.one_of else " and ").join(self.arrays)

    @property
    def endpoint(self) -> str:
        """Path of the HTTP route."""
        return f"/entropy/{self.name}"

    @property
    def example(self) -> dict[str, Any]:
        """A whole request, the first example of the input's schema."""
        example: dict[str, Any] = self.input.model_json_schema()["examples"][0]
        return example

    def answer(self, given: In) -> Out:
        """Answer for arrays or traces. Raises ``InvalidRequest`` for bad input, ``NotInstalled`` for a missing library."""
        traces = given.gathered() if isinstance(given, TraceInput) else []
        arrays = given.model_fields_set & set(self.arrays)
        if traces and arrays:
            raise refuse(min(arrays), "is given beside traces", "give one or the other")
        if traces and self.from_traces is not None:
            given = self.from_traces(traces, given)
        elif not arrays:
            others = ", or traces" if self.from_traces else ""
            raise refuse(self.arrays[0], "is missing", f"give {self.needs}{others}")
        return self.run(given)


AnyTool = Tool[Any, Any]
