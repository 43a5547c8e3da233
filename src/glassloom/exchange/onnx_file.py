"""A trained model as ONNX: operators only, any batch, any length, the state in and out.

Beside `model.onnx` lie `state.safetensors`, the state that a new text begins with (one row; repeat it for more), the
tokenizer, and the card. Inputs are `tokens` and the state; outputs `logits` and the state after the last token, under
the same names with `next.` before them.
"""

import json
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from glassloom.errors import InputError
from glassloom.exchange.card import card
from glassloom.exchange.onnx_graph import Graph
from glassloom.exchange.onnx_recurrent import recurrent_graph
from glassloom.exchange.onnx_transformer import transformer_graph
from glassloom.exchange.places import writing_folder
from glassloom.exchange.tokenizing import tokenizer_files
from glassloom.models.contract import LanguageModel
from glassloom.models.recurrent import RecurrentModel
from glassloom.models.summary import parameter_count
from glassloom.models.transformer import Transformer
from glassloom.runs import Checkpoint, Run
from glassloom.storage import write_durably

MOST_PARAMETERS = 450_000_000
"""A file of ONNX holds less than 2 GiB (protobuf's own bound)."""
USE = """```python
import numpy, onnxruntime, safetensors.numpy, tokenizers

session = onnxruntime.InferenceSession("model.onnx")
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")
state = safetensors.numpy.load_file("state.safetensors")
ids, tokens = [], tokenizer.encode("To be").ids
for _ in range(100):
    logits, *after = session.run(None, {"tokens": numpy.array([tokens]), **state})
    state = {given.name.removeprefix("next."): value for given, value in zip(session.get_outputs()[1:], after)}
    tokens = [int(logits[0, -1].argmax())]
    ids += tokens
print(tokenizer.decode(ids))
```"""


def write(run: Run, checkpoint: Checkpoint, out: str | Path | None = None) -> Path:
    """Write the folder of a checkpoint; `onnx` in the run's folder where none is named.

    Raises:
        InputError: the package onnx is missing, the model has no operators there or is too large, the folder is taken.
        StorageError: the folder cannot be written.
    """
    model = run.model(checkpoint)
    graph, start = drawn(model)
    told = {
        "architecture": model.settings.architecture,
        "settings": json.dumps(model.settings.model_dump(mode="json")),
        "text": str(run.corpus["name"]),
        "step": str(checkpoint.step),
    }
    longest = model.context if isinstance(model, Transformer) and model.table_ends else None
    files = {
        "model.onnx": graph.bytes(f"{run.name}, trained with Glassloom", told),
        "state.safetensors": save(start),
        **tokenizer_files(run.tokenizer, longest),
        "README.md": card(run, checkpoint, model, USE, library="onnx").encode(),
    }
    with writing_folder(run, out, "onnx", marker="model.onnx") as (folder, final):
        for name, content in files.items():
            write_durably(folder / name, content)
    return final


def drawn(model: LanguageModel) -> tuple[Graph, dict[str, Tensor]]:
    """The graph of a model, and the state that a new text begins with, in float32.

    Raises:
        InputError: an architecture of someone's own, or more parameters than a file of ONNX holds.
    """
    count = parameter_count(model)
    if count > MOST_PARAMETERS:
        raise InputError(
            f"The model has {count:,} parameters, too many for one file of ONNX",
            f"at most {MOST_PARAMETERS:,}",
            "export it with --to huggingface",
        )
    model = model.float()
    if isinstance(model, Transformer):
        return transformer_graph(model)
    if isinstance(model, RecurrentModel) and model.settings.architecture in ("rnn", "gru", "lstm"):
        return recurrent_graph(model)
    raise InputError(
        f"The architecture {model.settings.architecture} has not been written in ONNX's operators",
        "rnn, gru, lstm or transformer",
        "export it with --to huggingface",
    )
