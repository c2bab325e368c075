"""All tools, by name."""

from epf.entropy.attention import tool as attention
from epf.entropy.coupling import tool as coupling
from epf.entropy.epiplexity import tool as epiplexity
from epf.entropy.features import tool as features
from epf.entropy.maxent import tool as maxent
from epf.entropy.ranking import tool as ranking
from epf.entropy.rate_distortion import tool as rate_distortion
from epf.entropy.reconstruction import tool as reconstruction
from epf.entropy.tokens import tool as tokens
from epf.entropy.tooling.tool import AnyTool

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
