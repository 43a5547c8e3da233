"""A model that was trained elsewhere as a run: `glassloom import DIR --name NAME`.

From a Hugging Face folder of safetensors come the settings, the tokenizer and the weights; then every view, the doctor
and the studio work on it, `evaluate` scores it on any text, and `train --from` goes on training it. A text given with
it is the run's own: it is scored on that text's held-out part, and views that need a text take theirs there.

Nothing of the folder is executed: code that it names (`auto_map`) is left alone.
"""

import platform
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

import glassloom
from glassloom.config import Config, TrainSettings
from glassloom.data import Corpus, DataSettings, load_corpus, load_text
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError, notice
from glassloom.exchange.foreign_settings import OWN, Foreign, foreign_of
from glassloom.exchange.foreign_tokenizers import foreign_tokenizer
from glassloom.exchange.foreign_weights import check_shapes, our_weights
from glassloom.exchange.weight_files import CONFIG, document, weight_files
from glassloom.models.settings import TransformerSettings
from glassloom.runs import Run, check_free, check_name, create_run
from glassloom.training import evaluate_split
from glassloom.training.resolve import resolve
from glassloom.training.state import Progress

ELSEWHERE = "trained elsewhere"
NO_TEXT = {"tokens": 0, "characters": 0, "bytes": 0}


def import_model(
    folder: str | Path,
    name: str,
    *,
    corpus: Any = None,
    runs: str | Path = "runs",
    replace: bool = False,
    command: str = "glassloom.import_model",
) -> Run:
    """Make a run of a model folder: GPT-2, Llama, Mistral, Qwen2, Starcoder2, or an export of our own.

    `corpus` is what `load_corpus` takes, text with line breaks, or a Corpus made with the same tokenizer.

    >>> run = import_model("gpt2-folder", "gpt2")  # doctest: +SKIP
    >>> run.inside("To be")["logits"].shape  # doctest: +SKIP

    Raises:
        InputError: a layout or setting that does not fit (named), weights that are no safetensors or do not fit the
            config, a tokenizer that is unlike ours, a text that it cannot spell, a name that is taken.
        StorageError: the run cannot be written.
    """
    path, root = Path(folder), Path(runs)
    check_name(name)
    if not replace:
        check_free(root, name)
    if not path.is_dir():
        raise InputError(f"{path} is no folder", "a model folder of Hugging Face", "give the folder's path")
    given = document(path / CONFIG)
    if given.get("auto_map"):
        notice("The folder names code of its own (auto_map); it is not run.")
    foreign = foreign_of(given)
    files = weight_files(path)
    check_shapes(foreign, files.shapes, str(path))
    found = foreign_tokenizer(path, foreign.vocabulary)
    tokenizer = found.tokenizer
    text = opened(corpus, tokenizer)
    rows = torch.tensor(found.rows)
    straight = found.rows == list(range(foreign.vocabulary))
    if not straight and foreign.kind == OWN:
        raise InputError(
            "The tokenizer numbers its ids in another order than the model of Glassloom's own class",
            "the tokenizer.json that was exported with it",
            "take it from the same export",
        )
    weights = our_weights(foreign, files.read(), None if straight else rows)
    config = config_for(foreign, tokenizer, text)
    facts = no_text(tokenizer) if text is None else text.describe()
    run = create_run(
        root, name, config=config, tokenizer=tokenizer, corpus=facts, environment=environment(command, path),
        weights=weights, state={}, progress=progress(), replace=replace,
    )  # fmt: skip
    with run.writing():
        write_result(run, text)
    return run


def opened(corpus: Any, tokenizer: Tokenizer) -> Corpus | None:
    """The text that was given, read with the model's tokenizer."""
    if corpus is None:
        return None
    if not isinstance(corpus, Corpus):
        read = load_text if isinstance(corpus, str) and "\n" in corpus else load_corpus
        return read(corpus, DataSettings(), tokenizer=tokenizer)
    if corpus.tokenizer.sha256 != tokenizer.sha256:
        raise InputError(
            f"The corpus {corpus.name} was made with another tokenizer ({corpus.tokenizer.name}) than the model's",
            f"the model's own {tokenizer.name} tokenizer",
            "give the text itself",
        )
    return corpus


def config_for(foreign: Foreign, tokenizer: Tokenizer, text: Corpus | None) -> Config:
    """The settings of the model, and for the text and the training those that this machine would take."""
    settings = foreign.settings
    name = settings.architecture
    length = min(settings.context, 128) if isinstance(settings, TransformerSettings) else 64
    flat = Config.from_flat({"model": name, **settings.model_dump(), "steps": 1, "sequence_length": length})
    if text is not None:
        return resolve(flat, text, {})
    train = TrainSettings(**{**flat.train.model_dump(), "device": "cpu", "precision": "float32", "batching": "streams"})
    return Config(flat.data.model_copy(update={"tokenizer": tokenizer.name}), name, settings, train)


def no_text(tokenizer: Tokenizer) -> dict[str, Any]:
    """What corpus.json says where no text came with the model."""
    return {
        "name": "a text elsewhere",
        "source": "",
        "sizes": {split: dict(NO_TEXT) for split in ("train", "valid", "test")},
        "sha256": "",
        "fingerprint": "",
        "vocabulary": tokenizer.size,
        "tokenizer": tokenizer.name,
        "split_rule": "none",
    }


def progress() -> dict[str, Any]:
    """Where the training stands that took place elsewhere: at its beginning, as far as is known here."""
    return {
        **vars(Progress(best_step=0)),
        "optimizer": {},
        "average": None,
        "schedule": None,
        "batches": {"epoch": 0.0, "steps": 0, "steps_per_epoch": 1},
    }


def write_result(run: Run, text: Corpus | None) -> None:
    """What is known of the run: how it came, and its loss on the held-out part of the text that was given."""
    result: dict[str, Any] = {"status": "finished", "reason": ELSEWHERE, "step": 0, "tokens": 0, "seconds": 0.0}
    if text is not None and text.valid.tokens:
        train = run.config.train
        found = evaluate_split(
            run.model(), text, "valid", batch_size=train.batch_size, sequence_length=train.sequence_length or 1
        )
        result["best"] = {"step": 0, **found.as_dict()}
    run.write_result(result)


def environment(command: str, folder: Path) -> dict[str, Any]:
    """Versions, and where the model came from: the folder's name alone."""
    return {
        "glassloom": glassloom.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
        "imported_from": folder.resolve().name,
    }
