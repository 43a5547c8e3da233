"""Characters that several tokens spell, and the probabilities that they are drawn with: over the wire and in views."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import glassloom
from glassloom.data.tokenizers.byte import ByteTokenizer
from glassloom.exhibits import Coloured
from glassloom.runs import Run, load_run
from glassloom.studio import Server
from glassloom.views.subject import reading
from glassloom.views.surprise import surprise
from studios import Asked, serving

HEBREW = "אני עומדת על גדות הירדן ומביטה במים.\n" * 60
LEARNT = ("--width", "24", "--layers", "1", "--steps", "300", "--batch-size", "8", "--sequence-length", "32",
          "--eval-every", "100", "--sample-every", "300", "--threads", "1")  # fmt: skip
"""For a second: Hebrew letters by then are spelt as such."""
ALEF = [0xD7, 0x90]
"""The two bytes of the letter alef."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(HEBREW, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        asked = ["train", str(folder / "text.txt"), "--runs", str(folder), "--name", "bytes", "--model", "gru"]
        assert run([*asked, *LEARNT, "--tokenizer", "byte"]) == 0
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return load_run("bytes", folder)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def spelt(ids: list[int]) -> str:
    """The whole characters of some bytes; what is begun at their end is none yet."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(ids))


def test_a_text_that_ends_within_a_character_adds_no_sign_to_it() -> None:
    read = reading(ByteTokenizer(), [*ALEF, ord("b"), ALEF[0]])
    assert read.pieces == ("", "א", "b", "")
    assert read.labels == ("0xD7", "0x90", "b", "0xD7")


def test_what_is_written_never_ends_in_a_sign_that_is_not_there(server: Server, run: Run) -> None:
    """Of many seeds some end with half a letter; what is shown is what is whole."""
    halves = 0
    for seed in range(12):
        how = {"prompt": "אני ", "length": 9, "seed": seed}
        lines = Asked(server, "/api/write", {"run": "bytes", **how}).lines
        written = [token for line in lines for token in line.get("tokens", [])]
        [sample] = glassloom.generate(run, how["prompt"], length=9, seed=seed)
        assert [token[0] for token in written] == sample.ids
        assert "".join(token[1] for token in written) == spelt(sample.ids)
        assert not (sample.text.endswith("\N{REPLACEMENT CHARACTER}") and sample.ids[-1] == ALEF[0])
        halves += sample.ids[-1] == ALEF[0]
    assert halves, "the prompt and seeds of this test end within a letter at least once"


def test_an_alternative_within_a_character_is_shown_and_taken(server: Server) -> None:
    ids = [*"אני".encode()]
    found = Asked(server, "/api/alternatives", {"run": "bytes", "ids": ids, "place": 5}).json
    texts = {label: text for _, label, _, _, text in found["alternatives"]}
    assert texts["0x99"] == "י"
    assert found["taken"][1:2] + found["taken"][5:] == ["0x99", "י"]
    assert Asked(server, "/api/alternatives", {"run": "bytes", "ids": ids, "place": 4}).json["taken"][5] == ""
    asked = {"run": "bytes", "ids": [*ids[:5], 0x91], "length": 4}
    lines = Asked(server, "/api/write", asked).lines
    assert [token[1] for token in lines[0]["prompt"]] == ["", "א", "", "נ", "", "ב"]
    half = Asked(server, "/api/write", {"run": "bytes", "ids": ids[:5], "length": 3}).lines
    assert [token[1] for token in half[0]["prompt"]] == ["", "א", "", "נ", ""]
    written = [token for line in half for token in line.get("tokens", [])]
    assert "".join(token[1] for token in written) == spelt([*ids[:5], *(token[0] for token in written)])[2:]


def test_views_colour_the_tokens_of_a_character_together(run: Run) -> None:
    found = surprise(run, "אני b")
    exhibit = found.exhibits()[0]
    assert isinstance(exhibit, Coloured)
    [pieces] = exhibit.texts.values()
    assert [piece.text for piece in pieces] == ["א", "נ", "י", " ", "b"]
    assert pieces[1].value == pytest.approx(found.bits[2] + found.bits[3])
    assert pieces[0].value == pytest.approx(found.bits[1]), "its first byte was given"
    cut = surprise(run, [*"אני".encode()][:5]).exhibits()[0]
    assert isinstance(cut, Coloured)
    assert [piece.text for piece in next(iter(cut.texts.values()))] == ["א", "נ", "0xD7"]


def test_alternatives_say_with_what_probability_they_are_drawn(server: Server) -> None:
    """At temperature 1/2 probabilities go as their squares; top-k takes all but three away."""
    asked = {"run": "bytes", "ids": [*"אני ".encode()], "place": 6}
    plain = Asked(server, "/api/alternatives", asked).json
    assert {drawn for *_, drawn, _ in plain["alternatives"]} == {None}
    assert plain["rest_drawn"] is None
    found = Asked(server, "/api/alternatives", {**asked, "temperature": 0.5, "top_k": 3}).json
    shares = np.array([share for _, _, share, _, _ in found["alternatives"]])
    np.testing.assert_allclose(shares, [share for _, _, share, _, _ in plain["alternatives"]])
    expected = np.where(np.arange(len(shares)) < 3, shares**2, 0)
    drawn = [drawn for *_, drawn, _ in found["alternatives"]]
    np.testing.assert_allclose(drawn, expected / expected.sum(), atol=1e-6)
    assert found["rest_drawn"] == pytest.approx(0, abs=1e-6)
    place = next(place for place, one in enumerate(found["alternatives"]) if one[0] == found["taken"][0])
    assert found["taken"][4] == pytest.approx(drawn[place])
    assert Asked(server, "/api/alternatives", {**asked, "temperature": 0}).status == 400
