"""From what a server sampled to a step: by its token ids, or by its text, which is tokenized here."""

from collections.abc import Sequence
from dataclasses import replace

from epf.core.errors import GeneratorError
from epf.core.generator import Step, TopTokens
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.completions import Completion
from epf.generators.openai.top_tokens import spelled
from epf.generators.steps import StepReader, read_step


def step_of_ids(
    completion: Completion, ids: Sequence[int], prefix_ids: Sequence[int], separator: str, tokenizer: ChatTokenizer
) -> Step:
    """Return the step that ``ids`` begin with. The server may know more tokens that end the model's turn than ``tokenizer``.

    A server may stop at a text of its own and leave it out of its response. A separator, or blank space, is then put back: that
    is not the model's end.

    Raises:
        GeneratorError: there is no token, or the server's text holds a separator that the tokens do not spell.
    """
    if not ids and completion.end != "stop":
        raise GeneratorError("The generator's server responded without a token.")
    top = spelled(completion.top, tokenizer.token_bytes)
    step = _first_step(ids, completion.log_probs, top, prefix_ids, separator, tokenizer)
    if step is not None:
        return step
    if separator and separator in completion.text:
        raise wrong_tokenizer()
    stop = completion.stop_reason
    if completion.end == "stop" and isinstance(stop, str) and _is_within(stop, separator):
        longer = (*ids, *(() if _spelled(ids, tokenizer).endswith(stop) else tokenizer.encode(stop)))
        return read_step(longer, (), prefix_ids, separator, tokenizer.turn_end_ids, tokenizer.token_bytes)
    step = read_step(ids, completion.log_probs, prefix_ids, separator, (), tokenizer.token_bytes, top)
    if completion.end != "stop":
        return step
    return replace(step, finish="eos") if ids else _with_end(replace(step, finish="eos"), 1, tokenizer)


def step_of_text(
    completion: Completion, prefix_ids: Sequence[int], separator: str, max_tokens: int, tokenizer: ChatTokenizer
) -> Step:
    """Return the step that the text begins with: what its first ``max_tokens`` tokens spell.

    A special token that the text spells ends the turn. If the log probabilities name tokens that spell the text, the step has
    these tokens; see :func:`named_ids`.
    """
    text = tokenizer.before_special(completion.text)
    turn_ended = len(text) < len(completion.text)
    stop, ended = completion.stop_reason, completion.end == "stop" or turn_ended
    if completion.end == "stop" and not turn_ended and isinstance(stop, str) and _is_within(stop, separator):
        text, ended = text.removesuffix(stop) + stop, False
    named = named_ids(completion, tokenizer)
    if named is not None and _spelled(named, tokenizer) == text:
        ids, with_all = named, len(named) == len(completion.log_probs)
        log_probs = completion.log_probs[:max_tokens] if with_all else ()
        top = spelled(completion.top[:max_tokens], tokenizer.token_bytes) if with_all else ()
        step = _first_step(ids[:max_tokens], log_probs, top, prefix_ids, separator, tokenizer)
        step = step or read_step(ids[:max_tokens], log_probs, prefix_ids, separator, (), tokenizer.token_bytes, top)
    else:
        before, found, _ = text.partition(separator) if separator else (text, "", "")
        ids = tokenizer.sampled_ids(before + found)
        whole = _whole_characters(ids, max_tokens, tokenizer)
        step = read_step(whole, (), prefix_ids, separator, (), tokenizer.token_bytes)
    if step.finish != "length" or not ended or len(ids) > max_tokens:
        return step
    return _with_end(replace(step, finish="eos"), max_tokens, tokenizer)


def named_ids(completion: Completion, tokenizer: ChatTokenizer) -> tuple[int, ...] | None:
    """Return the ids that the log probabilities name; None if they do not spell the text.

    Where several tokens spell one character, llama.cpp names only the last token, next to the whole character: the others are
    those into which the character is tokenized.
    """
    ids: list[int] = []
    for text, named in completion.pieces:
        if _spelled(named, tokenizer) == text:
            ids += named
        elif named and (whole := tokenizer.sampled_ids(text))[-len(named) :] == named:
            ids += whole
        else:
            return None
    return tuple(ids) or None


def check_spelling(ids: Sequence[int], text: str, tokenizer: ChatTokenizer) -> bool:
    """Check that ``ids`` spell the server's text. Returns False if there is nothing to compare, or a character is incomplete.

    Raises:
        GeneratorError: they spell something else.
    """
    spelled = _spelled(ids, tokenizer)
    if "\ufffd" in spelled + text or not text.strip():
        return False
    if not spelled.strip().startswith(text.strip()):
        raise wrong_tokenizer()
    return True


def wrong_tokenizer() -> GeneratorError:
    """Return the error for tokens that do not spell what the server sampled."""
    message = (
        "The tokenizer does not belong to the served model: its tokens do not spell the server's text. Set generator.tokenizer."
    )
    return GeneratorError(message, retryable=False)


def _first_step(
    ids: Sequence[int],
    log_probs: Sequence[float],
    top: Sequence[TopTokens],
    prefix_ids: Sequence[int],
    separator: str,
    tokenizer: ChatTokenizer,
) -> Step | None:
    """The step that ends within ``ids``, None if none does."""
    reader = StepReader(prefix_ids, separator, tokenizer.turn_end_ids, tokenizer.token_bytes)
    for n, token_id in enumerate(ids, 1):
        if finish := reader.add(token_id):
            return reader.step(finish, log_probs[:n], top[:n])
    return None


def _is_within(stop: str, separator: str) -> bool:
    """Whether a text at which the server stopped belongs to the solution: the separator, or blank space."""
    return bool(stop) and (stop == separator or not stop.strip())


def _with_end(step: Step, max_tokens: int, tokenizer: ChatTokenizer) -> Step:
    """``step`` with the token that ended the turn, which the server sampled and counts but does not show."""
    if not tokenizer.eos_ids or len(step.token_ids) >= max_tokens:
        return step
    return replace(step, token_ids=(*step.token_ids, min(tokenizer.eos_ids)))


def _whole_characters(ids: Sequence[int], limit: int, tokenizer: ChatTokenizer) -> Sequence[int]:
    """At most ``limit`` tokens, without those of a character that the limit cuts: the next prompt could not spell its part.

    If the first character alone is longer, it is cut.
    """
    cut = ids[:limit]
    if len(cut) < len(ids):
        while cut and _spelled(cut, tokenizer).endswith("\ufffd"):
            cut = cut[:-1]
    return cut or ids[:limit]


def _spelled(ids: Sequence[int], tokenizer: ChatTokenizer) -> str:
    return b"".join(map(tokenizer.token_bytes, ids)).decode(errors="replace")
