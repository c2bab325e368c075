"""The tools by name."""

from entropy.tool import AnyTool
from entropy.tools import reconstruction

TOOLS: dict[str, AnyTool] = {
    tool.name: tool
    for tool in (
        reconstruction.TOOL,
    )
}  # fmt: skip
