"""The body of every error. It is separate from :mod:`epf.service.http.errors` because the command line needs no HTTP."""

from pydantic import BaseModel, Field


class ErrorDetail(BaseModel):
    """What went wrong, in the form that clients of the OpenAI API read."""

    message: str
    type: str
    param: str | None = Field(description="The field at fault, if there is one.")
    code: str | None


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: ErrorDetail
