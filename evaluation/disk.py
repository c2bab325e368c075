"""What a run says when its directory cannot be written to, for example because the disk is full."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epf.core.errors import SearchServiceError


@contextmanager
def writes_to(directory: Path) -> Iterator[None]:
    """Writes of a run to its directory.

    Raises:
        SearchServiceError: a write failed. The rows that were written before stay valid.
    """
    try:
        yield
    except OSError as error:
        reason = f"Cannot write to {directory}: {error.strerror or type(error).__name__}."
        raise SearchServiceError(
            f"{reason} Make that possible and repeat the command: it resumes the run.", param="out"
        ) from None
