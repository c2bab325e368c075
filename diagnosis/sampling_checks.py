"""Checks of how a generator samples, through the interface that searches use. They cost tokens, and count them."""

import math
import time
from collections.abc import Iterator

from epf.core.errors import InvalidRequest
from epf.core.generator import Generator, Message, Sampling, Step, abilities_of
from epf.diagnosis.check import SAMPLING_S, Check
from epf.diagnosis.finding import Outcome, failed, ok, skipped, warning
from epf.search.answers.extract import final_answer

PROBLEM = "Tom has 12 apples. He buys 7 more apples. How many apples does he have?"
ANSWER = "19"
ONLY_TEMPERATURE = 1.0
"""The temperature of a model whose server refuses others, such as OpenAI's models that think."""
OPEN = "Write the first sentence of a story."
"""What a model may answer in many ways."""
SEEDS = (1, 2, 3, 4)
BY_CHANCE = 0.01
"""All seeds give one text with at least this probability: then it shows nothing."""
FEW_TOKENS = 16
MORE_TOKENS = 32
SOLUTION_TOKENS = 400
SEPARATOR = "\n\n"
SHOWN_CHARACTERS = 60
"""Maximum number of characters of a model's text in a message."""


class SamplingChecks:
    """Checks of one generator. The solution is sampled first; most of the others compare short samples.

    Attributes:
        n_tokens: number of tokens that the generator has read and sampled for the checks.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._prompt: tuple[int, ...] = ()
        self._solution: Step | None = None
        self._greedy: Step | None = None
        self._temperature = 0.0
        self._counted: dict[tuple[int, ...], int] = {}
        self.n_tokens = 0

    def checks(self) -> Iterator[Check]:
        """All checks, in order."""
        sampled = ("solution",)
        yield Check("solution", self._sample_solution, limit_s=SAMPLING_S)
        yield Check("end", self._end, sampled)
        yield Check("steps", self._steps, sampled)
        yield Check("answer", self._answer, sampled)
        yield Check("log probabilities", self._log_probs, sampled)
        yield Check("greedy", self._greedy_repeats, sampled, SAMPLING_S)
        yield Check("continuation", self._continues, sampled, SAMPLING_S)
        yield Check("stop", self._stops, sampled, SAMPLING_S)
        yield Check("seeds", self._seeds, sampled, SAMPLING_S)

    async def _sample_solution(self) -> Outcome:
        """A solution of a small problem arrives, at the speed that is shown."""
        self._prompt = tuple(self._generator.prompt_ids([Message("user", PROBLEM)]))
        since_s = time.monotonic()
        refused = ""
        try:
            step = await self._sample(SOLUTION_TOKENS)
        except InvalidRequest as error:
            if error.param != "temperature":
                raise
            refused, self._temperature, since_s = error.message, ONLY_TEMPERATURE, time.monotonic()
            step = await self._sample(SOLUTION_TOKENS)
        taken_s = time.monotonic() - since_s
        self._solution = step
        if not step.text.strip():
            return failed("the model wrote nothing", "Check that the model is instruction-tuned, and its chat template.")
        if refused:
            return warning(refused, "Choose temperature 1 (--temperature 1, EPF_SEARCH__TEMPERATURE=1).")
        n = len(step.token_ids)
        return ok(f"{n} tokens in {taken_s:.1f} s, {n / max(taken_s, 1e-3):.0f} a second for one particle")

    async def _end(self) -> Outcome:
        """The model ends its turn, and the server reports it."""
        assert self._solution is not None
        n = len(self._solution.token_ids)
        if self._solution.finish == "eos":
            return ok(f"the model ended its turn after {n} tokens")
        return warning(
            f"the model was still writing after {n} tokens",
            "Check that the model is instruction-tuned and that its chat template is its own; a search stops it at its answer.",
        )

    async def _steps(self) -> Outcome:
        """The model separates steps by blank lines."""
        assert self._solution is not None
        n = sum(bool(part.strip()) for part in self._solution.text.split(SEPARATOR))
        if n > 1:
            return ok(f"{n} steps, separated by blank lines{self._written_as()}")
        return warning(
            "the solution is one step", "Ask for steps with blank lines in the prompt, or set EPF_SEARCH__SEPARATOR."
        )

    def _written_as(self) -> str:
        """How the model writes a blank line; many vocabularies have one token for it, where models write two."""
        assert self._solution is not None
        if not abilities_of(self._generator).counts_prompts:
            return ""
        pieces = map(self._generator.token_bytes, self._solution.token_ids)
        return ", within one token" if any(SEPARATOR.encode() in piece for piece in pieces) else ", over several tokens"

    async def _answer(self) -> Outcome:
        """The answer of the solution can be read."""
        assert self._solution is not None
        answer = final_answer(self._solution.text)
        if answer is None:
            end = " ".join(self._solution.text.split())[-SHOWN_CHARACTERS:]
            return warning(f"none read; the solution ends in: {end}", "Ask for an answer in \\boxed{} in the prompt.")
        return ok(f"read: {answer}" + (" (right)" if answer == ANSWER else f" (wrong: it is {ANSWER})"))

    async def _log_probs(self) -> Outcome:
        """Tokens come with log probabilities."""
        assert self._solution is not None
        log_probs = self._solution.log_probs
        if not log_probs:
            return warning("none", "Method ipf needs them; nothing to do if you do not use it.")
        if not all(math.isfinite(value) and value <= 1e-6 for value in log_probs):
            return failed("not all are numbers of at most 0", "Update the server.")
        return ok(f"one for each token; their mean is {sum(log_probs) / len(log_probs):.2g}")

    async def _greedy_repeats(self) -> Outcome:
        """At temperature 0, the same prompt gives the same text."""
        if self._temperature:
            return skipped("the server refuses temperature 0")
        self._greedy = await self._sample(MORE_TOKENS)
        again = await self._sample(MORE_TOKENS)
        if again.text == self._greedy.text:
            return ok("at temperature 0 the same text twice")
        return warning(
            "two texts at temperature 0",
            "Nothing, if the server is under load: other requests in the batch change rounding. A search cannot be repeated.",
        )

    async def _continues(self) -> Outcome:
        """A text in two steps is the text in one: a prefix is continued, and not begun anew."""
        if not abilities_of(self._generator).continues:
            return warning(
                "the server cannot continue a reply that it has begun",
                "Choose method self_consistency, sample or best_of_n; or name the model's tokenizer with --tokenizer if the "
                "server has /v1/completions; or use a server that continues the last message of the assistant, such as vLLM, "
                "SGLang, llama.cpp, Ollama or LM Studio.",
            )
        if self._temperature:
            return skipped("the server refuses temperature 0")
        whole = self._greedy or await self._sample(MORE_TOKENS)
        first = await self._sample(FEW_TOKENS)
        if first.finish == "eos":
            return skipped("the text is too short")
        rest = await self._sample(MORE_TOKENS - FEW_TOKENS, after=first.token_ids)
        if first.text + rest.text == whole.text or _spelled(self._generator, first, rest) == whole.text:
            return ok("a text in two steps is the same as in one")
        then = whole.text[len(first.text) :]
        return warning(
            f"after {_shown(first.text)!r} the model goes on with {_shown(rest.text)!r}, not {_shown(then)!r}",
            "Steps do not continue exactly. Use a server that takes token ids, such as vLLM or llama.cpp.",
        )

    async def _stops(self) -> Outcome:
        """A step ends at its separator, and at a text that stops the search, wherever they are in the text."""
        if self._temperature:
            return skipped("the server refuses temperature 0")
        whole = self._greedy or await self._sample(MORE_TOKENS)
        middle = len(whole.text) // 2
        separator = whole.text[middle : middle + 4]
        if len(separator) < 4 or "\ufffd" in separator:
            return skipped("the text is too short")
        try:
            step = await self._sample(MORE_TOKENS, separator=separator)
        except InvalidRequest as error:
            return skipped(error.message)
        if step.finish != "separator":
            return failed(
                f"the server did not stop at {separator!r}, which it wrote before", "Update the server, or use another one."
            )
        if step.text != whole.text[: whole.text.index(separator)]:
            return warning("the text before a separator is not the same as without", "See the check of greedy texts.")
        stopped = await self._sample(MORE_TOKENS, stop=(separator,))
        if len(stopped.token_ids) < len(whole.token_ids):
            return ok("a step ends at its separator, and at a text that stops the search")
        return ok("a step ends at its separator; a text that stops the search is noticed at the end of a step")

    async def _seeds(self) -> Outcome:
        """The same seed gives the same text, and other seeds give others."""
        prompt = self._generator.prompt_ids([Message("user", OPEN)])
        steps = [await self._sample(MORE_TOKENS, temperature=1.0, seed=seed, prompt=prompt) for seed in (1, *SEEDS)]
        texts = [step.text for step in steps]
        if len(set(texts)) == 1:
            if (sure := _probability(steps[0])) is not None and sure ** (len(SEEDS) - 1) > BY_CHANCE:
                return skipped(f"{len(SEEDS)} seeds give one text, but it has a probability of {sure:.0%} here")
            return failed(
                f"{len(SEEDS)} seeds give one text at temperature 1",
                "All particles would write the same. Check that the server has no fixed temperature or seed, and no cache.",
            )
        if texts[0] != texts[1]:
            return warning("the same seed gives two texts", "Searches work, but cannot be repeated. vLLM honours seeds.")
        return ok(f"the same seed gives the same text; {len(SEEDS)} seeds give {len(set(texts))} texts")

    async def _sample(
        self,
        max_tokens: int,
        *,
        prompt: tuple[int, ...] | None = None,
        temperature: float | None = None,
        seed: int = 0,
        separator: str = "",
        stop: tuple[str, ...] = (),
        after: tuple[int, ...] = (),
    ) -> Step:
        begun = prompt or self._prompt
        prefix = begun + after
        room = self._generator.context_length - len(prefix)
        max_tokens = max(1, min(max_tokens, room))
        chosen = self._temperature if temperature is None else temperature
        sampling = Sampling(temperature=chosen, max_tokens=max_tokens, separator=separator, stop=stop)
        step = await self._generator.step(prefix, sampling, seed)
        if step.prompt_tokens is not None:
            self._counted[prompt or self._prompt] = step.prompt_tokens
        self.n_tokens += (
            self._counted.get(prompt or self._prompt, len(prompt or self._prompt)) + len(after) + len(step.token_ids)
        )
        return step


def _probability(step: Step) -> float | None:
    """Probability of a text at temperature 1; None if its tokens have no log probabilities."""
    return math.exp(sum(step.log_probs)) if step.log_probs else None


def _spelled(generator: Generator, *steps: Step) -> str:
    """Text of the tokens of several steps, also where a character is split between them."""
    data = b"".join(generator.token_bytes(token_id) for step in steps for token_id in step.token_ids)
    return data.decode(errors="replace")


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS // 2 else text[: SHOWN_CHARACTERS // 2] + "…"
