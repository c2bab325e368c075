"""The tools by name."""

from entropy.tool import AnyTool
from entropy.tools import attention, coupling, epiplexity, features, maxent, ranking, rate_distortion, reconstruction, tokens

TOOLS: dict[str, AnyTool] = {
    tool.name: tool
    for tool in (
        attention.TOOL,
        coupling.TOOL,
        epiplexity.TOOL,
        features.TOOL,
        maxent.TOOL,
        ranking.TOOL,
        rate_distortion.TOOL,
        reconstruction.TOOL,
        tokens.TOOL,
    )
}  # fmt: skip
