"""A trained model as one page: it opens offline, runs in the reader's browser, and sends nothing anywhere.

Scripts and style run by their hashes only; the model's own script is the text of a worker, and its weights are text.
What comes from a corpus is data: escaped here, and text, never markup, in the page.
"""

import base64
import functools
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import torch
from markupsafe import Markup

from glassloom import paper
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError, notice
from glassloom.exchange.rounding import all_rounded
from glassloom.exchange.telling import Told, told_of
from glassloom.models.contract import LanguageModel
from glassloom.models.summary import parameter_count
from glassloom.runs import Checkpoint, Run, replace_file

EASY = 2_000_000
"""Bytes that can be mailed to a class without a thought."""
MOST_PARAMETERS = 100_000_000
"""Beyond, the page would be more text than browsers hold in one piece."""
ENGINE = (
    *("numbers.js", "recurrent.js", "transformer.js"),
    *("bpe.js", "tokenizers.js", "choosing.js", "engine.js"),
)
"""What the worker runs: a file stands after those that it imports."""
INTERFACE = ("model.js", "texts.js", "pictures.js", "readout.js", "showing.js", "page.js")
"""What the page runs."""

IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)


def write(run: Run, checkpoint: Checkpoint, out: str | Path | None = None) -> Path:
    """Write the page of a checkpoint; into the run's folder where no file is named.

    Raises:
        InputError: the model is too large for a page.
        StorageError: the file cannot be written.
    """
    model = run.model(checkpoint)
    count = parameter_count(model)
    if count > MOST_PARAMETERS:
        raise InputError(
            f"The model has {count:,} parameters, too many for a page",
            f"at most {MOST_PARAMETERS:,}",
            "train a smaller one, with a lower --width",
        )
    page = page_as_html(model, run.tokenizer, told_of(run, checkpoint, model)).encode("utf-8")
    path = run.page if out is None else Path(out)
    replace_file(path, page, elsewhere="--out")
    if len(page) > EASY:
        notice(
            f"The page takes {len(page) / 1e6:.1f} MB, for the model has {count:,} parameters; it works, and would be "
            f"below {EASY / 1e6:.0f} MB, easily mailed, with a lower --width."
        )
    return path


def page_as_html(model: LanguageModel, tokenizer: Tokenizer, told: Told, type: torch.dtype | None = None) -> str:
    """The page; the weights are rounded to a type of 16 bits, float16 unless one is named."""
    weights = all_rounded(model.named_parameters(), type)
    data = {
        "settings": {"name": model.settings.architecture, **model.settings.model_dump(mode="json")},
        "vocabulary": model.vocabulary,
        "tokenizer": tokenizer.to_json(),
        "tensors": [{"name": one.name, "type": one.type, "count": one.count} for one in weights],
        "unit": told.unit,
        "prompt": told.prompt,
    }
    script, style = joined(INTERFACE), paper.style() + source("page.css")
    policy = [
        "default-src 'none'",
        f"script-src {hashed(script)}",
        f"style-src {hashed(style)}",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return templates().get_template("page.jinja").render(
        policy="; ".join(policy),
        style=Markup(style),
        script=Markup(script),
        engine=Markup(joined(ENGINE)),
        weights=base64.b64encode(b"".join(one.data for one in weights)).decode("ascii"),
        data=Markup(as_data(data)),
        told=told,
        code=source(told.script),
    )  # fmt: skip


@functools.cache
def source(name: str) -> str:
    """A file of the page."""
    return resources.files("glassloom.exchange").joinpath("browser", name).read_text(encoding="utf-8")


@functools.cache
def joined(names: tuple[str, ...]) -> str:
    """Modules as one script: what they import stands before them, under the same names."""
    script = '"use strict";\n' + "\n".join(EXPORT.sub("", IMPORT.sub("", source(name))) for name in names)
    assert "</script" not in script.lower(), "it would end its own element"
    assert "<!--" not in script
    return script


def as_data(data: Any) -> str:
    """Plain data as JSON that cannot end its element.

    >>> as_data({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def hashed(content: str) -> str:
    """A script or style as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode('ascii')}'"


@functools.cache
def templates() -> jinja2.Environment:
    """The page's template, with every text escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("glassloom.exchange", "browser"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
