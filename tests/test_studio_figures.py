"""What the studio's pages say of figures, characters and limits, in a real browser; and going on with a run from it."""

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from glassloom.runs import load_run
from glassloom.studio import Server
from studio_visits import visit, written
from studios import TINY, serving, until

__all__ = ["visit"]

HEBREW = "אני עומדת על גדות הירדן ומביטה במים.\n" * 60
LEARNT = ("--width", "24", "--layers", "1", "--steps", "300", "--batch-size", "8", "--sequence-length", "32",
          "--eval-every", "100", "--sample-every", "300", "--threads", "1")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """A transformer whose table of positions ends, a model of bytes, one that holds nothing out."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    (folder / "hebrew.txt").write_text(HEBREW, encoding="utf-8")
    table = ("--model", "transformer", "--heads", "2", "--context", "16", "--positions", "learned", *TINY)
    asked = {
        "table": ("text.txt", *table),
        "bytes": ("hebrew.txt", "--model", "gru", "--tokenizer", "byte", *LEARNT),
        "heart": ("text.txt", "--model", "gru", "--split", "all", *TINY),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        for name, (text, *more) in asked.items():
            assert run(["train", str(folder / text), "--runs", str(folder), "--name", name, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with serving(folder) as running:
            yield running


def test_the_best_and_the_newest_loss_are_the_same_in_both_places_in_bits(
    visit: Callable[..., Page], folder: Path
) -> None:
    run = load_run("table", folder)
    result = run.result()
    assert result is not None
    best = f"{result['best']['nats_per_token'] / math.log(2):.3f}"
    newest = f"{run.newest().progress()['valid_nats'] / math.log(2):.3f}"
    page = visit()
    row = page.locator("tr[data-name=table]")
    expect(row.locator(".at-best")).to_have_text(best)
    expect(row.locator(".at-newest")).to_have_text(newest)
    nats = f"{result['best']['nats_per_token']:.3f} nats a token"
    assert row.locator(".at-best span").get_attribute("title") == nats
    page.goto(f"{page.url.split('#')[0]}#/run?name=table")
    numbers = page.locator(".numbers div")
    expect(numbers.nth(0)).to_have_text(f"Best loss on held-out text{best} bits a token")
    expect(numbers.nth(1)).to_have_text(f"Newest loss{newest} bits a token")


def test_a_run_that_is_scored_on_its_training_text_is_marked(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(page.locator("tr[data-name=heart] .tag")).to_have_text("on training text")
    expect(page.locator("tr[data-name=table]")).to_be_visible()
    assert page.locator(".tag").count() == 1
    page.goto(f"{page.url.split('#')[0]}#/run?name=heart")
    expect(page.locator(".numbers dt").first).to_have_text("Best loss on training text")


def test_the_unit_is_explained_wherever_a_loss_stands(visit: Callable[..., Page]) -> None:
    page = visit()
    for at in ("", "run?name=table", "compare?run=table&run=heart", "write?run=table", "look?run=table&view=gates"):
        page.goto(f"{page.url.split('#')[0]}#/{at}")
        page.get_by_text("What is a bit?").click()
        expect(page.locator(".unit p")).to_contain_text("1 bit = 0.693 nats")
        expect(page.locator(".unit p")).to_contain_text("Bits a character")


def test_a_smoothed_curve_tells_what_was_measured(visit: Callable[..., Page], folder: Path) -> None:
    page = visit("compare?run=table&run=heart")
    page.locator(".plot .line").nth(1).wait_for()
    page.get_by_label("Training loss too").check()
    page.locator(".field", has_text="Smoothing").locator("input").fill("0.9")
    box = page.locator(".plot svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 16, box["y"] + box["height"] / 2)
    tip = page.locator(".tip")
    expect(tip.locator(".heads")).to_have_text("bits a tokenmeasuredsmoothed")
    line = tip.locator("div:not(.heads)", has=page.get_by_text("table", exact=True))
    valid = [one["valid_nats"] / math.log(2) for one in load_run("table", folder).metrics() if "valid_nats" in one]
    smooth = valid[0]
    for value in valid:
        smooth = 0.9 * smooth + 0.1 * value
    raw, smoothed = (float(line.locator(one).inner_text()) for one in (".raw", ".smoothed"))
    assert (raw, smoothed) == (pytest.approx(valid[-1], abs=0.001), pytest.approx(smooth, abs=0.001))
    assert abs(raw - smoothed) > 0.002


def test_alternatives_say_at_which_temperature(visit: Callable[..., Page]) -> None:
    page = visit("write?run=table")
    page.locator("input[type=range]").nth(0).fill("0.5")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Top-k").fill("3")
    lanes = written(page, "The text", 20)
    lanes.locator(".token").nth(15).click()
    menu = lanes.locator(".menu")
    expect(menu.locator("p").first).to_have_text(
        "What might stand here, as the model has it (temperature 1), and as it was drawn (temperature 0.5, top-k 3)."
    )
    drawn = menu.locator("button[data-id] .drawn").all_inner_texts()
    assert drawn[3:] == ["0%"] * len(drawn[3:])
    assert "0%" not in drawn[:3]
    lanes.locator(".token").nth(2).click()  # of the prompt: it was not drawn
    expect(menu.locator("p").first).to_have_text("What might stand here, as the model has it (temperature 1).")
    assert not menu.locator(".drawn").count()


def test_pieces_of_a_character_stand_together_and_each_can_be_changed(visit: Callable[..., Page]) -> None:
    page = visit("write?run=bytes")
    lanes = written(page, "אני ", 40)
    text = lanes.locator(".text")
    tokens = lanes.locator(".token")
    assert tokens.all_inner_texts()[:3] == ["א", "נ", "י"]
    assert not (text.text_content() or "").endswith("\N{REPLACEMENT CHARACTER}")
    assert tokens.nth(1).get_attribute("data-first") == "2"
    assert tokens.nth(1).get_attribute("data-place") == "3"
    tokens.nth(1).click()
    menu = lanes.locator(".menu")
    pieces = menu.get_by_role("radio")
    expect(pieces).to_have_text(["0xD7", "0xA0"])
    expect(menu.locator(".own .label")).to_have_text("0xA0 נ")
    expect(lanes.locator(".told")).to_contain_text("piece 2 of 2 of נ")
    other = menu.locator("button[data-id]:not(.own)", has_text=re.compile("0x.. [א-ת]")).first
    letter = other.locator("small").inner_text().strip()
    other.click()
    expect(lanes.locator(".pace")).to_be_visible(timeout=20_000)
    assert tokens.all_inner_texts()[:2] == ["א", letter]
    tokens.nth(1).focus()
    page.keyboard.press("ArrowLeft")  # the text runs from the right
    assert page.evaluate("document.activeElement.dataset.first") == "4"
    tokens.nth(1).click()
    pieces.first.click()
    expect(menu.locator(".own")).to_have_attribute("data-id", str(0xD7))


def test_a_token_beyond_the_table_is_explained_from_its_own_window(visit: Callable[..., Page]) -> None:
    page = visit("write?run=table")
    lanes = written(page, "The text", 40)
    with page.expect_response("**/api/owes") as answer:
        lanes.locator(".token").nth(40).hover()
    found = answer.value.json()
    assert (found["first"], found["window"], len(found["gradient"])) == (24, True, 16)
    expect(lanes.locator(".told")).to_contain_text("the 16 tokens before it are all that the model had at hand")
    cost = re.search(r" ([\d.]+) bits", lanes.locator(".told").inner_text())
    assert cost is not None
    assert float(cost[1]) == pytest.approx(found["nats"] / math.log(2), abs=0.006), "what it cost when it was written"


def test_a_finished_run_goes_on_by_a_button(visit: Callable[..., Page], folder: Path) -> None:
    page = visit("run?name=heart")
    page.get_by_role("button", name="Continue training").click()
    amount = page.get_by_label("Steps more")
    expect(amount).to_have_value("4")
    expect(page.locator(".further .note")).to_contain_text("It was given 4 steps and has used 4.")
    amount.fill("5")
    page.get_by_role("button", name="Go on", exact=True).click()
    until(lambda: (load_run("heart", folder).result() or {}).get("step") == 9, 60)
    expect(page.locator(".state.finished")).to_be_visible(timeout=20_000)
    expect(page.locator(".numbers div", has_text="Step")).to_have_text("Step9", timeout=20_000)


def test_a_text_that_arrives_too_slowly_is_said_to(visit: Callable[..., Page], folder: Path) -> None:
    """The server closes such a connection without a word (test_studio_guard); the page says what that means."""
    with serving(folder, patience=1.0) as server:
        page = visit("train", of=server, refusals=True)

        def cut_off(route: Route) -> None:
            time.sleep(1.1)
            route.abort("connectionreset")

        page.route("**/api/train", cut_off)
        page.locator("textarea").fill("To be, or not to be. " * 200)
        page.get_by_role("button", name="Start training").click()
        expect(page.locator(".trouble")).to_have_text(
            "This did not reach the studio within 1 seconds, the longest that it waits for a request. Choose a shorter "
            "text, or train on the file in a terminal, which has no such limits: glassloom train FILE."
        )
        expect(page.get_by_role("button", name="Start training")).to_be_enabled()
        page.goto("about:blank")  # for the studio ends before the browser does


def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(visit: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"To be or\n" * 3_500_000)
    page = visit("train")
    page.get_by_role("radio", name="Upload").click()
    page.get_by_label("A text file").set_input_files(tmp_path / "large.txt")
    expect(page.locator(".trouble")).to_contain_text("The text has 31.5 MB; the page takes 30.0 MB.")


def test_a_damaged_run_says_so_and_offers_nothing(visit: Callable[..., Page], folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "heart", tmp_path / "broken")
    (tmp_path / "broken" / "config.json").write_text("{", encoding="utf-8")
    with serving(tmp_path) as server:
        page = visit("run?name=broken", of=server, refusals=True)
        expect(page.locator(".trouble")).to_contain_text("config.json", timeout=20_000)
        assert not page.locator(".head .actions *:visible").count()
        page.goto("about:blank")  # for the studio ends before the browser does


def test_the_limits_that_the_page_names_are_the_servers(server: Server) -> None:
    from studios import Asked

    assert Asked(server, "/api/corpora").json["limits"] == {"seconds": 10.0, "bytes": 30_000_000}
    assert json.dumps(Asked(server, "/api/runs").json["runs"])
