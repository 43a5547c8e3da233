"""A config.json of transformers as our settings, and what in it stands in the way.

    gpt2                          learned positions, layer norm, biases everywhere but at the output
    llama, mistral, qwen2         rotary positions, RMS norm, SwiGLU; biases where the config has them
    starcoder2                    rotary positions, layer norm, a feed-forward of two matrices
    glassloom                     our own class: the settings themselves

Fewer heads of keys and values than of queries are no obstacle: each is repeated for the queries that share it, which
gives the same numbers with more weights.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn

from glassloom.config import checked
from glassloom.errors import InputError
from glassloom.models import ARCHITECTURES, settings_of
from glassloom.models.settings import ModelSettings, TransformerSettings

LLAMA_LIKE = ("llama", "mistral", "qwen2", "starcoder2")
OWN = "glassloom"
KNOWN = ("gpt2", *LLAMA_LIKE, OWN)
ACTIVATIONS = {
    "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "relu2": "relu2",
}  # fmt: skip
MOST = 2**31
"""No size of a model is beyond."""


@dataclass(frozen=True)
class Foreign:
    """A model from elsewhere: its kind, our settings for it, and what else its tensors' shapes depend on."""

    kind: str
    settings: ModelSettings
    vocabulary: int
    key_value_heads: int = 0
    biases: dict[str, bool] = field(default_factory=dict)
    added: int = 0
    """Entries that our own export has added to the width, for the output bias."""


def foreign_of(config: dict[str, Any]) -> Foreign:
    """What a config says, as our settings.

    Raises:
        InputError: a setting that ours has no counterpart of (named), or one that is no setting.
    """
    kind = config.get("model_type")
    if kind not in KNOWN:
        stands_in_the_way("model_type", kind, f"one of {', '.join(KNOWN)}")
    if config.get("quantization_config"):
        stands_in_the_way("quantization_config", "there", "a model that is not quantised")
    vocabulary = size(config, "vocab_size")
    if kind == OWN:
        architecture = config.get("architecture")
        if architecture not in ARCHITECTURES:
            stands_in_the_way("architecture", architecture, f"one of {', '.join(ARCHITECTURES)}")
        given = config.get("settings")
        settings = checked(settings_of(str(architecture)), given if isinstance(given, dict) else {})
        return Foreign(kind, settings, vocabulary)
    return gpt2(config, vocabulary) if kind == "gpt2" else llama_like(config, str(kind), vocabulary)


def gpt2(config: dict[str, Any], vocabulary: int) -> Foreign:
    """GPT-2's config."""
    for name, wanted in {
        "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False,
    }.items():  # fmt: skip
        if config.get(name, wanted) is not wanted:
            stands_in_the_way(name, config[name], str(wanted).lower())
    heads, layers = size(config, "n_head", 12), size(config, "n_layer", 12)
    wide = size(config, "n_embd", 768)
    added = heads if widened(config) else 0
    width = wide - added
    settings = {
        "layers": layers, "width": width, "heads": heads, "context": size(config, "n_positions", 1024),
        "feedforward": size(config, "n_inner", 4 * wide), "positions": "learned", "normalization": "layer",
        "activation": activation(config, "activation_function", "gelu_new"), "output_bias": bool(added),
        "norm_epsilon": number(config, "layer_norm_epsilon", 1e-5) * wide / width,
        "tied": bool(config.get("tie_word_embeddings", True)),
    }  # fmt: skip
    return Foreign("gpt2", checked(TransformerSettings, settings), vocabulary, heads, {}, added)


def llama_like(config: dict[str, Any], kind: str, vocabulary: int) -> Foreign:
    """The config of Llama, Mistral, Qwen2 or Starcoder2."""
    heads, layers = size(config, "num_attention_heads"), size(config, "num_hidden_layers")
    wide = size(config, "hidden_size")
    added = heads if kind == "starcoder2" and widened(config) else 0
    width = wide - added
    head = size(config, "head_dim", width // heads)
    if head * heads != width:
        stands_in_the_way("head_dim", head, f"hidden_size / num_attention_heads, {width / heads:g}")
    shared = size(config, "num_key_value_heads", heads)
    if heads % shared:
        stands_in_the_way("num_key_value_heads", shared, f"a divisor of the {heads} heads")
    if number(config, "partial_rotary_factor", 1.0) != 1.0:
        stands_in_the_way("partial_rotary_factor", config["partial_rotary_factor"], "1")
    rms = kind != "starcoder2"
    use = bool(config.get("use_bias", True))
    biases = {
        "llama": (bool(config.get("attention_bias")),) * 2 + (bool(config.get("mlp_bias")),),
        "mistral": (False, False, False),
        "qwen2": (True, False, False),
        "starcoder2": (use, use, use),
    }[kind]
    settings = {
        "layers": layers, "width": width, "heads": heads, "context": window(config, kind),
        "feedforward": size(config, "intermediate_size"), "positions": "rotary", "rotary_base": rotary_base(config),
        "normalization": "rms" if rms else "layer", "norm_bias": not rms, "output_bias": bool(added),
        "attention_bias": biases[0], "feedforward_bias": biases[2],
        "norm_epsilon": number(config, "rms_norm_eps" if rms else "norm_epsilon", 1e-6 if rms else 1e-5) * wide / width,
        "tied": bool(config.get("tie_word_embeddings", kind == "starcoder2")),
    }  # fmt: skip
    if rms:
        if config.get("hidden_act", "silu") not in ("silu", "swish"):
            stands_in_the_way("hidden_act", config["hidden_act"], "silu")
        settings["activation"] = "swiglu"
    else:
        settings["activation"] = activation(config, "hidden_act", "gelu_pytorch_tanh")
    places = dict(zip(("queries", "output", "feedforward"), biases, strict=True))
    return Foreign(kind, checked(TransformerSettings, settings), vocabulary, shared, places, added)


def window(config: dict[str, Any], kind: str) -> int:
    """How far back a token sees: the window that goes along where there is one, else the longest text."""
    longest = size(config, "max_position_embeddings", 32768)
    kinds = config.get("layer_types") or []
    if not isinstance(kinds, list) or len(set(map(str, kinds))) > 1:
        stands_in_the_way("layer_types", "of several kinds", "the same attention in every layer")
    asked = config.get("sliding_window")
    on = config.get("use_sliding_window", kind != "qwen2") and kinds[:1] != ["full_attention"]
    return size(config, "sliding_window") if asked is not None and on else longest


def rotary_base(config: dict[str, Any]) -> float:
    """The base of the rotary angles; they must not be scaled."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        stands_in_the_way("rope_parameters", rope, "names and values")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        stands_in_the_way("rope_type", kind, "default")
    return number(rope, "rope_theta", number(config, "rope_theta", 10000.0))


def activation(config: dict[str, Any], name: str, usual: str) -> str:
    """Our name for what is inside the feed-forward."""
    given = config.get(name, usual)
    if not isinstance(given, str) or given not in ACTIVATIONS:
        stands_in_the_way(name, given, f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[given]


def widened(config: dict[str, Any]) -> bool:
    """Whether our own export has added entries for an output bias."""
    ours = config.get("glassloom")
    return isinstance(ours, dict) and ours.get("output_bias_within") is True


def size(config: dict[str, Any], name: str, usual: int | None = None) -> int:
    """A size: a whole number from 1 on."""
    value = config.get(name)
    value = usual if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < MOST:
        stands_in_the_way(name, value, "a whole number from 1 on")
    return value


def number(config: dict[str, Any], name: str, usual: float) -> float:
    """A number above 0."""
    value = config.get(name, usual)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        stands_in_the_way(name, value, "a number above 0")
    return float(value)


def stands_in_the_way(name: str, value: Any, wanted: str) -> NoReturn:
    """Refuse a config, naming the setting."""
    raise InputError(
        f"In the way of an import stands {name}, which is {str(value)[:60]}",
        wanted,
        "see docs/formats.md for what can be imported",
    )
