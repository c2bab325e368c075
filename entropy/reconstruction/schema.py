"""Input and output of ``reconstruction``."""

from typing import Annotated, Literal

from pydantic import Field

from epf.entropy.core.information import Unit
from epf.entropy.core.schema import Label, Result, Strict, example
from epf.entropy.traces import TraceInput

MAX_COLUMNS = 64

Labels = Annotated[list[Label], Field(min_length=1)]


class ReconstructionInput(TraceInput):
    """Columns of labels, one label per trace, and the column to recover from the others; or traces."""

    model_config = example(
        columns={"answer": ["4", "4", "6", "6"], "step_1": ["add", "add", "times", "times"], "step_2": [1, 2, 1, 2]},
        target="answer",
    )

    columns: dict[str, Labels] = Field(
        {},
        max_length=MAX_COLUMNS,
        description="Labels of each trace by the name of the column: step labels, score bins, cluster ids, answers.",
    )
    target: str | None = Field(
        None, description="Column to recover. Default for traces: `correct` if it is known, otherwise `answer`."
    )
    min_count: int = Field(
        1, ge=1, description="Minimum number of occurrences of a pair of values that counts towards the meet of two columns."
    )
    unit: Unit = Field("nats", description="Unit of information.")
    use: list[str] = Field(
        [],
        max_length=MAX_COLUMNS,
        description="For traces: the columns to use; default: all. Columns are answer, correct, n_steps, first_score, "
        "lowest_score, last_score, each label, and for traces of a single problem step_1, step_2, ...",
    )
    bins: int = Field(4, ge=2, le=64, description="For traces: number of bins of equal share for scores.")


class ColumnOut(Strict):
    """One column."""

    name: str
    n_values: int = Field(description="Number of distinct values.")
    entropy: float
    distance: float = Field(description="Rajski distance to the variable that is recovered, in [0, 1].")
    dependency: float = Field(description="1 - distance.")
    tells: float = Field(description="Mutual information with the target.")
    lost_without: float = Field(
        description="Loss of information about the target if this column is removed; 0 if the column is redundant."
    )


class PairOut(Strict):
    """Two columns."""

    a: str
    b: str
    shannon: float = Field(description="Shannon distance H(a|b) + H(b|a).")
    rajski: float = Field(description="Shannon distance over joint entropy, in [0, 1].")
    information: float = Field(description="Mutual information.")
    join: float = Field(description="Joint entropy of both columns.")
    meet: float = Field(description="Entropy of the common information, at most the mutual information.")


class ReconstructionOutput(Result):
    """Whether the target can be recovered, and how much each column contributes."""

    target: str
    unit: Unit
    n_samples: int
    verdict: Literal["exact", "impossible", "incomplete"] = Field(
        description="`exact`: the columns determine the target in this sample. `impossible`: the distances prove that they do "
        "not. `incomplete`: the distances would allow it, but the columns do not determine the target."
    )
    unknown: float = Field(description="Conditional entropy of the target given all columns.")
    target_entropy: float
    recovers: Literal["target", "state"] = Field(
        description="Variable to which the condition applies: the target if all columns are functions of it, otherwise the "
        "state, target and columns together."
    )
    sum_distance: float = Field(description="Sum of the columns' Rajski distances to this variable.")
    bound: float = Field(description="n - 1; recovery is impossible if the sum is larger (Theorem 1).")
    delta: float = Field(
        description="Distance of this variable to all columns together; the sum is between delta and bound + delta."
    )
    independent: bool = Field(
        description="Whether the columns are independent; the condition is then also sufficient (Theorem 2)."
    )
    missing_values: int = Field(
        description="Number of values of a label that would complete the columns; 1 if nothing is missing."
    )
    missing_entropy: float = Field(description="Entropy of that label.")
    sufficient: list[str] = Field(description="Columns that carry as much information about the target as all columns.")
    sufficient_is_smallest: bool = Field(
        description="True if no smaller set is sufficient; false if it is only known that none of these can be removed."
    )
    columns: list[ColumnOut]
    pairs: list[PairOut]
