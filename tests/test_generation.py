"""The decoder, held to models whose distributions are known exactly, and then to every architecture."""

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from glassloom.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from glassloom.errors import GlassloomError, Notice, TokenizerError
from glassloom.generation import Decoded, DecodingSettings, decode, encode_prompt, generate
from glassloom.generation.choosing import shaped
from glassloom.generation.stopping import StopWatch
from glassloom.models.contract import LanguageModel

FALSE_ALARM = 1e-6
"""Odds that a chi-square test fails though all is well. (The seeds are fixed: it either always fails or never.)"""


class Table(LanguageModel):
    """The next token depends on the last two (before a row's first token stands token 0), as a table says.

    Counts what it is given: `rows` and `tokens` of every call.
    """

    def __init__(self, probabilities: Tensor) -> None:
        super().__init__(None, len(probabilities))
        self.table = probabilities.double().log()
        self.calls: list[tuple[int, int]] = []

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, dtype=torch.long),)

    def hidden(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        assert not self.training
        self.calls.append((tokens.shape[0], tokens.shape[1]))
        (before,) = self.initial_state(len(tokens)) if state is None else state
        pairs = torch.stack([torch.cat([before[:, None], tokens[:, :-1]], dim=1), tokens], dim=-1)
        return pairs.double(), (tokens[:, -1],)

    def logits(self, hidden: Tensor) -> Tensor:
        pairs = hidden.long()
        return self.table[pairs[..., 0], pairs[..., 1]]


def random_table(symbols: int = 3, seed: int = 0) -> Table:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand((symbols,) * 3, generator=generator, dtype=torch.float64) + 0.05
    return Table(weights / weights.sum(-1, keepdim=True))


def memoryless(*probabilities: float) -> Table:
    one = torch.tensor(probabilities, dtype=torch.float64)
    return Table(one.expand(len(one), len(one), -1))


def reciting(ids: list[int], symbols: int) -> Table:
    """After each of the ids, all different, comes the next one, and after the last the first."""
    table = torch.full((symbols,) * 3, 0.01 / (symbols - 1), dtype=torch.float64)
    for now, then in zip(ids, [*ids[1:], ids[0]], strict=True):
        table[:, now, then] = 0.99
    return Table(table)


def chi_square_odds(statistic: float, freedom: int) -> float:
    """The odds of a chi-square statistic at least as large, for an even number of degrees of freedom."""
    assert freedom % 2 == 0
    half = statistic / 2
    return math.exp(-half) * sum(half**k / math.factorial(k) for k in range(freedom // 2))


def run(model: Table, prompt: list[int], tokenizer: Tokenizer | None = None, **settings: Any) -> list[Decoded]:
    tokenizer = tokenizer or CharTokenizer("abcdefghijklmnopqrstuvwxyz"[: model.vocabulary])
    return list(decode(model, prompt, DecodingSettings(**settings), tokenizer=tokenizer))


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"temperature": 1.7, "top_k": 2, "seed": 11}])
def test_20_000_samples_have_the_exact_distribution_for_every_past(settings: dict[str, Any]) -> None:
    model, prompt = random_table(), [1, 2]
    expected = (model.table / settings.get("temperature", 1)).exp()
    if "top_k" in settings:
        expected = expected * (expected > expected.amin(-1, keepdim=True))
    expected = expected / expected.sum(-1, keepdim=True)
    texts: dict[int, list[int]] = {sample: list(prompt) for sample in range(200)}
    for token in run(model, prompt, length=100, count=200, **settings):
        texts[token.sample].append(token.id)
    counts: Counter[tuple[int, ...]] = Counter()
    for text in texts.values():
        counts.update(zip(text, text[1:], text[2:], strict=False))
    assert sum(counts.values()) == 20_000
    statistic, freedom = 0.0, 0
    for first, second in itertools.product(range(3), repeat=2):
        seen = [counts[first, second, third] for third in range(3)]
        wanted = (expected[first, second] * sum(seen)).tolist()
        assert all(n == 0 for n, w in zip(seen, wanted, strict=True) if w == 0)
        statistic += sum((n - w) ** 2 / w for n, w in zip(seen, wanted, strict=True) if w > 0)
        freedom += sum(w > 0 for w in wanted) - 1
    freedom, statistic = (freedom, statistic) if freedom % 2 == 0 else (freedom + 1, statistic)
    assert chi_square_odds(statistic, freedom) > FALSE_ALARM


def test_the_first_tokens_of_samples_with_neighbouring_seeds_are_independent() -> None:
    tokens = [token.id for token in run(memoryless(0.5, 0.25, 0.25), [0], length=1, count=20_000)]
    pairs = Counter(itertools.pairwise(tokens))
    chances = (0.5, 0.25, 0.25)
    wanted = {(a, b): 19_999 * chances[a] * chances[b] for a in range(3) for b in range(3)}
    assert chi_square_odds(sum((pairs[p] - w) ** 2 / w for p, w in wanted.items()), 8) > FALSE_ALARM


def test_greedy_takes_the_most_probable_path_and_of_equals_the_lowest_id() -> None:
    model = random_table(5, seed=3)
    path = [4, 2]
    for _ in range(30):
        path.append(int(model.table[path[-2], path[-1]].argmax()))
    assert [token.id for token in run(model, [4, 2], greedy=True, length=30)] == path[2:]
    assert {token.id for token in run(memoryless(0.2, 0.4, 0.4), [0], greedy=True, length=5)} == {1}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 3}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 0.3}, [1, 0, 0, 0]),
        ({"top_p": 0.4}, [1, 0, 0, 0]),
        ({"top_p": 0.41}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.7}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.95}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 1.0}, [0.4, 0.3, 0.2, 0.1]),
        ({"min_p": 0.5}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"min_p": 0.51}, [4 / 7, 3 / 7, 0, 0]),
        ({"min_p": 1.0}, [1, 0, 0, 0]),
        ({"temperature": 0.5, "top_p": 0.8}, [16 / 25, 9 / 25, 0, 0]),  # at temperature 1 three tokens would be left
        ({"top_k": 3, "top_p": 0.75}, [4 / 7, 3 / 7, 0, 0]),  # 7/9 of what top-k left; of all it would be 0.7
        ({"temperature": 0.5, "min_p": 0.3}, [16 / 25, 9 / 25, 0, 0]),  # at temperature 1 three tokens would be left
    ],
)
def test_temperature_top_k_top_p_and_min_p_leave_exactly_these_probabilities(
    settings: dict[str, Any], expected: list[float]
) -> None:
    logits = np.log([[0.2, 0.4, 0.1, 0.3], [0.4, 0.3, 0.2, 0.1]]) + 7
    left = shaped(logits, DecodingSettings(**settings))
    left /= left.sum(1, keepdims=True)
    assert left[1].tolist() == pytest.approx(expected, abs=1e-12)
    assert left[0].tolist() == pytest.approx([expected[place] for place in (2, 0, 3, 1)], abs=1e-12)
    assert (left[1] == 0).tolist() == [value == 0 for value in expected]


def test_of_equally_probable_tokens_top_k_and_top_p_leave_the_lowest_ids() -> None:
    logits = np.array([[1.0, 2.0, 1.0, 1.0, 2.0]])
    assert shaped(logits, DecodingSettings(top_k=3)).nonzero()[1].tolist() == [0, 1, 4]
    assert shaped(np.zeros((1, 10)), DecodingSettings(top_p=0.3)).nonzero()[1].tolist() == [0, 1, 2]


def test_the_model_reads_the_prompt_once_and_then_one_token_a_step() -> None:
    model = random_table()
    run(model, [0, 1, 2, 0, 1], length=20, count=4)
    assert model.calls == [(1, 5)] + [(4, 1)] * 19
    model.calls.clear()
    run(model, [1] * 2500, length=2)
    assert model.calls == [(1, 1024), (1, 1024), (1, 452), (1, 1)]


def test_several_samples_are_those_of_the_seeds_one_by_one_and_a_seed_repeats() -> None:
    model, tokenizer = random_table(5), CharTokenizer("abcde")
    together = generate(model, tokenizer, "ab", DecodingSettings(seed=7, count=4, length=300))
    alone = [generate(model, tokenizer, "ab", DecodingSettings(seed=seed, length=300))[0] for seed in range(7, 11)]
    assert together == alone
    assert len({sample.text for sample in together}) == 4
    shorter = generate(model, tokenizer, "ab", DecodingSettings(seed=7, length=270))[0]
    assert together[0].text.startswith(shorter.text)


def test_nats_are_those_of_the_model_at_temperature_one() -> None:
    model = random_table()
    [sample] = generate(model, CharTokenizer("abc"), "ba", DecodingSettings(length=50, temperature=0.3, top_k=2))
    text = [1, 0, *sample.ids]
    expected = [-float(model.table[a, b, c]) for a, b, c in zip(text, text[1:], text[2:], strict=False)]
    assert sample.nats == pytest.approx(expected, abs=1e-12)
    assert (sample.prompt, sample.stopped) == ("ba", "length")


@pytest.mark.parametrize(
    ("stops", "text", "ids"),
    [
        (("def",), "abc", 6),
        (("f",), "abcde", 6),
        (("xyz", "cde", "de"), "ab", 5),
        (("ghz",), "abcdefgh", 8),
        (("abc",), "", 3),
    ],
)
def test_a_sample_ends_before_a_stop_string_that_spans_tokens(stops: tuple[str, ...], text: str, ids: int) -> None:
    model = reciting([0, 1, 2, 3, 4, 5, 6, 7], 8)
    tokens = run(model, [7], greedy=True, stop=stops, length=8)
    assert ("".join(token.text for token in tokens), len(tokens)) == (text, ids)
    assert [token.stopped for token in tokens] == [None] * (ids - 1) + ["length" if ids == 8 else "stop"]


def test_text_that_may_become_a_stop_string_is_held_back_until_it_cannot() -> None:
    tokens = run(reciting([0, 1, 2, 3], 4), [3], greedy=True, stop=("bcx", "cdab"), length=7)
    assert [token.text for token in tokens] == ["a", "", "", "b", "", ""]
    assert [token.stopped for token in tokens if token.stopped] == ["stop"]


@given(
    st.text("ab", max_size=30),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(1, 4), min_size=30, max_size=30),
)
def test_what_a_stop_watch_lets_pass_depends_on_the_text_alone(text: str, stops: list[str], cuts: list[int]) -> None:
    complete = [end for end in range(len(text) + 1) if any(text[:end].endswith(stop) for stop in stops)]
    watch, shown, place = StopWatch(stops), "", 0
    for cut in cuts:
        shown += watch.push(text[place : place + cut])
        place += cut
        if not watch.hit:
            rest = text[len(shown) : place]
            assert not rest or any(stop.startswith(rest) for stop in stops)
    if complete:
        longest = max(len(stop) for stop in stops if text[: complete[0]].endswith(stop))
        assert watch.hit
        assert shown == text[: complete[0] - longest]
    else:
        assert not watch.hit
        assert shown + watch.flush() == text


def test_end_closes_a_sample_of_sequences_and_the_others_go_on() -> None:
    tokenizer = CharTokenizer("ab", marks=(".pad", ".start", ".end"))
    model = memoryless(0.5, 0.3, 0.0, 0.0, 0.2)
    samples = generate(model, tokenizer, "", DecodingSettings(count=50, length=20))
    assert {sample.stopped for sample in samples} == {"end", "length"}
    for sample in samples:
        assert (sample.ids[-1] == tokenizer.specials[".end"]) == (sample.stopped == "end")
        assert sample.text == tokenizer.decode(sample.ids)
    rows = [rows for rows, _ in model.calls[1:]]
    assert rows == sorted(rows, reverse=True)
    assert sum(rows) == sum(len(sample.ids) - 1 for sample in samples)


def first_read(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The tokens that the model reads first."""
    seen: list[Tensor] = []

    class Listening(Table):
        def hidden(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
            seen.append(tokens)
            return super().hidden(tokens, state)

    size = tokenizer.size
    generate(Listening(torch.full((size,) * 3, 1 / size)), tokenizer, prompt, DecodingSettings(length=1))
    return seen[0][0].tolist()


def test_an_empty_prompt_begins_at_start_else_after_a_line_end_else_after_token_0() -> None:
    sequences = CharTokenizer("ab", marks=(".pad", ".start", ".end"))
    assert first_read(sequences, "") == [3]
    assert first_read(sequences, "ab") == [3, 0, 1]
    assert first_read(CharTokenizer("ab\n"), "") == [0]
    assert first_read(CharTokenizer("\t\nab"), "") == [1]
    assert first_read(CharTokenizer("ab"), "") == [0]
    assert first_read(CharTokenizer("ab"), "ba") == [1, 0]
    assert first_read(WordTokenizer(["the", "<eos>", "<unk>"]), "") == [1]


def test_bytes_never_show_half_a_character() -> None:
    tokenizer = ByteTokenizer()
    ids = list("é€x".encode())
    tokens = run(reciting(ids, 256), [ids[-1]], tokenizer, greedy=True, length=7)
    assert [token.text for token in tokens] == ["", "é", "", "", "€", "x", ""], "the length cuts the next é"
    tokens = run(reciting(ids, 256), ids[:3], tokenizer, greedy=True, length=2)  # the prompt ends inside of €
    assert [token.text for token in tokens] == ["", "€"]


def test_a_character_that_the_model_itself_leaves_unfinished_shows() -> None:
    tokenizer = ByteTokenizer(marks=(".pad", ".start", ".end"))
    ids = [*b"x\xe2\x82", tokenizer.specials[".end"]]
    tokens = run(reciting(ids, tokenizer.size), ids[:1], tokenizer, greedy=True, length=9)
    assert ("".join(token.text for token in tokens), tokens[-1].stopped) == ("\ufffd", "end")


def test_a_word_after_a_prompt_has_its_space() -> None:
    tokenizer = WordTokenizer(["the", "cat", "sat", "<eos>", "<unk>"])
    [sample] = generate(reciting([0, 1, 2, 3], 5), tokenizer, "the cat", DecodingSettings(greedy=True, length=4))
    assert sample.text == " sat\nthe cat"


def test_an_unknown_symbol_of_the_prompt_is_named_with_its_place_and_can_be_skipped() -> None:
    tokenizer = CharTokenizer("abc")
    with pytest.raises(TokenizerError, match=r"'é' U\+00E9 at character 2, U\+0007 at character 4.*--skip-unknown"):
        encode_prompt(tokenizer, "abéc\x07")
    with pytest.warns(Notice, match="U\\+00E9 at character 2"):
        assert encode_prompt(tokenizer, "abéc\x07", skip_unknown=True) == [0, 1, 2]
    with pytest.raises(TokenizerError, match="and 2 more"):
        encode_prompt(tokenizer, "1234567")
    with pytest.warns(Notice, match=r"The model is given 'abc'\.") as said:
        encode_prompt(tokenizer, "abéc\x07", skip_unknown=True)
    assert len(said) == 1
    with pytest.warns(Notice, match=r"The model is given '\.\.\.(ab){100}'\."):
        encode_prompt(tokenizer, "é" + "ab" * 400, skip_unknown=True)
    with pytest.warns(Notice, match=r"never saw it: 'é' U\+00E9 at character 0\. The model is given no prompt"):
        samples = generate(random_table(), tokenizer, "é", DecodingSettings(length=3), skip_unknown=True)
    assert samples[0].prompt == "é"
    assert len(samples[0].text) == 3


def test_an_unknown_word_of_the_prompt_is_read_as_unk() -> None:
    tokenizer = WordTokenizer(["the", "<eos>", "<unk>"])
    with pytest.warns(Notice, match="Read as <unk> .* 'dog' at character 4. The model is given 'the <unk>'") as said:
        assert encode_prompt(tokenizer, "the dog") == [0, 2]
    assert len(said) == 1
    with pytest.warns(Notice, match="Left out of the prompt.* 'dog' at character 4. The model is given 'the'"):
        assert encode_prompt(tokenizer, "the dog", skip_unknown=True) == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": math.inf},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": 0.0},
        {"length": 0},
        {"count": 0},
        {"stop": ("",)},
        {"seed": -1},
        {"beams": 3},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DecodingSettings(**wrong)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_model_whose_probabilities_are_not_finite_is_refused(value: float) -> None:
    model = random_table()
    model.table[:] = value
    for greedy in (True, False):
        with pytest.raises(GlassloomError, match="not finite"):
            run(model, [0], greedy=greedy)


def test_the_model_is_in_training_again_afterwards_also_when_the_reader_stops_early() -> None:
    model = random_table()
    assert model.training
    tokens = decode(model, [0], DecodingSettings(), tokenizer=CharTokenizer("abc"))
    next(tokens)
    tokens.close()
    assert model.training
