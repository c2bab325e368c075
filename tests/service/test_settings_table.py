"""The table of settings in the README lists every setting of the code with its default and description."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from epf.service.settings import SearchDefaults, Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def default(field: FieldInfo) -> str:
    """The default as written in the environment; empty if there is none."""
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value == {} or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings(model: type[BaseModel] = Settings, prefix: str = "EPF_") -> Iterator[tuple[str, FieldInfo]]:
    """Every variable with its field; the search options, which are those of POST /solve, count as one."""
    for name, field in model.model_fields.items():
        variable, kind = f"{prefix}{name.upper()}", field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not SearchDefaults:
            yield from settings(kind, f"{variable}__")
        else:
            yield variable, field


def table() -> str:
    rows = [f"| `{variable}` | {default(field)} | {field.description} |" for variable, field in settings()]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows])


def test_readme_s_table_is_the_settings() -> None:
    (shown,) = re.findall(r"^\| variable \| default .*?(?=\n\n)", README, flags=re.MULTILINE | re.DOTALL)
    assert shown == table(), f"README should show:\n{table()}"
