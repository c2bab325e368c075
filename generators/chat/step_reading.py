"""From a server's reply to a step, whose token ids spell their own bytes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from epf.core.endings import certain
from epf.core.generator import Step, TopTokens
from epf.generators.chat.ids import END, HIDDEN, piece_id, token_bytes
from epf.generators.chat.reading import Piece, Reply
from epf.generators.openai.completions import Show
from epf.generators.steps import read_step

SPECIAL = re.compile(
    r"<\|(?:im_start|im_end|im_user|im_assistant|im_system|eot_id|eom_id|end_of_text|begin_of_text|endoftext|end_of_turn"
    r"|start_header_id|start_of_role|end_of_role|eom|bom|end|user|assistant|system|return|call|(?:START|END)_OF_TURN_TOKEN)\|>"
    r"|<｜(?:begin▁of▁sentence|end▁of▁sentence|User|Assistant)｜>|<(?:start|end)_of_(?:turn|utterance)>|\[\|(?:user|endofturn)\|\]"
    r"|</s>(?=\s*(?:<s>|\[INST\]))"
)
"""Special tokens of common chat templates. One that appears in the text has leaked, and the turn ends there."""

LAST = re.compile(r"</s>\s*\Z")
"""A special token that is a tag of HTML as well, so that it counts only where the model ends."""

_BEGUN = re.compile(r"(?:</s>\s*(?:<s?|\[[INST]{0,4})?|<[^\s>]{0,24})\Z")
"""What may be a special token, or its beginning."""


def step_of(reply: Reply, prefix_ids: Sequence[int], separator: str, max_tokens: int) -> Step:
    """Return the step that a reply begins with.

    Each piece is one token, unless the server counted otherwise: tokens that it counted and did not show come first, and more
    pieces than tokens are joined. A server may stop at a text of its own and leave it out: a separator, or blank space, is then
    put back, since that is not the model's end.
    """
    pieces, ended = list(reply.pieces), reply.end == "stop"
    special = SPECIAL.search(reply.text) or (LAST.search(reply.text) if ended else None)
    stop = reply.stop_reason
    if special is not None:
        pieces, ended = _first(pieces, len(reply.text[: special.start()].encode())), True
    elif ended and isinstance(stop, str) and stop and (stop == separator or not stop.strip()):
        pieces, ended = pieces + ([] if reply.text.endswith(stop) else [Piece(stop.encode())]), False
    counted = reply.counts.sampled if special is None else None
    ids, log_probs, top = _ids(pieces, counted, max_tokens, ended=ended)
    step = read_step(ids, log_probs, prefix_ids, separator, {END}, token_bytes, top)
    if ended and step.finish == "length":
        step = replace(step, finish="eos")
    return replace(step, prompt_tokens=reply.counts.prompt)


def shown(on_text: Callable[[str], None], separator: str) -> Show:
    """A function that passes on the text of a reply so far, without what may become a separator or a special token."""
    endings = [separator] if separator else []

    def show(text: str, _token_ids: Sequence[int] | None) -> None:
        special = SPECIAL.search(text)
        on_text(certain(text[: special.start()] if special else _BEGUN.sub("", text), endings))

    return show


def _ids(
    pieces: list[Piece], counted: int | None, max_tokens: int, *, ended: bool
) -> tuple[list[int], list[float], list[TopTokens]]:
    """Ids of pieces; their log probabilities and most likely tokens, unless one other than the turn's end has none."""
    limit = max_tokens if counted is None else max(1, min(max_tokens, counted))
    if len(pieces) > limit:
        pieces = [*pieces[: limit - 1], Piece(b"".join(piece.data for piece in pieces[limit - 1 :]))]
    log_probs = [piece.log_prob for piece in pieces if piece.log_prob is not None]
    ids = [piece_id(piece.data) for piece in pieces]
    with_end = ended and len(ids) < limit
    if ids and len(log_probs) == len(ids) and counted in (None, len(ids), len(ids) + ended):
        tops = [piece.top for piece in pieces]
        return ids + [END] * with_end, log_probs, tops if any(tops) else []
    n_hidden = 0 if counted is None else max(0, limit - len(ids) - with_end)
    return [HIDDEN] * n_hidden + ids + [END] * with_end, [], []


def _first(pieces: list[Piece], n_bytes: int) -> list[Piece]:
    """Pieces of the first ``n_bytes`` bytes."""
    kept: list[Piece] = []
    for piece in pieces:
        if n_bytes > 0:
            kept.append(piece if len(piece.data) <= n_bytes else Piece(piece.data[:n_bytes]))
        n_bytes -= len(piece.data)
    return kept
