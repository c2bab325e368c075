"""Body of ``POST /v1/completions``, as evaluation harnesses send it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from epf.service.chat.request import MAX_CHOICES, MAX_TOP_LOGPROBS, SampledRequest, text_of


def parsed_prompt(value: Any) -> list[str]:
    """The texts of ``prompt``, which is a text or a list of texts."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise PydanticCustomError("prompt_type", "it must be a text or a list of texts that is not empty")
    if len(value) > MAX_CHOICES:
        raise PydanticCustomError("prompt_length", "it may have at most {most} texts: send fewer", {"most": MAX_CHOICES})
    if not all(isinstance(text, str) for text in value):
        message = "token ids are not supported: send text (in lm-evaluation-harness tokenized_requests=False)"
        raise PydanticCustomError("prompt_ids", message)
    return [text_of(text) for text in value]


class CompletionRequest(SampledRequest):
    """Texts to continue.

    The generator's name as the model continues a text as it is, without the chat template. A search method solves it as a
    problem. Other fields are refused or reported as in a chat request.
    """

    prompt: Annotated[list[str], BeforeValidator(parsed_prompt, json_schema_input_type=str | list[str])] = Field(
        description="The text, or several, each with choices of its own."
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Maximum number of tokens of a continuation. The default is 16 for the generator's name, as in the OpenAI "
        "API, and no limit for a search method.",
    )
    logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Include the log probabilities of the sampled tokens, at temperature 1, and above 0 this number of most "
        "likely tokens at each position.",
    )
    echo: bool = Field(False, description="Repeat the prompt in front of each continuation; not with logprobs.")
