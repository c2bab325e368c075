"""A chat answered in one piece."""

from contextlib import aclosing

from epf.search.events import Answered
from epf.search.result import SearchResult
from epf.service.chat.job import Job
from epf.service.chat.progress import Progress
from epf.service.chat.response import AnswerMessage, ChatCompletion, Choice, CompletionUsage, Logprobs, SearchOut, finish_reason
from epf.service.searches.lease import Place


async def completed(job: Job, place: Place) -> ChatCompletion:
    """Search for all choices and write the response. Raises what :func:`search.asolve` raises."""
    results: dict[int, SearchResult] = {}
    told = [Progress() for _ in job.orders]
    lines: list[list[str]] = [[] for _ in job.orders]
    async with aclosing(job.events(place)) as events:
        async for index, event in events:
            if isinstance(event, Answered):
                results[index] = event.result
            elif job.search.progress:
                lines[index].extend(filter(None, [told[index].line(event)]))
    ordered = [results[index] for index in range(len(job.orders))]
    return ChatCompletion(
        id=job.id,
        object="chat.completion",
        created=job.created,
        model=job.body.model,
        system_fingerprint=job.fingerprint,
        choices=[_choice(job, index, result, "".join(lines[index])) for index, result in enumerate(ordered)],
        usage=CompletionUsage.of(ordered, job.answer_tokens(ordered)),
    )


def _choice(job: Job, index: int, result: SearchResult, progress: str) -> Choice:
    reasoning = {"reasoning_content": progress} if job.search.progress else {}
    return Choice(
        index=index,
        message=AnswerMessage(role="assistant", content=result.solution, refusal=None, **reasoning),
        finish_reason=finish_reason(result),
        logprobs=Logprobs.of(job.tokens(result)) if job.body.logprobs else None,
        search=SearchOut.of(result, particles=job.search.return_particles),
    )
