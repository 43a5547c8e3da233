"""The page of all inner values, made from the models themselves: `python -m glassloom.runs.glossary`.

Each architecture is built with its defaults and reads a text; what `run.inside(text)` then has is listed, by name, with
its axes, its shape and its meaning.
"""

import sys

import torch

from glassloom.config import checked
from glassloom.data.tokenizers import CharTokenizer
from glassloom.models import ARCHITECTURES, build, settings_of
from glassloom.models.inside import inner_value
from glassloom.runs.inside import Inside, look_inside

TEXT = "To be, or not to be"
SYMBOLS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Those of the corpus `shakespeare`."""
VARIANTS: dict[str, dict[str, object]] = {
    "gru": {"reset": "after"}, "transformer": {"attention_sublayers": 2, "layers": 1}
}  # fmt: skip
"""Settings with which an architecture has other values, or more of them."""
INTRODUCTION = """# Every inner value

Made from the models themselves (`python -m glassloom.runs.glossary > docs/glossary.md`). Any of these is one name away:

```python
inside = run.inside("To be, or not to be")
inside["output.hidden"].shape, inside.axes("output.hidden")  # an array of float64, and what its axes are
```

A value can be replaced by its name while the model runs ([Looking inside](views.md#every-inner-value-by-name)), held in
`glassloom view RUN steer --change`, switched off in `ablate`. **Layers, sublayers, heads and units count from 0.** The
axes: `time` is the tokens of the text (`.start` before them where the tokenizer has it), `keys` the tokens that are
attended to, `width` the entries of a hidden vector, `heads` and `head` the attention heads and the entries of one,
`inner` the entries inside a feed-forward, `vocab` those of the vocabulary. There is no batch axis, for the text is one.

The shapes are those of each architecture's defaults, over {time} tokens, with {vocab} symbols.
"""


def glossary_page() -> str:
    """Every inner value of every architecture as Markdown.

    >>> "`layers.N.gate.reset`" in glossary_page()
    True
    """
    lines = [INTRODUCTION.format(time=len(TEXT), vocab=len(SYMBOLS))]
    for name in ARCHITECTURES.own:
        found = inside_of(name)
        layers = sum(one.count(".") == 2 and one.endswith((".hidden", ".residual")) for one in found)
        lines += [
            f"## {name}",
            "",
            f"N is a layer, from 0 to {layers - 1}, and all are alike.",
            "",
            *rows(found),
        ]
        if name in VARIANTS:
            settings = ", ".join(f"`--{key.replace('_', '-')} {value}`" for key, value in VARIANTS[name].items())
            others = {one: value for one, value in inside_of(name, **VARIANTS[name]).items() if one not in found}
            more = f"With {settings} it has the same values." if not others else f"With {settings} it has also:"
            lines += [more, "", *(rows(inside_of(name, **VARIANTS[name]), set(others)) if others else [])]
    return "\n".join(lines).rstrip("\n") + "\n"


def inside_of(name: str, **settings: object) -> Inside:
    """What the inside of a newly built model has."""
    model = build(checked(settings_of(name), settings), len(SYMBOLS), torch.Generator().manual_seed(0))
    return look_inside(model, CharTokenizer(SYMBOLS), TEXT)


def rows(inside: Inside, only: set[str] | None = None) -> list[str]:
    """One table, in the order of the pass; of the layers the first stands for all."""
    lines = ["| name | axes | shape | what it is |", "|---|---|---|---|"]
    for name in inside:
        if name.startswith("layers.") and not name.startswith("layers.0."):
            assert inside[name].shape == inside[name.replace(f".{name.split('.')[1]}.", ".0.", 1)].shape
        elif only is None or name in only:
            shape = " x ".join(map(str, inside[name].shape))
            meaning = "what the output layer says after each token" if name == "logits" else inner_value(name).meaning
            shown = name.replace("layers.0.", "layers.N.")
            lines.append(f"| `{shown}` | {' '.join(inside.axes(name))} | {shape} | {meaning} |")
    return [*lines, ""]


if __name__ == "__main__":
    sys.stdout.write(glossary_page())
