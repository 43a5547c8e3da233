"""A trained model as a folder that the transformers library opens: config, weights, tokenizer, model card.

A transformer whose settings fit one of that library's own layouts needs nothing of ours to be opened; every other model
is written as our own class, which `import glassloom.exchange.huggingface` makes known to that library.
Writing takes neither that library nor any other extra package; weights are safetensors, nothing else.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from glassloom.errors import notice
from glassloom.exchange.card import card
from glassloom.exchange.fitting import fitting_layout, nearest_layout
from glassloom.exchange.layouts import laid_out
from glassloom.exchange.places import writing_folder
from glassloom.exchange.tokenizing import as_bytes, tokenizer_files
from glassloom.models.contract import LanguageModel
from glassloom.models.transformer import Transformer
from glassloom.runs import Checkpoint, Run
from glassloom.storage import write_durably

MODEL_TYPE = "glassloom"
"""What config.json calls our own class."""
IMPORT = "import glassloom.exchange.huggingface  # makes the class known\n"


def write(run: Run, checkpoint: Checkpoint, out: str | Path | None = None) -> Path:
    """Write the folder of a checkpoint; `huggingface` in the run's folder where none is named.

    Raises:
        InputError: the tokenizer has no counterpart, or the folder is taken by something else.
        StorageError: the folder cannot be written.
    """
    model = run.model(checkpoint)
    config, tensors = contents(model, run.tokenizer.specials)
    own = config["model_type"] == MODEL_TYPE
    if own and isinstance(model, Transformer):
        layout, found = nearest_layout(model.settings)
        notice(
            f"In the way of the layout {layout} of transformers: {', '.join(found)}; so the model is written as "
            "Glassloom's own class, which `import glassloom.exchange.huggingface` makes known."
        )
    elif not own and not config_slides(config):
        notice(
            f"In the layout {config['model_type']} no text is read beyond {model.context:,} tokens as the model itself "
            "reads it: there is no window that goes along."
        )
    files = {
        "config.json": as_bytes(config),
        "model.safetensors": save(tensors, metadata={"format": "pt"}),
        **tokenizer_files(run.tokenizer, None if own or config_slides(config) else model.context),
        "README.md": card(run, checkpoint, model, usage(own)).encode(),
    }
    with writing_folder(run, out, "huggingface", marker="config.json") as (folder, final):
        for name, content in files.items():
            write_durably(folder / name, content)
    return final


def contents(model: LanguageModel, specials: dict[str, int] | None = None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the tensors: in a layout of transformers where the settings fit one, else those of our class."""
    if isinstance(model, Transformer) and fitting_layout(model.settings):
        laid = laid_out(model, specials)
        return laid.config, laid.tensors
    ids = specials or {}
    config = {
        "model_type": MODEL_TYPE,
        "architectures": ["GlassloomForCausalLM"],
        "architecture": model.settings.architecture,
        "settings": model.settings.model_dump(mode="json"),
        "vocab_size": model.vocabulary,
        "bos_token_id": ids.get(".start"),
        "eos_token_id": ids.get(".end"),
        "pad_token_id": ids.get(".pad"),
        "dtype": "float32",
    }
    tensors = {f"model.{name}": value.detach().cpu().float().contiguous() for name, value in model.state_dict().items()}
    return config, tensors


def config_slides(config: dict[str, Any]) -> bool:
    """Whether a layout's config has a window that goes along with the text."""
    return config.get("sliding_window") is not None


def usage(own: bool) -> str:
    """How the folder is opened, as a block of Markdown."""
    return (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f"{IMPORT if own else ''}\n"
        'model = AutoModelForCausalLM.from_pretrained("this-folder")\n'
        'tokenizer = AutoTokenizer.from_pretrained("this-folder")\n'
        'ids = tokenizer("To be", return_tensors="pt").input_ids\n'
        "print(tokenizer.decode(model.generate(ids, max_new_tokens=100, do_sample=True)[0]))\n```"
    )
