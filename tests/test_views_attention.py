"""Attention and what heads do, on a transformer whose weights are set by hand, and on matrices made for the purpose."""

import math

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer, WordTokenizer
from glassloom.errors import InputError
from glassloom.exhibits import Matrices, Table
from glassloom.models import architecture, build
from glassloom.models.attention import attend_explicitly, attend_fused
from glassloom.models.contract import LanguageModel
from glassloom.views.attention import Attention, Head, attention, attention_exhibits
from glassloom.views.head_claims import claims, claims_exhibits
from glassloom.views.heads import KINDS, heads_exhibits, is_delimiter, is_word, key_sets, query_places, score_heads

LETTERS = CharTokenizer("ab !\nc")
TIME, BETA = 8, 3.0


def looking_one_back() -> LanguageModel:
    """One head whose query at place p is the place p - 1, times BETA, and whose key at place j is the place j.

    A vector is its place's unit vector and its token's, side by side, so a layer norm turns its entries into b, but at
    two places b + 1/s.
    """
    width = TIME + LETTERS.size
    settings = architecture("transformer").Settings(layers=1, heads=1, width=width, context=TIME, positions="learned")
    model = build(settings, LETTERS.size).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()
        model.get_parameter("positions.weight")[:, :TIME] = torch.eye(TIME)
        model.get_parameter("embedding.weight")[:, TIME:] = torch.eye(LETTERS.size)
        stacked = model.get_parameter("layers.0.attention.0.query_key_value.weight")
        stacked[: TIME - 1, 1:TIME] = BETA * torch.eye(TIME - 1)
        stacked[width : width + TIME, :TIME] = torch.eye(TIME)
    return model


def expected_weights() -> np.ndarray:
    width = TIME + LETTERS.size
    mean = 2 / width
    deviation = math.sqrt(mean * (1 - mean) + 1e-5)
    low = -mean / deviation
    found = np.zeros((TIME, TIME))
    for query in range(TIME):
        scores = [
            BETA / math.sqrt(width) * sum(
                (low + (place + 1 == query) / deviation) * (low + (place == key) / deviation)
                for place in range(TIME - 1)
            )
            for key in range(query + 1)
        ]  # fmt: skip
        found[query, : query + 1] = np.exp(scores) / np.exp(scores).sum()
    return found


def made(text: str, *weights: np.ndarray) -> Attention:
    """A text with heads of one layer as given."""
    ids = tuple(LETTERS.encode(text).tolist())
    labels = tuple(LETTERS.labels()[index] for index in ids)
    return Attention(ids, labels, tuple(Head(0, 0, number) for number in range(len(weights))), np.stack(weights))


def looking_at(text: str, kind: str) -> np.ndarray:
    """A head that gives all to such keys, in equal shares, and to itself where there are none."""
    keys = key_sets(made(text, np.eye(len(text))), LETTERS)[kind].astype(float)
    keys[keys.sum(1) == 0] = np.eye(len(text))[keys.sum(1) == 0]
    return keys / keys.sum(1, keepdims=True)


def test_a_head_set_by_hand_to_look_one_back_is_seen_to() -> None:
    found = attention((looking_one_back(), LETTERS), "ab !abca")
    assert found.heads == (Head(0, 0, 0),)
    assert found.labels == ("a", "b", "␣", "!", "a", "b", "c", "a")
    np.testing.assert_allclose(found.weights[0], expected_weights(), rtol=1e-10)
    [scores] = score_heads([found], LETTERS)
    score = scores.scores["everywhere"]["previous token"]
    assert scores.kind == "previous token"
    assert score.score == pytest.approx(np.diag(expected_weights(), -1).mean(), rel=1e-10)
    assert score.score > 0.95
    assert score.queries == TIME - 1
    assert score.uniform == pytest.approx(np.mean([1 / (place + 1) for place in range(1, TIME)]))
    rows = expected_weights()
    entropies = [-sum(share * math.log(share) for share in row if share > 0) for row in rows]
    assert scores.entropy_nats == pytest.approx(np.mean(entropies))
    assert scores.uniform_nats == pytest.approx(np.mean([math.log(place + 1) for place in range(TIME)]))


def test_the_matrices_have_queries_as_rows_and_nothing_right_of_the_diagonal() -> None:
    found = attention((looking_one_back(), LETTERS), LETTERS.encode("ab !").tolist())
    [exhibit] = attention_exhibits(found)
    assert isinstance(exhibit, Matrices)
    assert (exhibit.row_axis, exhibit.column_axis) == ("query", "key")
    [matrix] = exhibit.matrices
    assert matrix.title == "layer 0 head 0"
    assert matrix.rows == matrix.columns == ("1 a", "2 b", "3 ␣", "4 !")
    assert matrix.values[2] == (*(round(weight, 4) for weight in expected_weights()[2, :3]), None)


def test_every_layer_sublayer_and_head_is_there_in_order() -> None:
    settings = architecture("transformer").Settings(layers=2, heads=3, width=12, context=5, attention_sublayers=2)
    model = build(settings, LETTERS.size, torch.Generator().manual_seed(0))
    model.train()
    found = attention((model, LETTERS), "ab !abca")
    assert [(head.layer, head.sublayer, head.head) for head in found.heads] == [
        (layer, sublayer, head) for layer in (0, 1) for sublayer in (0, 1) for head in (0, 1, 2)
    ]
    assert found.heads[4].title(found.sublayers) == "layer 0 attention 1 head 1"
    np.testing.assert_allclose(found.weights.sum(-1), 1, rtol=1e-6)
    assert found.weights.shape == (12, 8, 8)
    assert model.training


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_does_one_thing_is_named_after_it(kind: str) -> None:
    text = "ab ab! cab\nabc a!b cab ab"
    uniform = np.tri(len(text)) / np.arange(1, len(text) + 1)[:, None]
    first, second = score_heads([made(text, uniform, looking_at(text, kind))], LETTERS)
    assert (first.head.head, first.kind) == (1, kind)
    assert first.scores["everywhere"][kind].score == pytest.approx(1.0)
    assert first.excess == pytest.approx(1.0)
    assert second.kind == "mixed"
    for score in second.scores["everywhere"].values():
        assert score.score == pytest.approx(score.uniform)
    assert second.entropy_nats == pytest.approx(second.uniform_nats)


def test_which_keys_belong_to_which_kind() -> None:
    keys = key_sets(made("ab!ab", np.eye(5)), LETTERS)
    found = {kind: [np.flatnonzero(row).tolist() for row in rows] for kind, rows in keys.items()}
    assert found == {
        "previous token": [[], [0], [1], [2], [3]],
        "same token before": [[], [], [], [0], [1]],
        "start": [[], [0], [0], [0], [0]],
        "delimiter": [[], [], [], [2], [2]],
        "induction": [[], [], [], [1], [2]],
        "itself": [[0], [1], [2], [3], [4]],
    }


def test_within_words_and_at_spaces_are_scored_apart() -> None:
    text = "ab ab! cab ab"
    letters = looking_at(text, "previous token")
    weights = np.where((np.array(list(text)) == " ")[:, None], looking_at(text, "start"), letters)
    [found] = score_heads([made(text, weights)], LETTERS)
    assert found.scores["within words"]["previous token"].score == pytest.approx(1.0)
    assert found.scores["at spaces"]["previous token"].score == pytest.approx(0.0)
    assert found.scores["at spaces"]["start"].score == pytest.approx(1.0)
    assert found.scores["at spaces"]["start"].queries == 3
    queries = query_places(made("a !\nb", np.eye(5)), LETTERS)
    assert queries["within words"].tolist() == [True, False, False, False, True]
    assert queries["at spaces"].tolist() == [False, True, False, False, False]


def test_hebrew_points_are_parts_of_words_and_a_words_line_end_is_a_delimiter() -> None:
    assert is_word("א")
    assert is_word("\u05b8")
    assert is_word(" the")
    assert not is_word("!")
    assert is_delimiter("\n")
    assert is_delimiter("...")
    assert not is_delimiter(" ")
    words = WordTokenizer(["<unk>", "<eos>", "the", "cat"])
    keys = key_sets(Attention((2, 1, 3), ("the", "<eos>", "cat"), (), np.eye(3)[None]), words)
    assert keys["delimiter"].tolist() == [[False] * 3, [False] * 3, [False, True, False]]


def test_the_claims_are_scored_on_heads_that_do_and_do_not_bear_them_out() -> None:
    text = "ab! ab ca!cab abc ab cab! ab ca bb aa cab a bca ab "
    ahead, back = claims([made(text, looking_at(text, "previous token"))], LETTERS)[::2]
    assert (ahead.value, ahead.holds) == (0.0, False)
    followers = [at for at in range(1, len(text)) if text[at] != "!" and "!" in text[max(0, at - 8) : at]]
    assert back.value == pytest.approx(3 / len(followers))  # one back is the "!" only right after each of the three
    assert back.holds is False
    last = np.eye(len(text))
    for query in followers:
        last[query] = np.eye(len(text))[text.rindex("!", 0, query)]
    statement = claims([made(text, looking_at(text, "itself"), last)], LETTERS)[2]
    assert (statement.value, statement.holds) == (1.0, True)
    assert "head 1" in statement.measured
    assert claims([made("ab ab", np.eye(5))], LETTERS)[2].holds is None


def test_a_difference_at_spaces_is_told_from_chance() -> None:
    text = "ab! ab ca!cab abc ab cab! ab ca bb aa cab a bca ab " * 3
    same = looking_at(text, "previous token")
    split = np.where((np.array(list(text)) == " ")[:, None], looking_at(text, "itself"), same)
    alike, apart = (claims([made(text, weights)], LETTERS)[1] for weights in (same, split))
    assert (alike.value, alike.holds) == (pytest.approx(0.0), False)
    assert (apart.value, apart.holds) == (pytest.approx(1.0), True)
    rng = np.random.default_rng(1)
    noise = np.tri(len(text)) * rng.random((len(text), len(text)))
    random = claims([made(text, noise / noise.sum(1, keepdims=True))], LETTERS)[1]
    assert random.holds is False
    assert random.value > 0
    assert claims([made("ab", np.eye(2))], LETTERS)[1].holds is None


def test_the_tables_list_every_head_and_a_uniform_one() -> None:
    text = "ab ab! cab\nabc a!b cab ab"
    found = score_heads([made(text, looking_at(text, "start"), looking_at(text, "delimiter"))], LETTERS)
    table, apart = heads_exhibits(found, len(text))
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [
        ("layer 0 head 0", "start"), ("layer 0 head 1", "delimiter"), ("a uniform head", "")
    ]  # fmt: skip
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert isinstance(apart, Table)
    assert all(len(row) == len(apart.columns) for row in apart.rows)
    [claimed] = claims_exhibits(claims([made(text, looking_at(text, "start"))], LETTERS))
    assert isinstance(claimed, Table)
    assert [row[2] for row in claimed.rows] == ["no", "no", "no"]


def test_a_model_without_attention_and_an_empty_text_are_refused() -> None:
    with pytest.raises(InputError, match="gru has no attention"):
        attention((build("gru", LETTERS.size), LETTERS), [0, 1])
    with pytest.raises(InputError, match="no text"):
        attention((looking_one_back(), LETTERS), [])


@pytest.mark.parametrize("fill", [-math.inf, -1e9])
def test_masking_by_multiplication_and_by_filling_give_equal_values_and_gradients(fill: float) -> None:
    """REFERENCE A: the course's softmax(x s - 1e9 (1 - s)) against what the model does, in values and gradients."""
    generator = torch.Generator().manual_seed(3)
    queries, keys, contents = (
        torch.randn(2, 3, 9, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)
    )
    weighting = torch.randn(2, 3, 9, 4, generator=generator, dtype=torch.float64)
    visible = torch.ones(1, 1, 9, 9, dtype=torch.bool).tril()

    def by_multiplication() -> torch.Tensor:
        scores, s = queries / 2 @ keys.mT, visible.double()
        return (scores * s - 1e9 * (1 - s)).softmax(-1) @ contents

    def by_filling() -> torch.Tensor:
        return (queries / 2 @ keys.mT).masked_fill(~visible, fill).softmax(-1) @ contents

    results = [by_multiplication(), by_filling(), attend_explicitly(queries, keys, contents, visible),
               attend_fused(queries, keys, contents, None)]  # fmt: skip
    gradients = [torch.autograd.grad((found * weighting).sum(), (queries, keys, contents)) for found in results]
    for found, gradient in zip(results[1:], gradients[1:], strict=True):
        torch.testing.assert_close(found, results[0], rtol=1e-12, atol=1e-12)
        for one, other in zip(gradient, gradients[0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)
