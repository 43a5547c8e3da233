"""Surprise: bits that are known by hand, equal to what evaluation says, beside baselines counted independently."""

import csv
import io
import json
import math

import numpy as np
import pytest
import torch

from glassloom.data import load_text
from glassloom.data.baselines import baseline_nats, baselines
from glassloom.data.corpus import Corpus
from glassloom.data.tokenizers import CharTokenizer, WordTokenizer
from glassloom.errors import InputError, SettingError, TokenizerError
from glassloom.exhibits import Coloured, Lines, Table
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.training.evaluation import evaluate_split, token_before
from glassloom.views.catalogue import VIEWS, look
from glassloom.views.labelled import Labelled
from glassloom.views.subject import Subject, reading
from glassloom.views.surprise import surprise
from models_by_hand import LETTERS, copying


@pytest.fixture(scope="module")
def corpus(tiny_text: str, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return load_text(tiny_text[:3000], cache=tmp_path_factory.mktemp("cache"))


def small(name: str, size: int, **settings: object) -> LanguageModel:
    made = architecture(name).Settings(layers=2, width=12, **settings)
    return build(made, size, torch.Generator().manual_seed(1)).double()


def test_a_copying_model_is_surprised_by_what_is_no_copy() -> None:
    """The odds of the copied token are e^12 against each of the other five."""
    found = surprise((copying(2), LETTERS), "abababca", top=2)
    total = math.exp(12) + 5
    copied, other = math.log2(total / math.exp(12)), math.log2(total)
    assert math.isnan(found.bits[0])
    assert found.bits[1] == pytest.approx(math.log2(6)), "nothing was two back yet: every token is as probable"
    np.testing.assert_allclose(found.bits[2:], [copied, copied, copied, copied, other, other], rtol=1e-9)
    assert [row[0] for row in found.alternatives[2:]] == ["a", "b", "a", "b", "a", "b"]
    np.testing.assert_allclose(found.probabilities[2:, 0], math.exp(12) / total)
    expected = math.exp(12) / total * copied + 5 / total * other
    np.testing.assert_allclose(found.entropy[2:], expected)
    assert found.rank.tolist()[0] == -1
    assert found.rank.tolist()[2:6] == [0, 0, 0, 0]
    assert found.rank[6] > 0
    assert found.baselines.keys() == {"uniform"}
    np.testing.assert_allclose(found.baselines["uniform"][1:], math.log2(6))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("gru", {}), ("transformer", {"heads": 2, "context": 16}),
     ("transformer", {"heads": 2, "context": 16, "positions": "learned"})],
)  # fmt: skip
def test_the_mean_is_the_loss_that_evaluation_gives(corpus: Corpus, name: str, settings: dict[str, object]) -> None:
    model = small(name, corpus.tokenizer.size, **settings)
    ids = [token_before(corpus, "valid"), *map(int, corpus.valid.ids)]
    found = surprise(Subject(model, corpus.tokenizer, text=corpus), ids)
    said = evaluate_split(model, corpus, "valid", warm=0)
    assert said.tokens == found.facts()["tokens"] == len(corpus.valid.ids)
    assert found.mean_bits * math.log(2) == pytest.approx(said.figures.nats_per_token, rel=1e-9)
    assert found.running()[found.name][-1] == pytest.approx(found.mean_bits)


def test_the_baselines_are_those_of_the_corpus(corpus: Corpus) -> None:
    known = baselines(corpus, "valid")
    for name, nats in baseline_nats(corpus, corpus.valid.ids).items():
        assert nats.mean() == pytest.approx(known[name].nats_per_token, rel=1e-9), name
    text = corpus.text("valid", 0, 40)
    found = surprise(Subject(small("gru", corpus.tokenizer.size), corpus.tokenizer, text=corpus), text)
    ids = corpus.tokenizer.encode(text)
    expected = baseline_nats(corpus, ids)["kneser-ney-5"] / np.log(2)
    np.testing.assert_allclose(found.baselines["kneser-ney-5"][1:], expected[1:])
    assert np.isnan(found.baselines["unigram"][0])
    running = found.running()["bigram"]
    assert running[3] == pytest.approx(found.baselines["bigram"][1:4].mean())


def test_a_sequence_is_predicted_from_its_very_start() -> None:
    marked = CharTokenizer("ab", [".start", ".end"])
    model = small("lstm", marked.size)
    found = surprise((model, marked), "ab")
    tokens = torch.tensor([[marked.specials[".start"], *marked.encode("a").tolist()]])
    logs = model(tokens)[0][0].detach().log_softmax(-1)
    expected = [-float(logs[place, index]) / math.log(2) for place, index in enumerate(marked.encode("ab"))]
    np.testing.assert_allclose(found.bits, expected)


def test_pieces_of_a_text_are_the_text_and_unknown_words_are_read_as_such() -> None:
    words = WordTokenizer(["<unk>", "<eos>", "the", "cat", "sat"])
    read = reading(words, "the cat sat\nthe cat\n")
    assert "".join(read.pieces).split() == ["the", "cat", "sat", "the", "cat"]
    with pytest.warns(UserWarning, match="dog"):
        assert reading(words, "the dog").ids == (2, 0)
    with pytest.raises(TokenizerError, match="z"):
        surprise((copying(1), LETTERS), "az")


def test_its_exhibits_show_the_numbers() -> None:
    found = surprise((copying(2), LETTERS), "abab ca")
    text, mean, worst = found.exhibits()
    assert isinstance(text, Coloured)
    [pieces] = text.texts.values()
    assert "".join(piece.text for piece in pieces) == "abab ca"
    assert pieces[0].value is None
    assert [piece.value for piece in pieces[1:]] == found.bits[1:].tolist()
    assert pieces[2].note.startswith("a: 0.00 bits")
    assert text.high == pytest.approx(math.log2(6))
    assert isinstance(mean, Lines)
    assert [one.name for one in mean.series] == ["rnn", "uniform"]
    assert isinstance(worst, Table)
    assert [row[0] for row in worst.rows][:3] == [5, 6, 7], "what is no copy"


def test_json_and_csv_hold_every_number_with_its_axes_and_labels() -> None:
    found = surprise((copying(2), LETTERS), "abab c", top=2)
    data = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert data["view"] == "surprise"
    bits = data["arrays"]["bits"]
    assert (bits["axes"], bits["labels"], bits["unit"]) == (
        ["token"],
        {"token": list("abab␣c".replace("␣", "␣"))},
        "bits",
    )
    assert bits["values"] == [None, *found.bits[1:].tolist()]
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == sum(array.values.size for array in found.arrays())
    [one] = [row for row in rows if row["array"] == "probabilities" and (row["token"], row["rank"]) == ("3", "1")]
    assert float(one["value"]) == found.probabilities[3, 1]
    assert one["token label"] == "b"
    with pytest.raises(AssertionError, match="one label"):
        Labelled("a", ("token",), np.zeros(2), {"token": ("x",)})


def test_the_catalogue_knows_its_options_and_refuses_what_is_not_there() -> None:
    source = (copying(1), LETTERS)
    assert VIEWS["surprise"].options() == ("top",)
    assert look(source, "surprise", "ab", top=1).alternatives[1] == ("a",)
    with pytest.raises(SettingError, match="did you mean surprise"):
        look(source, "suprise", "ab")
    with pytest.raises(SettingError, match="has no option at"):
        look(source, "surprise", "ab", at=1)
    with pytest.raises(InputError, match="no text"):
        look(source, "surprise")
    for text in ("", "a"):
        with pytest.raises(InputError, match="text"):
            surprise(source, text)
