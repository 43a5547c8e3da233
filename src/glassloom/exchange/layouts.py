"""A transformer in the layouts of the transformers library: the same numbers under other names, and the config with it.

What that library lacks is put into what it has, exactly: a fixed table of positions as a trained one, the embedding's
factor into its rows, a bias that is not there as zeros, and the output bias as `glassloom.exchange.widening` says.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glassloom.exchange.fitting import LAYOUTS, fitting_layout
from glassloom.exchange.widening import Weights, added, widened
from glassloom.models.positions import sinusoids
from glassloom.models.settings import TransformerSettings
from glassloom.models.transformer import Transformer

ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu", "relu2": "relu2", "swiglu": "silu"}
"""Our names of what is inside the feed-forward, and those of transformers."""

UNBOUNDED = 32768
"""What a layout with a window that goes along gives as its longest text: there is no end to it."""


@dataclass(frozen=True)
class Laid:
    """A transformer laid out: the layout's name, its config, its tensors (float32), and the width they have."""

    layout: str
    config: dict[str, Any]
    tensors: Weights

    @property
    def slides(self) -> bool:
        """Whether texts beyond the context are read as the model itself reads them."""
        return LAYOUTS[self.layout].slides


def laid_out(model: Transformer, specials: dict[str, int] | None = None) -> Laid:
    """A transformer whose settings fit a layout, in that layout. `specials` are the tokenizer's special ids."""
    layout = fitting_layout(model.settings)
    assert layout is not None
    settings = model.settings
    weights = explicit_weights(model)
    wide = bool(settings.output_bias and weights["output.bias"].any())
    weights = widened(weights, settings) if wide else weights
    weights.pop("output.bias", None)
    width = settings.width + (added(settings) if wide else 0)
    make = gpt2 if layout == "gpt2" else llama_like
    config, tensors = make(layout, settings, weights, width)
    ids = specials or {}
    shared = {
        "vocab_size": model.vocabulary,
        "bos_token_id": ids.get(".start"),
        "eos_token_id": ids.get(".end"),
        "pad_token_id": ids.get(".pad"),
        "tie_word_embeddings": "output.weight" not in weights,
        "dtype": "float32",
        "glassloom": {"settings": settings.model_dump(mode="json"), "output_bias_within": wide},
    }
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    return Laid(layout, {**config, **shared}, tensors)


@torch.no_grad()
def explicit_weights(model: Transformer) -> Weights:
    """The weights by our names, in float64, with what settings only imply: every bias, table and factor.

    The output's weight is left out where it is the embedding's.
    """
    settings = model.settings
    weights = {name: value.detach().cpu().double() for name, value in model.state_dict().items()}
    embedding = weights["embedding.weight"]
    wide = settings.output_bias and bool(weights["output.bias"].any())
    if settings.tied and (settings.scaled_embedding or wide):
        weights["output.weight"] = embedding
    if settings.scaled_embedding:
        weights["embedding.weight"] = embedding * math.sqrt(settings.width)
    if settings.positions == "sinusoidal":
        places = torch.arange(settings.context)[None]
        weights["positions.weight"] = sinusoids(places, settings.width, like=embedding)[0]
    elif settings.positions == "none":
        weights["positions.weight"] = embedding.new_zeros(settings.context, settings.width)
    if settings.normalization == "layer":
        for name in [name for name in weights if name.startswith("layers.") or name.startswith("final_norm.")]:
            if name.endswith(".weight"):
                weights.setdefault(name.removesuffix("weight") + "bias", weights[name].new_zeros(len(weights[name])))
    return weights


Made = tuple[dict[str, Any], Weights]


def llama_like(layout: str, settings: TransformerSettings, weights: Weights, width: int) -> Made:
    """Starcoder2, Mistral and Llama: queries, keys and values apart; rotary positions turn planes i and i + head/2."""
    rms = settings.normalization == "rms"
    tensors = {"model.embed_tokens.weight": weights["embedding.weight"]}
    names = {
        "norms.0": "input_layernorm",
        "norms.1": "post_attention_layernorm",
        "attention.0.output": "self_attn.o_proj",
    }
    names["feedforward.output"] = "mlp.down_proj" if rms else "mlp.c_proj"
    for name, weight in weights.items():
        if not name.startswith("layers."):
            continue
        _, index, rest = name.split(".", 2)
        part, _, kind = rest.rpartition(".")
        prefix = f"model.layers.{index}."
        if part == "attention.0.query_key_value":
            for one, piece in zip("qkv", weight.chunk(3), strict=True):
                tensors[f"{prefix}self_attn.{one}_proj.{kind}"] = piece
        elif part == "feedforward.inner" and rms:
            for one, piece in zip(("up", "gate"), weight.chunk(2), strict=True):
                tensors[f"{prefix}mlp.{one}_proj.{kind}"] = piece
        else:
            tensors[f"{prefix}{names.get(part, 'mlp.c_fc')}.{kind}"] = weight
    for kind in ("weight", "bias"):
        if f"final_norm.{kind}" in weights:
            tensors[f"model.norm.{kind}"] = weights[f"final_norm.{kind}"]
    if "output.weight" in weights:
        tensors["lm_head.weight"] = weights["output.weight"]
    config = {
        "model_type": layout,
        "architectures": [f"{layout.capitalize()}ForCausalLM"],
        "hidden_size": width,
        "intermediate_size": settings.feedforward_width,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "num_key_value_heads": settings.heads,
        "head_dim": settings.width // settings.heads,
        "hidden_act": ACTIVATIONS[settings.activation],
        "max_position_embeddings": settings.context if layout == "llama" else max(settings.context, UNBOUNDED),
        "rope_theta": settings.rotary_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": settings.rotary_base},
        "attention_dropout": 0.0,
        "rms_norm_eps" if rms else "norm_epsilon": epsilon(settings, width),
    }
    if layout == "llama":
        config |= {"attention_bias": settings.attention_bias, "mlp_bias": settings.feedforward_bias}
    else:
        config["sliding_window"] = settings.context
    if layout == "starcoder2":
        config |= {"use_bias": True, "residual_dropout": 0.0, "embedding_dropout": 0.0}
    return config, tensors


def gpt2(layout: str, settings: TransformerSettings, weights: Weights, width: int) -> Made:
    """GPT-2: matrices `inputs outputs`, queries, keys and values in one; a head's width is width / heads.

    In a widened model each head has one entry more, which is zero, and the queries take back what it does to the scale.
    """
    head, wide_head = settings.width // settings.heads, width // settings.heads

    def fill_heads(weight: Tensor, axis: int) -> Tensor:
        """Zeros behind each head's entries along an axis that is heads and their entries."""
        shape = list(weight.shape)
        parts = weight.reshape(*shape[:axis], settings.heads, head, *shape[axis + 1 :])
        filled = parts.new_zeros(*shape[:axis], settings.heads, wide_head, *shape[axis + 1 :])
        filled.narrow(axis + 1, 0, head).copy_(parts)
        return filled.flatten(axis, axis + 1)

    tensors = {
        "transformer.wte.weight": weights["embedding.weight"],
        "transformer.wpe.weight": weights["positions.weight"],
        "transformer.ln_f.weight": weights["final_norm.weight"],
        "transformer.ln_f.bias": weights["final_norm.bias"],
    }
    names: dict[str, str] = {
        "norms.0": "ln_1", "norms.1": "ln_2", "attention.0.query_key_value": "attn.c_attn",
        "attention.0.output": "attn.c_proj", "feedforward.inner": "mlp.c_fc", "feedforward.output": "mlp.c_proj",
    }  # fmt: skip
    for name, weight in weights.items():
        if not name.startswith("layers."):
            continue
        _, index, rest = name.split(".", 2)
        part, _, kind = rest.rpartition(".")
        if part == "attention.0.query_key_value":
            queries, keys, contents = weight.chunk(3)
            pieces = (queries * math.sqrt(wide_head / head), keys, contents)
            weight = torch.cat([fill_heads(piece, 0) for piece in pieces])
        elif part == "attention.0.output" and kind == "weight":
            weight = fill_heads(weight, 1)
        matrix = kind == "weight" and not part.startswith("norms.")
        tensors[f"transformer.h.{index}.{names[part]}.{kind}"] = weight.t() if matrix else weight
    if "output.weight" in weights:
        tensors["lm_head.weight"] = weights["output.weight"]
    config = {
        "model_type": layout,
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": width,
        "n_inner": settings.feedforward_width,
        "n_layer": settings.layers,
        "n_head": settings.heads,
        "n_positions": settings.context,
        "activation_function": ACTIVATIONS[settings.activation],
        "layer_norm_epsilon": epsilon(settings, width),
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }
    return config, tensors


def epsilon(settings: TransformerSettings, width: int) -> float:
    """What a norm adds to the variance of vectors of a width that zeros may have been added to."""
    return settings.norm_epsilon * settings.width / width
