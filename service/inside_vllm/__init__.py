"""The search service inside vLLM's own server, as an endpoint plug-in: ``VLLM_PLUGINS=epf vllm serve MODEL``."""
