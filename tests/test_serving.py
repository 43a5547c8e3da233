"""What `glassloom serve` answers, by OpenAI's own client: the texts of `generate`, the numbers of `evaluate`."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Completion

import glassloom
from glassloom.data.corpus import Corpus
from glassloom.runs import Run
from glassloom.training.evaluation import token_before
from servers import Asked, client_of, serving
from trainings import language, small, stream, train


@pytest.fixture(scope="module")
def corpus(tiny_text: str) -> Corpus:
    return stream(tiny_text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> dict[str, Path]:
    """Tiny runs: a recurrent one, a transformer, and one of sequences, which ends its texts by itself."""
    root = tmp_path_factory.mktemp("served")
    texts = {"gru": corpus, "transformer": corpus, "lstm": language()}
    return {
        name: train(text, root, name, **small(name, steps=20, **({"sequence_length": None} if name == "lstm" else {}))
                    ).run.path
        for name, text in texts.items()
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(runs: dict[str, Path]) -> Iterator[Any]:
    with serving(list(runs.values())) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Any) -> Iterator[OpenAI]:
    with client_of(server) as opened:
        yield opened


def joined(events: Any) -> tuple[list[str], list[str | None], list[Completion]]:
    """Of a stream: each choice's text, why it ended, and all events."""
    kept = list(events)
    texts: dict[int, str] = {}
    ends: dict[int, str | None] = {}
    for event in kept:
        for choice in event.choices:
            assert ends.get(choice.index) is None, "nothing comes after the end"
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            ends[choice.index] = choice.finish_reason
    return [texts[i] for i in sorted(texts)], [ends[i] for i in sorted(ends)], kept


def test_models_are_listed_and_shown_by_their_names(client: OpenAI, runs: dict[str, Path]) -> None:
    assert [model.id for model in client.models.list()] == list(runs)
    shown = client.models.retrieve("gru")
    assert (shown.id, shown.object, shown.owned_by) == ("gru", "model", "glassloom")
    assert shown.created == int((runs["gru"] / "tokenizer.json").stat().st_mtime)


@pytest.mark.parametrize("name", ["gru", "transformer", "lstm"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_text_is_the_one_that_generate_writes(
    client: OpenAI, runs: dict[str, Path], name: str, streams: bool
) -> None:
    prompt = "" if name == "lstm" else "The "
    given: dict[str, Any] = {"temperature": 0.7, "top_p": 0.9}
    alone = glassloom.generate(runs[name], prompt, seed=11, length=40, count=2, top_k=12, min_p=0.01, **given)
    answer = client.completions.create(
        model=name, prompt=prompt, max_tokens=40, n=2, seed=11, stream=streams, **given,
        extra_body={"top_k": 12, "min_p": 0.01},
    )  # fmt: skip
    ends = ["length" if sample.stopped == "length" else "stop" for sample in alone]
    if streams:
        texts, finished, events = joined(answer)
        assert (texts, finished) == ([sample.text for sample in alone], ends)
        assert {event.model for event in events} == {name}
        assert len({event.id for event in events}) == 1
    else:
        assert [choice.text for choice in answer.choices] == [sample.text for sample in alone]
        assert [choice.finish_reason for choice in answer.choices] == ends
        assert answer.usage.completion_tokens == sum(len(sample.ids) for sample in alone)
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_model_of_sequences_ends_its_texts_with_a_stop(client: OpenAI, runs: dict[str, Path]) -> None:
    alone = glassloom.generate(runs["lstm"], "", seed=0, length=400)[0]
    assert alone.stopped == "end"
    [choice] = client.completions.create(model="lstm", prompt="", max_tokens=400, seed=0, logprobs=0).choices
    assert (choice.text, choice.finish_reason) == (alone.text, "stop")
    assert choice.logprobs.tokens[-1] == ".end"


def test_prompts_come_as_texts_as_ids_and_as_lists_of_them(client: OpenAI, runs: dict[str, Path]) -> None:
    ids = Run(runs["gru"]).tokenizer.encode("The ").tolist()
    forms = ["The ", ids, ["The ", "is "], [ids, ids]]
    given: dict[str, Any] = {"model": "gru", "max_tokens": 12, "seed": 5}
    one, same, two, twice = (client.completions.create(prompt=form, **given).choices for form in forms)
    alone = [glassloom.generate(runs["gru"], prompt, seed=5, length=12)[0].text for prompt in ("The ", "is ")]
    assert [choice.text for choice in one] == [choice.text for choice in same] == alone[:1]
    assert [(choice.index, choice.text) for choice in two] == list(enumerate(alone))
    assert [choice.text for choice in twice] == [alone[0], alone[0]]


def test_temperature_zero_takes_the_most_probable_token(client: OpenAI, runs: dict[str, Path]) -> None:
    greedy = glassloom.generate(runs["gru"], "is ", length=30, greedy=True)[0].text
    found = {
        client.completions.create(model="gru", prompt="is ", max_tokens=30, temperature=0, seed=seed).choices[0].text
        for seed in (1, 2)
    }
    assert found == {greedy}


def test_without_a_seed_no_two_texts_are_alike(client: OpenAI) -> None:
    answers = client.completions.create(model="gru", prompt=["a"] * 4, max_tokens=40).choices
    assert len({choice.text for choice in answers}) == 4


@pytest.mark.parametrize("streams", [False, True])
def test_a_text_ends_before_its_stop_and_its_tokens_are_told_up_to_there(
    client: OpenAI, runs: dict[str, Path], streams: bool
) -> None:
    whole = glassloom.generate(runs["gru"], "The ", length=60, seed=3)[0].text
    stop = whole[20:23]
    text = whole[: whole.find(stop)]
    answer = client.completions.create(
        model="gru", prompt="The ", max_tokens=60, seed=3, stop=["\u2603", stop], logprobs=0, stream=streams
    )
    if streams:
        [found], [end], events = joined(answer)
        tokens = [token for event in events for one in event.choices if one.logprobs for token in one.logprobs.tokens]
    else:
        [choice] = answer.choices
        found, end, tokens = choice.text, choice.finish_reason, choice.logprobs.tokens
    assert (found, end, "".join(tokens)) == (text, "stop", text)


@pytest.mark.parametrize(("name", "count"), [("gru", 60), ("transformer", 8)])
def test_echo_gives_the_prompt_the_log_probabilities_that_evaluate_counts(
    client: OpenAI, runs: dict[str, Path], corpus: Corpus, name: str, count: int
) -> None:
    score = glassloom.evaluate(runs[name], "valid", corpus=corpus, tokens=count)
    assert score.protocol.startswith("fair: every token once")
    ids = [token_before(corpus, "valid"), *corpus.valid.ids[:count].tolist()]
    answer = client.completions.create(model=name, prompt=ids, max_tokens=0, echo=True, logprobs=3)
    [choice] = answer.choices
    told = choice.logprobs
    assert told.token_logprobs[0] is None
    nats = -sum(told.token_logprobs[1:])
    assert nats / count == pytest.approx(score.figures.nats_per_token, abs=1e-5)
    assert choice.text == corpus.tokenizer.decode(ids) == "".join(told.tokens)
    assert told.text_offset == list(range(count + 1))
    for token, logprob, top in zip(told.tokens[1:], told.token_logprobs[1:], told.top_logprobs[1:], strict=True):
        assert top[token] == logprob
        assert 3 <= len(top) <= 4
        assert sum(map(math.exp, top.values())) <= 1 + 1e-9
        is_beside = len(top) == 4  # the token is told beside the three most probable ones, or is one of them
        assert is_beside == (sum(value > logprob for value in top.values()) == 3)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (count + 1, 0)


def test_echo_and_what_follows_are_one_text_with_one_row_of_tokens(client: OpenAI) -> None:
    given: dict[str, Any] = {"model": "gru", "prompt": "The ", "max_tokens": 10, "seed": 1, "logprobs": 1}
    [plain] = client.completions.create(**given).choices
    [whole] = client.completions.create(echo=True, **given).choices
    assert whole.text == "The " + plain.text
    assert whole.logprobs.token_logprobs[4:] == plain.logprobs.token_logprobs
    assert whole.logprobs.text_offset == list(range(14))
    assert plain.logprobs.text_offset == list(range(4, 14))
    [text], [end], events = joined(client.completions.create(echo=True, stream=True, **given))
    assert (text, end) == (whole.text, "length")
    pieces = [one.logprobs for event in events for one in event.choices if one.logprobs]
    assert [nats for piece in pieces for nats in piece.token_logprobs] == whole.logprobs.token_logprobs


def test_the_log_probabilities_are_those_at_temperature_one(client: OpenAI, runs: dict[str, Path]) -> None:
    alone = glassloom.generate(runs["gru"], "is ", length=25, seed=2, temperature=0.5)[0]
    [choice] = client.completions.create(
        model="gru", prompt="is ", max_tokens=25, seed=2, temperature=0.5, logprobs=0
    ).choices
    assert choice.logprobs.token_logprobs == pytest.approx([-nats for nats in alone.nats], abs=1e-5)


def test_the_best_of_several_are_those_with_the_fewest_nats_a_token(client: OpenAI, runs: dict[str, Path]) -> None:
    samples = glassloom.generate(runs["gru"], "The ", seed=7, length=15, count=5)
    samples.sort(key=lambda sample: sum(sample.nats) / len(sample.nats))
    answer = client.completions.create(model="gru", prompt="The ", seed=7, max_tokens=15, best_of=5, n=2)
    assert [choice.text for choice in answer.choices] == [sample.text for sample in samples[:2]]
    assert answer.usage.completion_tokens == 5 * 15


def test_the_last_event_of_a_stream_says_how_many_tokens_there_were(client: OpenAI, server: Any) -> None:
    given: dict[str, Any] = {"model": "gru", "prompt": "The ", "max_tokens": 9, "seed": 1, "stream": True}
    _, _, events = joined(client.completions.create(stream_options={"include_usage": True}, **given))
    assert [event.usage is None for event in events] == [True] * (len(events) - 1) + [False]
    assert (events[-1].choices, events[-1].usage.prompt_tokens, events[-1].usage.completion_tokens) == ([], 4, 9)
    raw = Asked(server, "/v1/completions", given)
    assert raw.headers["content-type"].startswith("text/event-stream")
    *events, done, nothing = raw.body.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    assert all("usage" not in json.loads(event.removeprefix(b"data: ")) for event in events)


def test_what_openais_clients_send_beside_is_read_past(client: OpenAI) -> None:
    plain = client.completions.create(model="gru", prompt="a", seed=1).choices[0].text
    nothing = {"suffix": None, "logit_bias": {}, "presence_penalty": 0.0, "frequency_penalty": 0, "user": "somebody"}
    assert client.completions.create(model="gru", prompt="a", seed=1, **nothing).choices[0].text == plain
    assert len(plain) == 16, "max_tokens is 16 where it is not given, as the protocol says"
