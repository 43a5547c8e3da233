"""Settings: each written once, checked strictly, and each changes something that can be measured."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel

from glassloom.config import BUDGETS, Config, TrainSettings, all_settings, checked, describe, plain_names
from glassloom.data import DataSettings, load_corpus
from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import Notice, SettingError, TokenizerError, TrainingError
from glassloom.generation import DecodingSettings, generate
from glassloom.loss import token_nats
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.training import Began, Event, train
from trainings import TIMES

TEXT = "Simple is better than complex. Ça va, café?\n\nComplex is better than complicated.\n" * 12


@dataclass(frozen=True)
class Pair:
    """Two values of a setting that must be told apart, and what else must be set for that."""

    one: Any
    other: Any
    beside: dict[str, Any] = field(default_factory=dict)


# -- what can be measured


def of_text(folder: Path, given: dict[str, Any]) -> Any:
    """Sizes, hash, vocabulary and the first ids of a text; or how it is refused."""
    given = dict(given)
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    known = CharTokenizer(given.pop("known")) if "known" in given else None
    try:
        corpus = load_corpus(given.pop("source", path), DataSettings(**given), tokenizer=known)
    except TokenizerError as error:
        return str(error)
    starts = None if corpus.train.starts is None else corpus.train.starts.tolist()
    return corpus.describe()["sizes"], corpus.sha256, corpus.tokenizer.labels(), corpus.train.ids[:99].tolist(), starts


def of_model(folder: Path, given: dict[str, Any]) -> Any:
    """Shapes, and the loss at the start, dropout on."""
    settings = Config.from_flat({"layers": 2, "width": 8, **given}).model
    model = build(settings, 11, torch.Generator().manual_seed(1))
    model.generator = torch.Generator().manual_seed(2)
    tokens = torch.arange(40).reshape(2, 20) % 11
    logits, _ = model.train()(tokens)
    targets = (tokens * 3 + 1) % 11
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    return shapes, token_nats(logits, targets).mean().item()


def of_training(folder: Path, given: dict[str, Any]) -> Any:
    """What a tiny training measures, writes and saves; or how it is refused."""
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    root = folder / f"runs-{len(list(folder.iterdir()))}"
    begun: list[Any] = []

    def note(event: Event) -> None:
        if isinstance(event, Began):
            begun.append(event.facts["compiled"])

    try:
        run = train(path, given, root=root, name="run", with_baselines=False, on_event=note).run
    except (SettingError, TrainingError) as error:
        return str(error)
    metrics = [{k: v for k, v in record.items() if k not in TIMES} for record in run.metrics()]
    weights = {c.step: hashlib.sha256((c.path / "model.safetensors").read_bytes()).digest() for c in run.checkpoints()}
    here = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    return begun, metrics, run.samples(), weights, run.events.is_dir(), *here


def of_decoding(folder: Path, given: dict[str, Any]) -> Any:
    """The samples of a model with random weights."""
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    tokenizer = load_corpus(path).tokenizer
    model = build(Config.from_flat({"width": 8}).model, tokenizer.size, torch.Generator().manual_seed(1))
    samples = generate(model, tokenizer, "Simple", DecodingSettings(**{"length": 20, **given}))
    return [(sample.text, sample.ids) for sample in samples]


# -- every setting, and what tells two values of it apart

DATA = {
    "tokenizer": Pair("char", "byte"),
    "split": Pair("90,10", "50,50"),
    "lowercase": Pair(False, True),
    "normalize": Pair("none", "NFD"),
    "first_characters": Pair(None, 200),
    "encoding": Pair("utf-8", "latin-1"),
    "minimum_count": Pair(1, 13, {"tokenizer": "word"}),
    "vocabulary_size": Pair(None, 5, {"tokenizer": "word"}),
    "sequences": Pair("stream", "lines"),
    "marks": Pair("special", "text", {"sequences": "lines"}),
    "samples": Pair(20, 30, {"source": "ndfa"}),
    "language_seed": Pair(0, 1, {"source": "ndfa", "samples": 20}),
    "skip_unknown": Pair(False, True, {"known": "Simple is better than complx,"}),
}

RECURRENT = {
    "layers": Pair(1, 2),
    "width": Pair(8, 10),
    "widths": Pair(None, (8, 10)),
    "embedding": Pair(None, 5),
    "embedding_bias": Pair(False, True),
    "initial_state": Pair("zero", "trainable"),
    **dict.fromkeys(("dropout", "dropout_words", "dropout_recurrent", "dropout_state"), Pair(0.0, 0.5)),
    **dict.fromkeys(("dropout_embedding", "dropout_layers", "dropout_output"), Pair(None, 0.5)),
    "dropout_mask": Pair("step", "sequence", {"dropout": 0.5}),
    "tied": Pair(False, True),
    "bias": Pair("one", "two"),
    "initialization": Pair("orthogonal", "uniform"),
}
MODELS: dict[str, dict[str, Pair]] = {
    "rnn": {**RECURRENT, "activation": Pair("tanh", "relu")},
    "gru": {**RECURRENT, "reset": Pair("before", "after")},
    "lstm": {**RECURRENT, "forget_bias": Pair(1.0, 0.0)},
    "transformer": {
        "layers": Pair(1, 2),
        "width": Pair(8, 16),
        "heads": Pair(4, 2),
        "context": Pair(4, 8),
        "feedforward": Pair(None, 5),
        "norm": Pair("pre", "post"),
        "normalization": Pair("layer", "rms"),
        "final_norm": Pair(True, False),
        "positions": Pair("rotary", "none"),
        "activation": Pair("gelu", "relu"),
        "attention_sublayers": Pair(1, 2),
        "attention_bias": Pair(True, False),
        "feedforward_bias": Pair(True, False),
        "norm_bias": Pair(True, False),
        "output_bias": Pair(True, False),
        "output": Pair("logits", "probabilities"),
        **dict.fromkeys(("dropout", "dropout_words", "dropout_attention"), Pair(0.0, 0.5)),
        **dict.fromkeys(("dropout_embedding", "dropout_residual", "dropout_feedforward"), Pair(None, 0.5)),
        "tied": Pair(False, True),
        "scaled_embedding": Pair(False, True),
        "norm_epsilon": Pair(1e-5, 1e-2),
        "rotary_base": Pair(1e4, 10.0, {"heads": 2}),
        "initialization": Pair("gpt2", "xavier"),
    },
}

SMALL = {
    **{"model": "rnn", "width": 8, "layers": 1, "threads": 1, "batch_size": 4, "sequence_length": 8},
    **{"eval_tokens": 30, "sample_length": 5, "eval_every": 3, "sample_every": 3},
}
STUCK = {"steps": 8, "lr": 1e-30, "eval_every": 1}  # no loss ever falls
PADDED = {"sequences": "lines", "steps": 3}
TRAINING = {
    "epochs": Pair(0.1, 0.2, {"steps": None}),
    "steps": Pair(3, 4),
    "train_tokens": Pair(32, 64, {"steps": None}),
    "minutes": Pair(1e-9, 0.005, {"steps": None}),
    "batching": Pair("streams", "windows"),
    "batch_size": Pair(4, 5),
    "sequence_length": Pair(8, 9),
    "random_lengths": Pair(False, True),
    "max_tokens": Pair(160, 80, PADDED),
    "accumulate": Pair(1, 2, {"dropout": 0.5}),
    "memory": Pair(0, 1, {"model": "transformer", "batching": "streams", "context": 8}),
    "optimizer": Pair("sgd", "adam"),
    "lr": Pair(1e-2, 2e-2),
    "momentum": Pair(0.0, 0.9, {"optimizer": "sgd"}),
    "beta1": Pair(0.9, 0.5),
    "beta2": Pair(0.99, 0.5),
    "epsilon": Pair(1e-8, 1e-2),
    "weight_decay": Pair(0.0, 0.5),
    "clip_norm": Pair(None, 0.1),
    "clip_value": Pair(None, 1e-3),
    "ema": Pair(None, 0.5),
    "smoothing": Pair(0.999, 0.9),
    "schedule": Pair("constant", "linear"),
    "warmup": Pair(0, 2),
    "lr_final": Pair(0.1, 0.5),
    "decay_share": Pair(0.2, 0.9, {"schedule": "wsd", "steps": 6}),
    "step_every": Pair(0.05, 1.0, {"schedule": "step", "steps": 8}),
    "step_factor": Pair(0.5, 0.25, {"schedule": "step", "step_every": 0.05, "steps": 8}),
    "plateau_patience": Pair(1, 3, {"schedule": "plateau", **STUCK}),
    "plateau_factor": Pair(0.5, 0.25, {"schedule": "plateau", "plateau_patience": 1, **STUCK}),
    "eval_every": Pair(3, 1),
    "evaluations": Pair(2, 3, {"eval_every": None, "steps": 6}),
    "eval_tokens": Pair(30, 40),
    "eval_protocol": Pair("fair", "streams", {"batch_size": 2, "eval_tokens": 0}),
    "save_every": Pair(1, 2, {"steps": 4, "keep": 0}),
    "keep": Pair(2, 0, {"steps": 5, "save_every": 1}),
    "sample_every": Pair(3, 1),
    "sample_prompt": Pair("Simple", "complex"),
    "sample_length": Pair(5, 6),
    "sample_temperature": Pair(0.8, 0.0),
    "tensorboard": Pair(False, True),
    "patience": Pair(None, 2, STUCK),
    "stop_on_divergence": Pair(True, False, {"optimizer": "sgd", "lr": 1e4, "clip_norm": 1.0, "schedule": "constant",
                                             "steps": 130, "eval_every": 130, "sample_every": 130}),
    "seed": Pair(0, 1),
    "device": Pair("cpu", "mps" if not torch.backends.mps.is_available() else "cuda"),
    "precision": Pair("float32", "float64"),
    "threads": Pair(1, 2),
    "compile": Pair("off", "on", {"steps": 1, "model": "transformer", "context": 8}),
    "deterministic": Pair(False, True),
}  # fmt: skip

DECODING = {
    "greedy": Pair(False, True),
    "temperature": Pair(1.0, 0.1),
    "top_k": Pair(None, 2),
    "top_p": Pair(None, 0.1),
    "min_p": Pair(None, 0.99),
    "seed": Pair(0, 1),
    "length": Pair(20, 21),
    "count": Pair(1, 2),
    "stop": Pair((), ("e", "a", "i", " ")),
}

Probe = Callable[[Path, dict[str, Any]], Any]
PLACES: list[tuple[str, type[BaseModel], dict[str, Pair], Probe, dict[str, Any]]] = [
    ("data", DataSettings, DATA, of_text, {}),
    *((name, architecture(name).Settings, MODELS[name], of_model, {"model": name}) for name in ARCHITECTURES),
    ("train", TrainSettings, TRAINING, of_training, {**SMALL, "steps": 3}),
    ("decoding", DecodingSettings, DECODING, of_decoding, {}),
]
EVERY = [
    pytest.param(pairs.get(name), name, probe, common, id=f"{place}-{name}")
    for place, settings, pairs, probe, common in PLACES
    for name in settings.model_fields
]


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """Threads and determinism belong to the process; a test gives them back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("threads_as_before", "for_the_compiler")
@pytest.mark.filterwarnings("ignore::glassloom.errors.Notice")
@pytest.mark.parametrize(("pair", "name", "probe", "common"), EVERY)
def test_every_setting_changes_something_that_can_be_measured(
    tmp_path: Path, pair: Pair | None, name: str, probe: Probe, common: dict[str, Any]
) -> None:
    assert pair is not None, f"the setting {name} is new: name two values here that can be told apart"
    given = {**common, **pair.beside}
    one = probe(tmp_path, {**given, name: pair.one})
    other = probe(tmp_path, {**given, name: pair.other})
    assert one != other
    if name != "minutes":
        assert probe(tmp_path, {**given, name: pair.other}) == other, "what is measured must not change by itself"


def test_no_pair_is_left_over_from_a_setting_that_went() -> None:
    for place, settings, pairs, *_ in PLACES:
        assert set(pairs) <= set(settings.model_fields), place


# -- written once


def test_every_setting_explains_itself() -> None:
    for setting in all_settings():
        assert setting.help, setting.name
        assert setting.kind, setting.name
        assert setting.help[0].isupper() or setting.help.split()[0].endswith(":"), setting.help


def test_bounds_kinds_and_choices_are_read_from_the_field() -> None:
    ema = describe(TrainSettings, "ema")
    assert (ema.kind, ema.bounds, ema.default) == ("a number", "above 0 and below 1", None)
    assert describe(TrainSettings, "seed").bounds == "at least 0 and below 2^62"
    assert describe(DataSettings, "samples").bounds == "at least 10 and at most 10,000,000"
    assert describe(TrainSettings, "schedule").choices[:2] == ("constant", "linear")
    assert describe(architecture("gru").Settings, "widths").kind == "whole numbers, separated by commas"
    assert describe(DecodingSettings, "stop").kind == "one or more texts"
    assert describe(TrainSettings, "deterministic").is_switch


def test_every_setting_is_there_once_with_the_architectures_that_have_it() -> None:
    found = list(all_settings())
    assert len({setting.name for setting in found}) == len(found)
    by_name = {setting.name: setting for setting in found}
    assert set(by_name["heads"].by_architecture) == {"transformer"}
    assert set(by_name["layers"].by_architecture) == set(ARCHITECTURES)
    for name in ARCHITECTURES:
        assert by_name["lr"].by_architecture[name].default == Config.from_flat({"model": name}).train.lr


def test_settings_are_given_by_plain_or_by_full_names() -> None:
    plain = Config.from_flat({"model": "rnn", "width": 8, "lr": 0.1, "lowercase": True})
    assert Config.from_flat({"model": "rnn", "model.width": 8, "train.lr": 0.1, "data.lowercase": True}) == plain
    assert Config.from_flat({"model": "gru", "widths": "8,16"}).model == architecture("gru").Settings(widths=(8, 16))
    assert Config.from_flat({"train.batch-size": 5, "sequence-length": 6}).train.batch_size == 5
    assert plain_names({"train.batch-size": 5, "sequence-length": 6}) == {"batch_size": 5, "sequence_length": 6}
    with pytest.raises(SettingError, match=r"lr was given twice, once as train\.lr"):
        plain_names({"lr": 1, "train.lr": 2})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"widht": 3}, "did you mean width"),
        ({"train.width": 3}, "There is no setting train.width; did you mean model.width?"),
        ({"zzz": 3}, "see all settings"),
        ({"heads": 3}, "gru has no setting heads; it is a setting of transformer"),
        ({"model": "gruu"}, "did you mean gru"),
        ({"model": 3}, "There is no architecture called '3'"),
        ({"lr": 0}, "lr cannot be 0"),
        ({"lr": float("nan")}, "lr cannot be nan"),
        ({"width": 2.5}, "width cannot be 2.5"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"lowercase": "perhaps"}, "lowercase cannot be perhaps. Expected: true or false"),
        ({"epochs": 1, "minutes": 2}, "2 budgets"),
        ({"layers": None}, "layers cannot be None"),
        ({"tied": True, "embedding": 3}, "tied needs an embedding as wide"),
        ({"model": "lstm", "forget_bias": float("inf")}, "forget_bias cannot be inf. Expected: a finite number"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as refused:
        Config.from_flat(given)
    assert said.lower() in str(refused.value).lower()
    assert "pydantic" not in str(refused.value)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_saved_settings_are_read_back_as_they_were(name: str) -> None:
    given: dict[str, Any] = {"model": name, "width": 24, "split": "80,20", "ema": 0.9, "steps": 7, "tied": True}
    config = Config.from_flat(given if name == "transformer" else {**given, "widths": [24, 24]})
    assert Config.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def saved(section: str, **changes: Any) -> dict[str, Any]:
    """Saved settings with some changed."""
    found = Config.from_flat({"model": "rnn"}).as_dict()
    return {**found, section: {**found[section], **changes}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (saved("train", lr="0.1"), 'lr cannot be "0.1". Expected: a number'),
        (saved("train", steps=2.5), "steps cannot be 2.5"),
        (saved("model", tied="yes"), 'tied cannot be "yes". Expected: true or false'),
        (saved("model", width=0), "width cannot be 0"),
        (saved("model", lyers=2), "did you mean layers"),
        (saved("data", tokenizer="chat"), "did you mean char"),
        (saved("model", name="rn"), "did you mean rnn"),
        (saved("model", name=None), "There is no architecture"),
        ({**saved("data"), "extra": {}}, "not those of a run"),
        ({**saved("data"), "model": "rnn"}, "not those of a run"),
        ({**saved("data"), "train": []}, "saved settings are damaged"),
        ([], "not those of a run"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_saved_settings_are_read_strictly(document: Any, said: str) -> None:
    with pytest.raises(SettingError) as refused:
        Config.from_dict(document)
    assert said.lower() in str(refused.value).lower()


def test_a_saved_setting_that_is_missing_takes_its_default_with_a_notice() -> None:
    document = saved("train")
    del document["train"]["patience"]
    with pytest.warns(Notice, match="lack patience"):
        assert Config.from_dict(document) == Config.from_flat({"model": "rnn"})


def test_each_budget_can_be_the_one() -> None:
    for budget in BUDGETS:
        assert Config.from_flat({budget: 5}).train.budget() == (budget, 5.0)
    assert Config.from_flat({}).train.budget() == ("minutes", 2.0)


def test_settings_cannot_be_changed_once_made() -> None:
    settings = checked(TrainSettings, {"lr": 0.1})
    with pytest.raises(ValueError, match="frozen"):
        settings.lr = 0.2
