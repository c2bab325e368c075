"""README's table of settings says what the code says: every setting, its default and what it is."""

import re
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from epf.service.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def default(field: FieldInfo) -> str:
    """As one would write it in the environment; empty for none."""
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value == {} or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table() -> str:
    rows = [
        f"| `EPF_{name.upper()}` | {default(field)} | {field.description} |" for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows])


def test_readme_s_table_is_the_settings() -> None:
    (shown,) = re.findall(r"^\| variable \| default .*?(?=\n\n)", README, flags=re.MULTILINE | re.DOTALL)
    assert shown == table(), f"README should show:\n{table()}"
