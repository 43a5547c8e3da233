"""The average of several models' probabilities, against losses taken token by token and mixed by hand."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import glassloom
from commands import Commands
from glassloom.data import DataSettings, load_text
from glassloom.data.corpus import Corpus
from glassloom.errors import CorpusError, Notice, RunError, SettingError
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.runs import Run
from glassloom.training import evaluate_split, evaluate_together, token_losses
from glassloom.training.mixture import checked_weights
from trainings import language, small, train


@pytest.fixture(scope="session")
def corpus(tiny_text: str) -> Corpus:
    """A small stream with held-out parts of some hundred tokens."""
    return load_text(tiny_text[:3000], DataSettings(split="80,10,10"))


def model(name: str, corpus: Corpus, seed: int = 3, **settings: Any) -> LanguageModel:
    """A model with large random weights, in float64."""
    own = {"heads": 2, "context": 10} if name == "transformer" else {}
    chosen = architecture(name).Settings(**{"width": 8, "layers": 1, **own, **settings})
    made = build(chosen, corpus.tokenizer.size, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(2)
    return made.eval()


def losses_of(made: LanguageModel, ids: list[int]) -> list[float]:
    """The loss of every id but the first: one at a time with the state carried, or in a transformer's windows."""
    nats, state = [], None
    with torch.no_grad():
        if made.context is None:
            for token, target in itertools.pairwise(ids):
                logits, state = made(torch.tensor([[token]]), state)
                nats.append(F.cross_entropy(logits[0], torch.tensor([target])).item())
            return nats
        context, stride = made.context, made.context // 2
        for place in range(len(ids) - 1):
            steps = max(0, math.ceil((place + 1 - context) / stride))
            end = min(context + steps * stride, len(ids) - 1)
            logs = made(torch.tensor([ids[max(0, end - context) : end]]))[0][0].log_softmax(-1)
            nats.append(-logs[place - max(0, end - context), ids[place + 1]].item())
    return nats


def line(corpus: Corpus, split: str) -> list[int]:
    """The ids of a held-out split with the one before it."""
    before = {"valid": "train", "test": "valid"}[split]
    return [int(corpus.split(before).ids[-1]), *corpus.split(split).ids.tolist()]


def by_hand(losses: Sequence[Sequence[float]], weights: Sequence[float]) -> float:
    """The mean of -log of the weighted sum of probabilities, one token at a time."""
    tokens = [
        -math.log(sum(weight * math.exp(-nats) for weight, nats in zip(weights, token, strict=True)))
        for token in zip(*losses, strict=True)
    ]
    return sum(tokens) / len(tokens)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_average_of_unlike_models_is_that_of_their_probabilities(split: str, corpus: Corpus) -> None:
    models = [model("gru", corpus), model("transformer", corpus), model("lstm", corpus, layers=2)]
    own = [losses_of(one, line(corpus, split)) for one in models]
    weights = (0.5, 0.3, 0.2)
    with token_losses(models, corpus, split, warm=0) as losses:
        for nats, expected, one in zip(losses.nats, own, models, strict=True):
            assert np.allclose(nats, expected, atol=1e-10)
            alone = losses.alone(models.index(one))
            assert alone.as_dict() == {**evaluate_split(one, corpus, split, warm=0).as_dict(), **approximately(alone)}
        found = losses.together(weights)
    assert found.tokens == len(corpus.split(split).ids)
    assert found.figures.nats_per_token == pytest.approx(by_hand(own, weights), abs=1e-10)
    assert found.protocol.startswith("the average of 3 runs' probabilities, weights 0.500, 0.300, 0.200; fair: every")
    assert "state carried and fair: every token once, windows of 10 with a stride of 5" in found.protocol
    bits = found.figures.nats_per_token * found.tokens / math.log(2)
    assert found.figures.bits_per_character == pytest.approx(bits / corpus.split(split).characters)


def approximately(found: Any) -> dict[str, Any]:
    """The figures of an evaluation, to be compared but for rounding."""
    return {name: pytest.approx(value, rel=1e-12) for name, value in found.figures.as_dict().items()}


@pytest.mark.parametrize(
    "protocol",
    [{"protocol": "streams", "batch_size": 3, "sequence_length": 7}, {"protocol": "windows", "sequence_length": 9},
     {"tokens": 77}, {"warm": 20}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_every_token_has_its_own_place_under_every_protocol(
    name: str, protocol: dict[str, Any], corpus: Corpus
) -> None:
    """Mixed with a model that gives every token another probability, a token in a wrong place would show."""
    one, other = model(name, corpus), model("rnn", corpus, seed=5)
    with token_losses([one, other], corpus, **protocol) as losses:
        whole, plain = losses.alone(0), evaluate_split(one, corpus, **protocol)
        assert (whole.tokens, whole.protocol) == (plain.tokens, plain.protocol)
        assert whole.figures.nats_per_token == pytest.approx(plain.figures.nats_per_token, rel=1e-12)
        pairs = [losses.nats[0].copy(), losses.nats[1].copy()]
    if "batch_size" in protocol:
        rows, length = protocol["batch_size"], protocol["sequence_length"]
        each = len(corpus.valid.ids) // rows
        used = (each - 1) // length * length
        ids = [corpus.valid.ids[row * each : row * each + used + 1].tolist() for row in range(rows)]
        assert np.allclose(pairs[1], np.concatenate([losses_of(other, row) for row in ids]), atol=1e-10)
    elif protocol.get("protocol") == "windows":
        ids = line(corpus, "valid")
        cuts = [ids[begin : begin + 10] for begin in range(0, len(ids) - 1, 9)]
        assert np.allclose(pairs[1], np.concatenate([losses_of(other, cut) for cut in cuts]), atol=1e-10)
    else:
        expected = losses_of(other, line(corpus, "valid"))[: len(pairs[1])]
        assert np.allclose(pairs[1], expected, atol=1e-3 if "warm" in protocol else 1e-10)


def test_sequences_are_mixed_symbol_by_symbol() -> None:
    corpus = language("brackets")
    models = [model("gru", corpus), model("lstm", corpus)]
    marks, starts = corpus.tokenizer.specials, corpus.valid.starts
    assert starts is not None
    own: list[list[float]] = [[], []]
    for begin, end in itertools.pairwise([*starts, len(corpus.valid.ids)]):
        ids = [marks[".start"], *corpus.valid.ids[begin:end].tolist(), marks[".end"]]
        for nats, one in zip(own, models, strict=True):
            nats += losses_of(one, ids)
    with token_losses(models, corpus) as losses:
        assert np.allclose(losses.nats[0], own[0], atol=1e-10)
        assert losses.together((0.25, 0.75)).figures.nats_per_token == pytest.approx(by_hand(own, (0.25, 0.75)))


def test_memory_holds_a_piece_of_the_tokens_and_the_sum_is_the_same(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [model("gru", corpus), model("rnn", corpus)]
    with token_losses(models, corpus) as losses:
        whole, weights = losses.together((0.4, 0.6)), losses.best_weights()
        monkeypatch.setattr("glassloom.training.mixture.AT_ONCE", 7)
        assert max(part.shape[1] for part in losses.parts()) == 7
        assert losses.together((0.4, 0.6)).figures.nats_per_token == pytest.approx(
            whole.figures.nats_per_token, rel=1e-13
        )
        assert losses.best_weights() == pytest.approx(weights, abs=1e-6)
        assert all(isinstance(nats, np.memmap) for nats in losses.nats)


def test_the_same_model_twice_is_that_model_and_no_average_is_worse_than_its_bound(corpus: Corpus) -> None:
    one = model("gru", corpus)
    with token_losses([one, one], corpus) as losses:
        assert losses.together((0.5, 0.5)).figures.nats_per_token == pytest.approx(
            losses.alone(0).figures.nats_per_token, rel=1e-14
        )
    models = [one, model("lstm", corpus, 4), model("transformer", corpus, 5), model("rnn", corpus, 6)]
    for count in (2, 3, 4):
        for chosen in itertools.combinations(models, count):
            with token_losses(chosen, corpus) as losses:
                own = [losses.alone(number).figures.nats_per_token for number in range(count)]
                found = losses.together([1 / count] * count).figures.nats_per_token
                assert found <= min(own) + math.log(count)
                assert found <= sum(own) / count  # -log is convex
                worst = max(range(count), key=lambda number: own[number])
                weights = [0.9 if number == worst else 0.1 / (count - 1) for number in range(count)]
                assert losses.together(weights).figures.nats_per_token <= own[worst] - math.log(0.9)


def test_a_weight_of_nothing_leaves_a_model_out_even_where_it_holds_something_impossible(corpus: Corpus) -> None:
    one, sure = model("gru", corpus), model("rnn", corpus)
    with torch.no_grad():
        sure.get_parameter("output.weight").mul_(1e6)  # some probabilities are 0
    with token_losses([one, sure], corpus) as losses:
        assert max(losses.nats[1]) > 1000
        alone = losses.alone(0).figures.nats_per_token
        assert losses.together((1.0, 0.0)).figures.nats_per_token == pytest.approx(alone, rel=1e-13)
        assert losses.together((0.5, 0.5)).figures.nats_per_token <= alone + math.log(2)


def test_the_best_weights_are_where_no_other_weights_are_better(corpus: Corpus) -> None:
    """At the lowest loss the mean of p_i / p is 1 for every model that takes part, and at most 1 for the others."""
    models = [model("gru", corpus, seed) for seed in (1, 2, 3)]
    with token_losses(models, corpus) as losses:
        weights = losses.best_weights()
        assert sum(weights) == pytest.approx(1)
        nats = np.stack(losses.nats)
        mixed = -np.log((np.exp(-nats) * np.array(weights)[:, None]).sum(0))
        slopes = np.exp(mixed - nats).mean(1)
        for weight, slope in zip(weights, slopes, strict=True):
            assert slope <= 1 + 1e-3
            assert slope == pytest.approx(1, abs=1e-3) or weight < 1e-3
        lowest = mixed.mean()
        grid = np.linspace(0, 1, 41)
        for a, b in itertools.product(grid, grid):
            if a + b <= 1:
                assert losses.together((a, b, max(0, 1 - a - b))).figures.nats_per_token >= lowest - 1e-6


# -- of runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> list[Run]:
    """Three small runs on one text of three parts, and one with another vocabulary."""
    root = tmp_path_factory.mktemp("runs")
    text, other = root / "text.txt", root / "other.txt"
    text.write_text(tiny_text[:12_000], encoding="utf-8")
    other.write_text(tiny_text[:5000].upper(), encoding="utf-8")
    split = {"split": "80,10,10"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(root / "cache"))
        return [
            train(text, root, "first", **split, **small("gru", steps=60, batch_size=8, width=24)).run,
            train(text, root, "second", **split, **small("transformer", steps=60, width=16, context=32)).run,
            train(text, root, "third", **split, **small("rnn", steps=2)).run,
            train(other, root, "stranger", **small("gru", steps=2)).run,
        ]


def test_runs_are_averaged_with_weights_given_equal_or_chosen_on_the_validation_split(runs: list[Run]) -> None:
    first, second, third, _ = runs
    own = [glassloom.evaluate(run, "test").figures.nats_per_token for run in (first, second, third)]
    given = glassloom.evaluate([first, second, third], "test", weights=[6, 3, 1])
    assert [part["weight"] for part in given.runs] == pytest.approx([0.6, 0.3, 0.1])
    assert [part["run"] for part in given.runs] == ["first", "second", "third"]
    assert [part["nats_per_token"] for part in given.runs] == pytest.approx(own, rel=1e-6)
    equal, chosen = (glassloom.evaluate([first, second, third], "test", weights=w) for w in (None, "valid"))
    assert [part["weight"] for part in equal.runs] == [1 / 3] * 3
    on_valid = glassloom.evaluate([first, second, third], "valid", weights="valid")
    assert [part["weight"] for part in on_valid.runs] == [part["weight"] for part in chosen.runs]
    for weights in (None, [6, 3, 1], [1, 0, 0], [0, 1, 0], [1, 1, 0]):
        there = glassloom.evaluate([first, second, third], "valid", weights=weights).figures.nats_per_token
        assert on_valid.figures.nats_per_token <= there + 1e-8
    assert chosen.runs[2]["weight"] < 0.2, "the run that learned nothing takes little part"
    assert set(given.baselines) == {"uniform", "unigram", "bigram", "kneser-ney-5", "xz"}


def test_what_cannot_be_averaged_is_refused_in_a_sentence(runs: list[Run]) -> None:
    first, second, _, stranger = runs
    with pytest.raises(RunError, match=r"Run stranger has another tokenizer than first .* leave stranger out"):
        glassloom.evaluate([first, stranger])
    with pytest.raises(SettingError, match="Weights cannot be chosen on test"):
        glassloom.evaluate([first, second], "test", weights="test")
    for weights in ([1], [1, 2, 3], [1, -1], [0, 0], [math.nan, 1], [math.inf, 1]):
        with pytest.raises(SettingError, match="cannot be those of 2 runs"):
            checked_weights(weights, 2)
    with pytest.raises(SettingError, match="step 2 of 2 runs"):
        glassloom.evaluate([first, second], step=2)


def test_a_text_that_only_one_of_the_runs_was_trained_on_is_told(tiny_text: str, tmp_path: Path) -> None:
    one = train(load_text(tiny_text[:3000], DataSettings(split="80,20")), tmp_path, "one", **small(steps=2)).run
    text = load_text(tiny_text[:3000], DataSettings(split="90,10"), tokenizer=one.tokenizer)
    other = train(text, tmp_path, "other", **small(steps=2)).run
    with pytest.warns(Notice, match="Run other was trained on another text than one, or on another part of it"):
        evaluate_together([one, other], text, "valid")
    empty = load_text(tiny_text[:3000], DataSettings(split="80,20"), tokenizer=one.tokenizer)
    with pytest.warns(Notice), pytest.raises(CorpusError, match=r"test split .* is empty"):
        evaluate_together([one, other], empty, "test")


def test_the_command_averages_runs_too(commands: Commands, runs: list[Run]) -> None:
    first, second = (str(run.path) for run in runs[:2])
    found = commands.done("evaluate", first, "--with", second, "--weights", "0.7,0.3", "--split", "test", "--json").json
    expected = glassloom.evaluate(runs[:2], "test", weights=[0.7, 0.3])
    assert found["nats_per_token"] == pytest.approx(expected.figures.nats_per_token, rel=1e-9)
    assert [part["weight"] for part in found["runs"]] == pytest.approx([0.7, 0.3])
    said = commands.done("evaluate", first, "--with", f"{second}, {first}", "--weights", "valid").out
    assert "of second (transformer):" in said
    assert "average of 3 runs' probabilities" in said
    assert commands("evaluate", first, "--with", second, "--weights", "tset").code == 2
