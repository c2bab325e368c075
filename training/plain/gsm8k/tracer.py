"""Turns a row of GSM8K into a template: finds where each number of the calculator annotations comes from."""

import re

from epf.training.plain.gsm8k.constants import means
from epf.training.plain.gsm8k.program import Fixed, Given, Operand, Operation, Result, operations_of, percent_last, run
from epf.training.plain.gsm8k.slots import slots_of
from epf.training.plain.gsm8k.template import Template
from epf.training.plain.problem import PlainProblem, compute, operation_lines, show

ANNOTATION = re.compile(r"<<([^=<>]+)=([^<>]+)>>")


def template_of(question: str, answer: str) -> Template | None:
    """Return the template of a row of GSM8K; ``None`` if a number cannot be traced or no operation has the answer."""
    tracer = _Tracer(_text(question))
    try:
        for expression, shown in ANNOTATION.findall(answer):
            if not tracer.add(_plain(expression), float(_plain(shown))):
                return None
        return tracer.template(_gold(answer))
    except (ValueError, ZeroDivisionError):
        return None


def problem_of(question: str, answer: str) -> PlainProblem | None:
    """Return a row of GSM8K with the numbers that it has; ``None`` if the last operation does not have the answer."""
    lines: list[str] = []
    result = None
    try:
        for expression, _ in ANNOTATION.findall(answer):
            results: list[float] = []
            for left, op, right in operations_of(_plain(expression)):
                a, b = (results[side] if isinstance(side, int) else float(str(side)) for side in (left, right))
                lines += operation_lines(a, op, b)
                results.append(result := round(compute(a, op, b), 9))
        gold = _gold(answer)
        return PlainProblem(_text(question), tuple(lines), show(gold)) if result == gold else None
    except (ValueError, ZeroDivisionError):
        return None


def _text(question: str) -> str:
    return re.sub(r"\$\.(?=\d)", "$0.", " ".join(question.split()))


def _gold(answer: str) -> float:
    return float(_plain(answer.rsplit("####", 1)[1]))


def _plain(expression: str) -> str:
    return re.sub(r"(\d+(?:\.\d+)?)%", r"(\1/100)", re.sub(r"[\s,$]", "", expression)).replace("x", "*").lstrip("0") or "0"


class _Tracer:
    """The text of a problem, its slots, and the operations that have been traced so far with their results."""

    def __init__(self, text: str) -> None:
        self._text, self._slots = text, slots_of(text)
        self._program: list[Operation] = []
        self._results: list[float] = []

    def add(self, expression: str, shown: float) -> bool:
        """Trace the operations of an annotation; whether that works and the result is the one that is shown.

        An annotation without an operation adds nothing.

        Raises:
            ValueError: the expression does not consist of numbers and + - * /.
            ZeroDivisionError: an operation divides by zero.
        """
        places: list[int] = []
        for left, op, right in operations_of(expression):
            operands = [
                Result(places[side]) if isinstance(side, int) else self._trace(float(str(side))) for side in (left, right)
            ]
            if operands[0] is None or operands[1] is None:
                return False
            self._append(Operation(operands[0], op, operands[1]))
            places.append(len(self._program) - 1)
        return not places or abs(self._results[-1] - shown) < 1e-6

    def template(self, gold: float) -> Template | None:
        """Return the template whose last operation has the answer; ``None`` if not exactly one operation has it."""
        places = [i for i, result in enumerate(self._results) if abs(result - gold) < 1e-6]
        if not places or (len(places) > 1 and places[-1] != len(self._results) - 1):
            return None
        found = Template(self._text, self._slots, percent_last(tuple(self._program[: places[-1] + 1])))
        return found if found.used else None

    def _append(self, operation: Operation) -> Result:
        self._program.append(operation)
        self._results = run(tuple(self._program), [slot.value for slot in self._slots])
        return Result(len(self._program) - 1)

    def _trace(self, value: float) -> Operand | None:
        """Return where an operand comes from; ``None`` if there is no source, or an earlier result and another one.

        A number that stands in the text twice, or in digits and as a word, stays what it is: either may be meant.
        """
        results: list[Operand] = [Result(i) for i, result in enumerate(self._results) if abs(result - value) < 1e-9]
        stated: list[Operand] = [Given(i) for i, slot in enumerate(self._slots) if slot.value == value]
        if means(self._text, value):
            stated.append(Fixed(value))
        if results:
            return results[0] if len(results) == 1 and not stated else None
        if len(stated) > 1:
            return Fixed(value)
        return stated[0] if stated else self._share(value)

    def _share(self, value: float) -> Operand | None:
        """Return a percentage of the text as a share of one, 0.2 for 20 %, or what it leaves, 0.8."""
        percentages = [i for i, slot in enumerate(self._slots) if slot.is_percentage(self._text)]
        for i in percentages:
            percentage = self._slots[i].value
            if abs(percentage / 100 - value) < 1e-9:
                return self._append(Operation(Given(i), "/", Fixed(100)))
            if abs(1 - percentage / 100 - value) < 1e-9 and len(percentages) == 1:
                return self._append(Operation(self._append(Operation(Fixed(100), "-", Given(i))), "/", Fixed(100)))
        return None
