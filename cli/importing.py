"""Writes responses of OpenAI-like servers as traces, for ``epf trace import``."""

import sys
from pathlib import Path

from epf.core.errors import InvalidRequest
from epf.entropy.completions.traces import reports_error
from epf.entropy.core.checks import refuse
from epf.entropy.traces import Trace, is_trace, read_rows, traces_of
from epf.search.answers.extract import final_answer


def write(file: Path, out: Path | None) -> None:
    """Write the traces of a file, one JSON object per line, into ``out`` or to standard output.

    Raises:
        InvalidRequest: the file or one of its rows is not usable, it has no traces, or ``out`` cannot be written.
    """
    rows = read_rows(file)
    if not is_trace(rows[0][1]):
        raise refuse("file", "has no responses", "give chat completions, completions or responses with log probabilities")
    traces = [_answered(trace) for trace in traces_of(rows)]
    if not traces:
        raise refuse("file", "has no choices", "give responses that are not errors")
    if n_failed := sum(reports_error(row) for _, row in rows):
        print(f"{n_failed} of {len(rows)} rows report an error and give no trace.", file=sys.stderr)
    if (n_without := sum(trace.problem is None for trace in traces)) > 1:
        note = "tools that compare solutions take them for solutions of one problem. Add the texts if they are not."
        print(f"{n_without} of {len(traces)} traces have no problem: {note}", file=sys.stderr)
    text = "".join(trace.model_dump_json(exclude_defaults=True) + "\n" for trace in traces)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"Cannot write {out}: {error.strerror}.", param="out") from None
    print(f"{len(traces)} traces in {out}", file=sys.stderr)


def _answered(trace: Trace) -> Trace:
    """The trace with the final answer that its text contains."""
    answer = final_answer("\n\n".join(trace.steps)) if trace.answer is None else trace.answer
    return trace.model_copy(update={"answer": answer})
