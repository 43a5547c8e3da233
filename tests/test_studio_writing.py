"""The playground over the wire: what streams is what `generate` writes, and who leaves is written to no more."""

import http.client
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import glassloom
from glassloom.runs import load_run
from glassloom.studio import Server
from glassloom.studio.shelf import Shelf
from glassloom.views.attention import attention
from glassloom.views.attribution import attribution
from glassloom.views.catalogue import VIEWS
from studios import TINY, Asked, serving, until

OPTIONS = {
    "patch": {"other": "The next is "}, "steer": {"changes": ["layers.0.hidden:0=off"], "length": 12},
    "timelapse": {"length": 12}, "memory": {"context": 4},
}  # fmt: skip
TEXT = {"units": "import re\n\nclass TextWrapper:\n    def wrap(self, text):\n        return [text]\n"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        for model, more in (("lstm", ()), ("transformer", ("--heads", "2", "--context", "16"))):
            asked = ["train", str(folder / "text.txt"), "--runs", str(folder), "--name", model, "--model", model]
            assert run([*asked, *TINY, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def tokens_of(lines: list[dict[str, list[list[object]]]]) -> list[list[object]]:
    return [token for line in lines for token in line.get("tokens", [])]


@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_what_streams_is_what_generate_writes(server: Server, folder: Path, model: str) -> None:
    how = {"length": 40, "seed": 7, "temperature": 0.9, "top_k": 20}
    answer = Asked(server, "/api/write", {"run": model, "prompt": "The ", **how})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.lines
    [sample] = glassloom.generate(load_run(model, folder), "The ", **how)
    written = tokens_of(lines)
    assert [token[0] for token in written] == sample.ids
    assert "".join(str(token[1]) for token in written) == sample.text
    assert [token[3] for token in written] == pytest.approx(sample.nats, abs=1e-4)
    assert "".join(token[1] for token in lines[0]["prompt"]) == "The "
    assert lines[-1] == {"end": "length"}


def test_an_alternative_is_taken_and_the_text_goes_on_from_it(server: Server, folder: Path) -> None:
    lines = Asked(server, "/api/write", {"run": "lstm", "prompt": "The ", "length": 20}).lines
    ids = [token[0] for token in [*lines[0]["prompt"], *tokens_of(lines)]]
    found = Asked(server, "/api/alternatives", {"run": "lstm", "ids": ids, "place": 9}).json
    assert found["taken"][0] == ids[9]
    assert found["taken"][2] == pytest.approx(math.exp(-float(str(tokens_of(lines)[5][3]))), rel=1e-3)
    other = next(token[0] for token in found["alternatives"] if token[0] != ids[9])
    again = Asked(server, "/api/write", {"run": "lstm", "ids": [*ids[:9], other], "length": 10}).lines
    assert [token[0] for token in again[0]["prompt"]] == [*ids[:9], other]
    run = load_run("lstm", folder)
    [sample] = glassloom.generate(run, run.tokenizer.decode([*ids[:9], other]), length=10)
    assert [token[0] for token in tokens_of(again)] == sample.ids


@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_a_text_without_a_prompt_goes_on_as_it_was_written(server: Server, model: str) -> None:
    lines = Asked(server, "/api/write", {"run": model, "prompt": "", "length": 12, "greedy": True}).lines
    written = tokens_of(lines)
    ids = [token[0] for token in written]
    begun: dict[str, object] = {"run": model, "prompted": 0}
    for place in (0, 1, 5):
        found = Asked(server, "/api/alternatives", {**begun, "ids": ids, "place": place}).json
        assert found["taken"][2] == pytest.approx(math.exp(-float(str(written[place][3]))), rel=1e-3)
        asked = {**begun, "ids": ids[: place + 1], "length": 11 - place, "greedy": True}
        again = Asked(server, "/api/write", asked).lines
        assert [token[0] for token in again[0]["prompt"]] == ids[: place + 1]
        assert tokens_of(again) == written[place + 1 :]
        owed = Asked(server, "/api/owes", {**begun, "ids": ids, "place": place}).json
        assert owed["nats"] == pytest.approx(float(str(written[place][3])), abs=1e-3)
        assert len(owed["gradient"]) == place
        assert all(len(head["weights"]) == place for head in owed["attention"])


def test_what_a_token_owes_is_what_the_views_say(server: Server, folder: Path) -> None:
    run = load_run("transformer", folder)
    ids = run.tokenizer.encode("The text of it").tolist()
    found = Asked(server, "/api/owes", {"run": "transformer", "ids": ids, "place": 10}).json
    owed = attribution(run, ids[:11], at=11)
    assert found["gradient"] == pytest.approx(owed.shares[0, :10].tolist(), abs=1e-4)
    assert sum(found["gradient"]) == pytest.approx(1, abs=0.01)
    seen = attention(run, ids[:10])
    assert [head["head"] for head in found["attention"]] == [head.title(1) for head in seen.heads]
    np.testing.assert_allclose([head["weights"] for head in found["attention"]], seen.weights[:, -1], atol=1e-4)
    assert Asked(server, "/api/owes", {"run": "lstm", "ids": ids, "place": 10}).json["attention"] == []
    assert Asked(server, "/api/owes", {"run": "lstm", "ids": ids, "place": 0}).json["gradient"] == []
    far = Asked(server, "/api/owes", {"run": "lstm", "ids": ids * 40, "place": 500}).json
    assert (far["first"], len(far["gradient"])) == (244, 256)


@pytest.mark.parametrize(
    "body",
    [
        {"run": "lstm", "prompt": "\u05d0"},
        {"run": "lstm", "ids": [10**6]},
        {"run": "lstm", "ids": ["a"]},
        {"run": "lstm", "ids": [True]},
        {"run": "lstm", "ids": [-1]},
        {"run": "lstm", "ids": [1], "prompted": "0"},
        {"run": "lstm", "prompt": "a", "length": 10**7},
        {"run": "lstm", "prompt": "a", "temperature": 0},
        {"run": "lstm", "prompt": 3},
        {"run": "none", "prompt": "a"},
        {"prompt": "a"},
        {"run": ["lstm"]},
        {"run": "lstm", "prompt": "a" * 60_000},
    ],
)
def test_what_cannot_be_written_is_a_sentence(server: Server, body: dict[str, object]) -> None:
    answer = Asked(server, "/api/write", body)
    assert answer.status == 400
    assert answer.json["error"]["sentence"].endswith((".", "?"))


def test_a_body_that_is_no_object_is_refused(server: Server) -> None:
    for body in (b"", b"[1]", b"{", b"\xff", b"[" * 50_000):
        answer = Asked(server, "/api/write", body)
        assert answer.status == 400
        assert "cannot be read" in answer.json["error"]["what"]


def test_it_stops_writing_when_the_reader_leaves(server: Server) -> None:
    """5,000 tokens are asked for, a few lines are read, and then the connection is gone."""
    counter = server.studio.writing
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=20)
    address = f"http://127.0.0.1:{server.address.port}"
    body = json.dumps({"run": "transformer", "prompt": "The ", "length": 5000})
    connection.request("POST", "/api/write", body, {"content-type": "application/json", "origin": address})
    answer = connection.getresponse()
    for _ in range(3):
        answer.readline()
    assert counter.now == 1
    answer.close()
    connection.close()
    until(lambda: counter.now == 0, 10)
    assert Asked(server, "/api/write", {"run": "transformer", "prompt": "The ", "length": 5}).lines[-1] == {
        "end": "length"
    }


def test_several_readers_at_once_each_get_their_own_text(server: Server, folder: Path) -> None:
    """Four continuations of each model, and views of the same models between them."""

    def ask(number: int) -> list[object]:
        if number % 3 == 2:
            return [Asked(server, "/api/look", {"run": "lstm", "view": "gates", "text": "The text of "}).status]
        model = ("lstm", "transformer")[number % 2]
        lines = Asked(server, "/api/write", {"run": model, "prompt": "The ", "length": 60, "seed": number}).lines
        return [token[0] for token in tokens_of(lines)]

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(12)))
    for number, ids in enumerate(found):
        if number % 3 == 2:
            assert ids == [200]
        else:
            [sample] = glassloom.generate(
                load_run(("lstm", "transformer")[number % 2], folder), "The ", length=60, seed=number
            )
            assert ids == sample.ids


def test_models_are_kept_open_and_the_one_longest_unused_goes(folder: Path) -> None:
    shelf = Shelf(kept=2)
    lstm, transformer = (load_run(name, folder) for name in ("lstm", "transformer"))
    first = shelf.take(lstm, "writing")
    assert shelf.take(load_run("lstm", folder), "writing") is first
    assert shelf.take(lstm, "looking").subject.model is not first.subject.model, "a view holds up no continuation"
    assert shelf.take(lstm, "writing") is first
    shelf.take(transformer, "writing")
    assert shelf.take(lstm, "writing") is first, "it was used last but one"
    shelf.take(transformer, "looking")
    shelf.take(transformer, "writing")
    assert shelf.take(lstm, "writing") is not first


def test_a_run_that_trained_on_is_opened_anew(tmp_path: Path, folder: Path) -> None:
    import shutil

    shutil.copytree(folder / "lstm", tmp_path / "lstm")
    run, shelf = load_run("lstm", tmp_path), Shelf()
    first = shelf.take(run, "writing")
    (tmp_path / "lstm" / "checkpoints" / "step-9").mkdir()
    assert shelf.take(run, "writing") is not first


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_answers_with_what_it_finds(server: Server, folder: Path, name: str) -> None:
    run = "transformer" if name == "attention" else "lstm"
    text = None if VIEWS[name].text == "none" else TEXT.get(name, "The text of ")
    answer = Asked(server, "/api/look", {"run": run, "view": name, "text": text, "options": OPTIONS.get(name, {})})
    assert answer.status == 200, answer.body
    found = answer.json
    expected = glassloom.view(load_run(run, folder), name, text, **OPTIONS.get(name, {}))
    assert found["facts"] == json.loads(expected.to_json())["facts"]
    shown = expected.exhibits()
    assert [exhibit["name"] for exhibit in found["exhibits"]] == [exhibit.name for exhibit in shown]
    for exhibit in found["exhibits"]:
        assert {"chart": "spec", "table": "rows", "matrices": "matrices", "texts": "groups", "coloured": "texts",
                "prose": "paragraphs", "undrawn": "words"}[exhibit["kind"]] in exhibit  # fmt: skip


def test_a_view_can_be_taken_along_as_every_kind_of_file(server: Server) -> None:
    starts = {"html": b"<!doctype html>", "json": b"{", "csv": b"array,", "svg": b"<svg", "png": b"\x89PNG"}
    for form, start in starts.items():
        answer = Asked(server, "/api/file", {"run": "lstm", "view": "surprise", "text": "The text of", "form": form})
        assert answer.body.startswith(start)
        assert answer.headers["content-disposition"] == f'attachment; filename="lstm-surprise.{form}"'
    assert Asked(server, "/api/file", {"run": "lstm", "view": "surprise", "text": "The", "form": "exe"}).status == 400


def test_runs_are_looked_at_side_by_side(server: Server) -> None:
    body = {"run": "lstm", "view": "gradient-flow", "text": "The text of ", "beside": ["transformer"]}
    assert set(Asked(server, "/api/look", body).json["facts"]) == {"lstm", "transformer"}


@pytest.mark.parametrize(
    "body",
    [
        {"view": "surprice"},
        {"view": None},
        {"view": "surprise", "text": "a" * 5000},
        {"view": "surprise", "options": {"top": "3"}},
        {"view": "surprise", "options": {"top": -1}},
        {"view": "surprise", "options": {"depth": "3"}},
        {"view": "surprise", "options": [1]},
        {"view": "steer"},
        {"view": "steer", "options": {"changes": [1]}},
        {"view": "attention", "text": "The"},
        {"view": "surprise", "text": 5},
        {"view": "timelapse", "options": {"length": 10**6}},
        {"view": "gradient-flow", "text": "The", "beside": ["none"]},
        {"view": "gradient-flow", "text": "The", "beside": "lstm"},
    ],
)
def test_what_cannot_be_looked_at_is_a_sentence(server: Server, body: dict[str, object]) -> None:
    answer = Asked(server, "/api/look", {"run": "lstm", **body})
    assert answer.status == 400
    assert answer.json["error"]["what"]
