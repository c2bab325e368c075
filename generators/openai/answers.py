"""A step out of a server's answer: by the ids that it sampled, or by its text where it tells no ids."""

from collections.abc import Sequence
from dataclasses import replace

from epf.core.errors import GeneratorError
from epf.core.generator import Step
from epf.engines.tokenizer import ChatTokenizer
from epf.generators.openai.completions import Completion
from epf.generators.steps import StepReader, read_step


def sampled_step(
    answer: Completion, ids: Sequence[int], prefix_ids: Sequence[int], separator: str, tokenizer: ChatTokenizer
) -> Step:
    """The step that ``ids`` begin with. The server may know more tokens than ``tokenizer`` that end the model's turn.

    Raises:
        GeneratorError: there is no token, or the server found a separator that they do not spell.
    """
    if not ids:
        raise GeneratorError("the generator's server answered without a token")
    reader = StepReader(prefix_ids, separator, tokenizer.eos_ids, tokenizer.token_bytes)
    for n, token_id in enumerate(ids, 1):
        if finish := reader.add(token_id):
            return reader.step(finish, answer.log_probs[:n])
    if answer.end == "stop" and separator and answer.stop_reason == separator:
        raise other_tokenizer()
    return reader.step("eos" if answer.end == "stop" else "length", answer.log_probs)


def written_step(
    answer: Completion, prefix_ids: Sequence[int], separator: str, max_tokens: int, tokenizer: ChatTokenizer
) -> Step:
    """The step that the text begins with: what its tokens spell, at most ``max_tokens`` of them."""
    text, found, _ = answer.text.partition(separator) if separator else (answer.text, "", "")
    ids = tokenizer.encode(text + found)
    step = read_step(ids[:max_tokens], (), prefix_ids, separator, (), tokenizer.token_bytes)
    if step.finish == "separator" or answer.end != "stop" or len(ids) > max_tokens:
        return step
    return replace(step, finish="eos")


def check_spelling(ids: Sequence[int], text: str, tokenizer: ChatTokenizer) -> bool:
    """Whether it could be checked that ``ids`` spell what the server says: not of nothing, and not of a cut character.

    Raises:
        GeneratorError: they do not.
    """
    spelled = b"".join(map(tokenizer.token_bytes, ids)).decode(errors="replace")
    if "\ufffd" in spelled + text or not text.strip():
        return False
    if not spelled.strip().startswith(text.strip()):
        raise other_tokenizer()
    return True


def other_tokenizer() -> GeneratorError:
    """What a model's answers are worth that another model's tokenizer reads."""
    return GeneratorError("the tokenizer is not that of the served model: its tokens do not spell what the server wrote")
