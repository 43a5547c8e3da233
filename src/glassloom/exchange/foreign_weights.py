"""The tensors of a model from elsewhere as our weights: first their shapes, by the headers, then the numbers."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from glassloom.errors import InputError
from glassloom.exchange.foreign_settings import OWN, Foreign
from glassloom.exchange.widening import Weights, narrowed
from glassloom.models.settings import TransformerSettings
from glassloom.runs import declared_shapes

Shapes = dict[str, tuple[int, ...]]
BUFFERS = re.compile(r"(rotary_emb\.inv_freq|\.attn\.(masked_)?bias)$")
"""What older files hold beside weights, and what can be computed."""
GPT2 = {
    "norms.0": "ln_1", "norms.1": "ln_2", "attention.0.query_key_value": "attn.c_attn",
    "attention.0.output": "attn.c_proj", "feedforward.inner": "mlp.c_fc", "feedforward.output": "mlp.c_proj",
}  # fmt: skip


def renamed(name: str, kind: str) -> str:
    """A tensor's name in the spelling that the library writes today: GPT-2's first files lack the prefix."""
    return f"transformer.{name}" if kind == "gpt2" and not name.startswith(("transformer.", "lm_head.")) else name


def check_shapes(foreign: Foreign, given: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Hold what the headers declare against what the config asks for, before anything is allocated.

    Raises:
        InputError: a name or shape differs.
    """
    expected = own_shapes(foreign) if foreign.kind == OWN else expected_shapes(foreign)
    found = {renamed(name, foreign.kind): shape for name, shape in given.items() if not BUFFERS.search(name)}
    if isinstance(foreign.settings, TransformerSettings) and foreign.settings.tied and foreign.kind != OWN:
        found.pop("lm_head.weight", None)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise InputError(
                f"The weights of {where} do not fit its config.json: {name} is {found.get(name, 'missing')}",
                f"shape {expected[name]}" if name in expected else "none of that name in this architecture",
                "take config.json and the weights from the same model",
            )


def own_shapes(foreign: Foreign) -> Shapes:
    """The shapes of our own class's tensors."""
    return {f"model.{name}": shape for name, shape in declared_shapes(foreign.settings, foreign.vocabulary).items()}


def expected_shapes(foreign: Foreign) -> Shapes:
    """The shape of every tensor that a config of transformers asks for."""
    settings = foreign.settings
    assert isinstance(settings, TransformerSettings)
    inner, wide = settings.feedforward_width, settings.width + foreign.added
    found: Shapes = {}

    def linear(name: str, outputs: int, inputs: int, bias: bool) -> None:
        found[f"{name}.weight"] = (inputs, outputs) if foreign.kind == "gpt2" else (outputs, inputs)
        if bias:
            found[f"{name}.bias"] = (outputs,)

    def norm(name: str) -> None:
        found[f"{name}.weight"] = (wide,)
        if settings.normalization == "layer":
            found[f"{name}.bias"] = (wide,)

    if not settings.tied:
        found["lm_head.weight"] = (foreign.vocabulary, wide)
    if foreign.kind == "gpt2":
        found["transformer.wte.weight"] = (foreign.vocabulary, wide)
        found["transformer.wpe.weight"] = (settings.context, wide)
        norm("transformer.ln_f")
        for index in range(settings.layers):
            prefix = f"transformer.h.{index}."
            norm(prefix + "ln_1")
            norm(prefix + "ln_2")
            linear(prefix + "attn.c_attn", 3 * wide, wide, True)
            linear(prefix + "attn.c_proj", wide, wide, True)
            linear(prefix + "mlp.c_fc", inner, wide, True)
            linear(prefix + "mlp.c_proj", wide, inner, True)
        return found
    found["model.embed_tokens.weight"] = (foreign.vocabulary, wide)
    norm("model.norm")
    biases, head = foreign.biases, settings.width // settings.heads
    for index in range(settings.layers):
        prefix = f"model.layers.{index}."
        norm(prefix + "input_layernorm")
        norm(prefix + "post_attention_layernorm")
        linear(prefix + "self_attn.q_proj", settings.width, wide, biases["queries"])
        for one in "kv":
            linear(f"{prefix}self_attn.{one}_proj", foreign.key_value_heads * head, wide, biases["queries"])
        linear(prefix + "self_attn.o_proj", wide, settings.width, biases["output"])
        for one in ("gate_proj", "up_proj") if settings.activation == "swiglu" else ("c_fc",):
            linear(f"{prefix}mlp.{one}", inner, wide, biases["feedforward"])
        down = "down_proj" if settings.activation == "swiglu" else "c_proj"
        linear(f"{prefix}mlp.{down}", wide, inner, biases["feedforward"])
    return found


def our_weights(foreign: Foreign, given: Mapping[str, Tensor], rows: Tensor | None) -> Weights:
    """Our weights, in float32. `rows`: which of their rows each of our token ids has, where the orders differ.

    Raises:
        InputError: our own export's added entries were trained on since.
    """
    tensors = {renamed(name, foreign.kind): value for name, value in given.items() if not BUFFERS.search(name)}
    if foreign.kind == OWN:
        return {name.removeprefix("model."): value for name, value in tensors.items()}
    settings = foreign.settings
    assert isinstance(settings, TransformerSettings)
    take = from_gpt2 if foreign.kind == "gpt2" else from_llama
    weights = take(foreign, settings, tensors)
    if not settings.tied:
        weights["output.weight"] = tensors["lm_head.weight"]
    if foreign.added:
        weights = {name: value.double() for name, value in weights.items()}
        before = narrowed(weights, settings)
        if before is None:
            raise InputError(
                "In the way of an import stand the entries that Glassloom's export had added for the output bias: "
                "they were trained on since",
                "the entries as they were written",
                "export a model with --no-output-bias, and train that one elsewhere",
            )
        weights = before
    for name in ("embedding.weight", "output.weight", "output.bias"):
        if rows is not None and name in weights:
            weights[name] = weights[name][rows]
    return {name: value.float().contiguous() for name, value in weights.items()}


def from_llama(foreign: Foreign, settings: TransformerSettings, tensors: Mapping[str, Tensor]) -> Weights:
    """Llama, Mistral, Qwen2 and Starcoder2."""
    weights = {"embedding.weight": tensors["model.embed_tokens.weight"]}
    repeats = settings.heads // foreign.key_value_heads
    gated = settings.activation == "swiglu"
    kinds = ("weight", "bias")
    for kind in kinds:
        if f"model.norm.{kind}" in tensors:
            weights[f"final_norm.{kind}"] = tensors[f"model.norm.{kind}"]
    for index in range(settings.layers):
        theirs, ours = f"model.layers.{index}.", f"layers.{index}."
        for kind in kinds:
            for number, name in enumerate(("input_layernorm", "post_attention_layernorm")):
                if f"{theirs}{name}.{kind}" in tensors:
                    weights[f"{ours}norms.{number}.{kind}"] = tensors[f"{theirs}{name}.{kind}"]
            if f"{theirs}self_attn.q_proj.{kind}" in tensors:
                queries, *shared = (tensors[f"{theirs}self_attn.{one}_proj.{kind}"] for one in "qkv")
                own = [repeated(part, foreign.key_value_heads, repeats) for part in shared]
                weights[f"{ours}attention.0.query_key_value.{kind}"] = torch.cat([queries, *own])
            output = tensors.get(f"{theirs}self_attn.o_proj.{kind}")
            if output is None and settings.attention_bias:  # Qwen2 has biases of queries, keys and values alone
                output = torch.zeros(settings.width)
            if output is not None:
                weights[f"{ours}attention.0.output.{kind}"] = output
            names = ("up_proj", "gate_proj") if gated else ("c_fc",)
            if f"{theirs}mlp.{names[0]}.{kind}" in tensors:
                inner = torch.cat([tensors[f"{theirs}mlp.{name}.{kind}"] for name in names])
                weights[f"{ours}feedforward.inner.{kind}"] = inner
                last = tensors[f"{theirs}mlp.{'down_proj' if gated else 'c_proj'}.{kind}"]
                weights[f"{ours}feedforward.output.{kind}"] = last
    return weights


def repeated(shared: Tensor, heads: int, times: int) -> Tensor:
    """Keys' or values' rows, each head's repeated for the queries that share it."""
    return shared.unflatten(0, (heads, -1)).repeat_interleave(times, 0).flatten(0, 1)


def from_gpt2(foreign: Foreign, settings: TransformerSettings, tensors: Mapping[str, Tensor]) -> Weights:
    """GPT-2; of a widened one each head's added entry is dropped, and the queries' scale is taken back."""
    head, wide_head = settings.width // settings.heads, (settings.width + foreign.added) // settings.heads
    weights = {
        "embedding.weight": tensors["transformer.wte.weight"],
        "positions.weight": tensors["transformer.wpe.weight"],
        "final_norm.weight": tensors["transformer.ln_f.weight"],
        "final_norm.bias": tensors["transformer.ln_f.bias"],
    }
    for index in range(settings.layers):
        for ours, theirs in GPT2.items():
            for kind in ("weight", "bias"):
                value = tensors[f"transformer.h.{index}.{theirs}.{kind}"]
                value = value.t() if value.ndim == 2 else value
                if foreign.added and ours == "attention.0.query_key_value":
                    heads = value.unflatten(0, (3, settings.heads, wide_head))[:, :, :head].clone()
                    heads[0] *= math.sqrt(head / wide_head)
                    value = heads.flatten(0, 2)
                elif foreign.added and ours == "attention.0.output" and kind == "weight":
                    value = value.unflatten(1, (settings.heads, wide_head))[:, :, :head].flatten(1)
                weights[f"layers.{index}.{ours}.{kind}"] = value
    return weights
