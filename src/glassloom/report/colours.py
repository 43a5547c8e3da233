"""Colours that people with any colour vision tell apart: one an architecture or a name, the same in every figure.

The figures are drawn, and written as files, in the colours for light paper. On the page in the dark the style sheet
puts a colour of the same hue in place of each: `as_rules`.
"""

from collections.abc import Sequence

from glassloom.comparison import Setting

OF_MODEL = {"rnn": "#e69f00", "gru": "#009e73", "lstm": "#0072b2", "transformer": "#d55e00"}
"""Okabe and Ito (2008)."""
NEAR_MODEL = {"rnn": "#8d804f", "gru": "#29937e", "lstm": "#0072b2", "transformer": "#d55e00"}
"""The colour of the palette that stands aside where an architecture has its own."""
OTHERS = ("#cc79a7", "#56b4e9", "#8c6d46", "#6f6f6f")
SHADES = (0.0, 0.45, -0.35, 0.25, -0.2, 0.6, -0.5)
"""Of an architecture's settings, in their order: towards white (above 0) or black."""
INK, SOFT, RULE, PAPER = "#2b2722", "#6e675c", "#ddd5c6", "#fffdf8"
"""Of the figures as files; on the page the style sheet replaces them, light or dark."""

PALETTE = {
    "#0072b2": "#4f9fe0",
    "#d55e00": "#da7306",
    "#29937e": "#137b5e",
    "#8d804f": "#f6efa0",
    "#bc28a4": "#b274a3",
    "#24229e": "#6c60b5",
    "#551207": "#d8122c",
    "#5e97cd": "#adf2fd",
    "#465400": "#a7ea1a",
    "#805ef9": "#baaac4",
    "#75567c": "#85a377",
    "#1c3e40": "#47cffb",
    "#e9548d": "#fbc1b5",
    "#885e40": "#d3ac41",
    "#380050": "#a457ef",
}
"""Of up to 15 names, in their order: on light paper, and on dark."""


def colours_of(settings: Sequence[Setting]) -> dict[str, str]:
    """A colour for each setting: its architecture's own, in several shades where it has several settings."""
    models = list(dict.fromkeys(setting.model for setting in settings))
    unlisted = [model for model in models if model not in OF_MODEL]
    base = OF_MODEL | {model: OTHERS[place % len(OTHERS)] for place, model in enumerate(unlisted)}
    colours = {}
    for model in models:
        names = [setting.name for setting in settings if setting.model == model]
        for place, name in enumerate(names):
            colours[name] = shade(base[model], SHADES[place % len(SHADES)])
    return colours


def colours_by_name(names: Sequence[str]) -> dict[str, str]:
    """A colour for each different name, in their order: an architecture's own, or the next of the palette.

    >>> colours_by_name(["3.1a", "gru", "3.1a"])
    {'3.1a': '#0072b2', 'gru': '#009e73'}
    """
    different = list(dict.fromkeys(names))
    used = {NEAR_MODEL[name] for name in different if name in OF_MODEL}
    free = [colour for colour in PALETTE if colour not in used]
    others = [name for name in different if name not in OF_MODEL]
    rounds = {
        name: shade(free[place % len(free)], SHADES[place // len(free) % len(SHADES)])
        for place, name in enumerate(others)
    }
    return {name: OF_MODEL.get(name) or rounds[name] for name in different}


def as_rules() -> str:
    """Style rules that put the dark colour in place of the light one on a dark page."""
    return "".join(
        f'.chart [{kind}="{light}"] {{ {kind}: light-dark({light}, {dark}); }}\n'
        for light, dark in PALETTE.items()
        for kind in ("stroke", "fill")
    )


def shade(colour: str, by: float) -> str:
    """The colour mixed with black (by < 0) or white (by > 0).

    >>> shade("#808080", 0), shade("#808080", 0.5)
    ('#808080', '#c0c0c0')
    """
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    towards = 255 if by > 0 else 0
    return "#" + "".join(f"{round(part + (towards - part) * abs(by)):02x}" for part in parts)
