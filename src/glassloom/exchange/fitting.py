"""Which layout of the transformers library a transformer's settings fit, and which setting stands in the way of one.

A layout is one of that library's own architectures: what is written in it loads with a plain `AutoModelForCausalLM`,
without Glassloom.
"""

from dataclasses import dataclass
from typing import Any

from glassloom.models.settings import ModelSettings, TransformerSettings

ALWAYS: dict[str, tuple[Any, ...]] = {
    "norm": ("pre",),
    "final_norm": (True,),
    "attention_sublayers": (1,),
    "output": ("logits",),
}
"""What every layout asks for."""
PLAIN = ("gelu", "gelu_tanh", "relu", "relu2")


@dataclass(frozen=True)
class Layout:
    """An architecture of another library: what the settings must be for it, and what it does beyond the context.

    `gguf` is its name there. `slides`: a token sees the last `context` tokens, in a text of any length, as ours does.
    """

    about: str
    gguf: str
    slides: bool
    needs: dict[str, tuple[Any, ...]]


ROTARY_RMS: dict[str, tuple[Any, ...]] = {
    "positions": ("rotary",),
    "normalization": ("rms",),
    "activation": ("swiglu",),
    "norm_bias": (False,),
    "output_bias": (False,),
}
LAYOUTS = {
    "starcoder2": Layout(
        "rotary positions, layer norm, a feed-forward of two matrices: the default",
        "starcoder2",
        True,
        {**ALWAYS, "positions": ("rotary",), "normalization": ("layer",), "activation": PLAIN},
    ),
    "gpt2": Layout(
        "GPT-2: a table of positions, layer norm, a feed-forward of two matrices",
        "gpt2",
        False,
        {**ALWAYS, "positions": ("learned", "sinusoidal", "none"), "normalization": ("layer",), "activation": PLAIN},
    ),
    "mistral": Layout(
        "Llama with the window of Mistral: rotary positions, RMS norm, SwiGLU, no biases",
        "llama",
        True,
        {**ALWAYS, **ROTARY_RMS, "attention_bias": (False,), "feedforward_bias": (False,)},
    ),
    "llama": Layout(
        "Llama with biases: rotary positions, RMS norm, SwiGLU",
        "llama",
        False,
        {**ALWAYS, **ROTARY_RMS},
    ),
}
"""Every layout, by the name that transformers has for it; the first that fits is taken."""


def obstacles(settings: ModelSettings, layout: str) -> list[str]:
    """The settings that stand in the way of a layout, each as `name value (what it would have to be)`.

    >>> obstacles(TransformerSettings(norm="post"), "starcoder2")
    ['norm post (not pre)']
    """
    if not isinstance(settings, TransformerSettings):
        return [f"the architecture {settings.architecture} (not transformer)"]
    return [
        f"{name} {shown(value)} (not {' or '.join(map(shown, wanted))})"
        for name, wanted in LAYOUTS[layout].needs.items()
        if (value := getattr(settings, name)) not in wanted
    ]


def fitting_layout(settings: ModelSettings) -> str | None:
    """The first layout that the settings fit; None where they fit none.

    >>> fitting_layout(TransformerSettings())
    'starcoder2'
    """
    return next((layout for layout in LAYOUTS if not obstacles(settings, layout)), None)


def nearest_layout(settings: ModelSettings) -> tuple[str, list[str]]:
    """The layout with the fewest obstacles, and these."""
    found = {layout: obstacles(settings, layout) for layout in LAYOUTS}
    nearest = min(found, key=lambda layout: len(found[layout]))
    return nearest, found[nearest]


def shown(value: Any) -> str:
    """A setting's value as one writes it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
