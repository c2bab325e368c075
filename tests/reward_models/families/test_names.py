"""The family of a published model is known from its name."""

import pytest

from epf.reward_models.families.registry import family_of


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("Qwen/Qwen2.5-Math-PRM-7B", "qwen2.5-math-prm"),
        ("Qwen/Qwen2.5-Math-PRM-72B", "qwen2.5-math-prm"),
        ("Qwen/Qwen2.5-Math-7B-PRM800K", "qwen2.5-math-prm"),
        ("/models/Qwen2.5-Math-PRM-7B-AWQ", "qwen2.5-math-prm"),
        ("Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B", "skywork-o1-prm"),
        ("skywork-o1-open-prm-qwen-2.5-7b", "skywork-o1-prm"),
        ("peiyi9979/math-shepherd-mistral-7b-prm", "math-shepherd"),
        ("math-shepherd-mistral-7b-prm.Q4_K_M.gguf", "math-shepherd"),
        ("RLHFlow/Llama3.1-8B-PRM-Deepseek-Data", "rlhflow"),
        ("hf.co/mradermacher/Llama3.1-8B-PRM-Mistral-Data-GGUF:Q4_K_M", "rlhflow"),
        ("openreasoner/Math-psa", "math-psa"),
        ("UW-Madison-Lee-Lab/VersaPRM", "versaprm"),
        ("UW-Madison-Lee-Lab/Llama-PRM800K", "versaprm"),
        ("launch/ThinkPRM-14B", "thinkprm"),
        ("stories-reward-model", "embedded"),
        ("Qwen/Qwen2.5-Math-7B-Instruct", None),
        ("Qwen/Qwen2.5-Math-RM-72B", None),
        ("peiyi9979/math-shepherd-mistral-7b-sft", None),
        ("Skywork/Skywork-Reward-Llama-3.1-8B", None),
        ("Babelscape/Llama-3.1-8B-PRM800k-r", None),
        ("gpt-5", None),
        ("", None),
    ],
)
def test_the_family_is_known_from_the_name(model: str, family: str | None) -> None:
    assert family_of(model) == family
