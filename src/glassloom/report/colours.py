"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008): one an architecture, always the same."""

from collections.abc import Sequence

from glassloom.comparison import Setting

OF_MODEL = {"rnn": "#e69f00", "gru": "#009e73", "lstm": "#0072b2", "transformer": "#d55e00"}
OTHERS = ("#cc79a7", "#56b4e9", "#8c6d46", "#6f6f6f")
SHADES = (0.0, 0.45, -0.35, 0.25, -0.2, 0.6, -0.5)
"""Of an architecture's settings, in their order: towards white (above 0) or black."""
INK, SOFT, RULE, PAPER = "#2b2722", "#6e675c", "#ddd5c6", "#fffdf8"
"""Of the figures as files; on the page the style sheet replaces them, light or dark."""


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


def shade(colour: str, by: float) -> str:
    """The colour mixed with black (by < 0) or white (by > 0).

    >>> shade("#808080", 0), shade("#808080", 0.5)
    ('#808080', '#c0c0c0')
    """
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    towards = 255 if by > 0 else 0
    return "#" + "".join(f"{round(part + (towards - part) * abs(by)):02x}" for part in parts)
