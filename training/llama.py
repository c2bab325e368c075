"""The architecture that all generators share."""

from tokenizers import Tokenizer
from transformers import LlamaConfig

from epf.training.tokenizer import END, SPECIALS


def llama_config(
    tokenizer: Tokenizer,
    *,
    vocabulary: int,
    context: int,
    width: int,
    feed_forward_width: int,
    layers: int,
    heads: int,
    rope_theta: float = 10_000.0,
) -> LlamaConfig:
    """Return a Llama with as many key and value heads as heads, and the embedding as its output layer.

    ``vocabulary`` and ``context`` are numbers of tokens.
    """
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=feed_forward_width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(SPECIALS[0]),
    )
