"""The tools by name."""

from entropy.tool import AnyTool
from entropy.tools import ranking, reconstruction

TOOLS: dict[str, AnyTool] = {
    tool.name: tool
    for tool in (
        ranking.TOOL,
        reconstruction.TOOL,
    )
}  # fmt: skip
