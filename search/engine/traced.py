"""What the spans of a search show: how it was asked for, its steps, each resampling, and what it cost. No text, no answer."""

from epf.core.generator import Generator
from epf.core.reward_model import RewardModel
from epf.core.tracing import Value
from epf.search.events import Resampled
from epf.search.options import SearchOptions
from epf.search.result import SearchResult


def traced_options(options: SearchOptions, generator: Generator, reward_model: RewardModel | None) -> dict[str, Value]:
    """Attributes of a search that begins. Tokens have names of their own here: sums over all spans count each token once."""
    return {
        "gen_ai.request.model": generator.name,
        "gen_ai.request.temperature": options.temperature,
        "gen_ai.request.top_p": options.top_p,
        "epf.method": options.method,
        "epf.n_particles": options.n_particles,
        **({} if reward_model is None else {"epf.reward_model": reward_model.name}),
    }


def traced_step(generator: str, seed: int, input_tokens: int, slot: int, *, lookahead: bool) -> dict[str, Value]:
    """Attributes of a step that begins. What is the same for all steps is on the root span: there are hundreds of these."""
    return {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "epf",
        "gen_ai.request.model": generator,
        "gen_ai.request.seed": seed,
        "gen_ai.usage.input_tokens": input_tokens,
        "epf.particle": slot,
        **({"epf.lookahead": True} if lookahead else {}),
    }


def traced_round(event: Resampled) -> dict[str, Value]:
    """Attributes of one resampling round."""
    record = event.record
    return {
        "epf.round": record.t,
        "epf.ess": record.ess,
        "epf.entropy": record.entropy,
        "epf.temperature": record.temperature,
        "epf.resampled": record.resampled,
        "epf.distinct_ancestors": record.distinct_ancestors,
        "epf.n_finished": event.n_finished,
    }


def traced_result(result: SearchResult) -> dict[str, Value]:
    """Attributes of a search that has ended."""
    usage = result.usage
    return {
        "epf.stop_reason": result.stop_reason,
        "epf.answered": result.answer is not None,
        "epf.share": result.share,
        "epf.confidence": result.confidence,
        "epf.seed": str(result.seed),
        "epf.prompt_tokens": usage.prompt_tokens,
        "epf.generated_tokens": usage.generated_tokens,
        "epf.discarded_tokens": usage.discarded_tokens,
        "epf.prm_tokens": usage.prm_tokens,
        "epf.prm_calls": usage.prm_calls,
    }
