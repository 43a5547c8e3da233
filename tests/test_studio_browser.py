"""The studio in a real browser: train, watch, write, take an alternative, look inside, on any width, light and dark."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from glassloom.studio import Server
from studio_visits import visit, written
from studios import TINY, serving

__all__ = ["visit"]

HOSTILE = "<img src=x onerror=window.hacked=1><script>window.hacked=2</script></blockquote>"
HEBREW = "אני עומדת על גדות הירדן. "
PAGES = {
    "": "table.runs .spark path",
    "run?name=lstm": ".plot .line",
    "train": ".cards",
    "write?run=lstm&run=transformer": ".lane",
    "look?run=lstm&view=surprise": ".answer .exhibit[data-drawn=yes] svg",
    "compare?run=lstm&run=transformer": "table.beside",
}
"""Each page's address, and what stands on it when it is there."""
THINGS = ["lstm", "transformer", "hostile"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """Two small runs, and one whose text is markup and Hebrew."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    texts = {
        "text.txt": tiny_text[:3000],
        "<img src=x onerror=alert(1)>.txt": (HOSTILE + "\n" + HEBREW * 3 + "\n") * 20,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        for name, model, text in zip(THINGS, ("lstm", "transformer", "gru"), ["text.txt", *texts], strict=True):
            more = ("--heads", "4", "--context", "16") if model == "transformer" else ()
            asked = ["train", str(folder / text), "--runs", str(folder), "--name", name, "--model", model]
            assert run([*asked, *TINY, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with serving(folder) as running:
            yield running


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_drawn_and_fits(visit: Callable[..., Page], width: int, scheme: str) -> None:
    page = visit("", width, scheme)
    for at, there in PAGES.items():
        page.goto(f"{page.url.split('#')[0]}#/{at}")
        page.locator(there).first.wait_for(timeout=20_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, at
        assert page.locator("h1").count() == 1
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(255, 253, 248)", "dark": "rgb(23, 22, 19)"}[scheme]


def test_runs_are_sorted_filtered_and_chosen_for_a_comparison(visit: Callable[..., Page]) -> None:
    page = visit()
    names = page.locator("table.runs tbody .at-name")
    expect(names).to_have_count(3)
    page.get_by_role("button", name="Run", exact=True).click()
    assert names.all_inner_texts() == ["hostile", "lstm", "transformer"]
    page.get_by_role("button", name="Run", exact=True).click()
    assert names.all_inner_texts() == ["transformer", "lstm", "hostile"]
    page.get_by_role("searchbox").fill("TRANS text")
    assert names.all_inner_texts() == ["transformer"]
    page.get_by_role("searchbox").fill("")
    for name in ("lstm", "transformer"):
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("link", name="Compare", exact=True).last.click()
    page.locator("table.beside").first.wait_for()
    expect(page.locator(".plot .line")).to_have_count(2)
    assert page.locator("table.beside thead th").all_inner_texts()[:2] == ["lstm", "transformer"]
    page.get_by_role("radio", name="Epoch").click()
    expect(page.locator(".plot .title").first).to_have_text("epoch")
    page.get_by_label("Training loss too").check()
    expect(page.locator(".plot .line.dashed")).to_have_count(2)


def test_a_training_is_begun_watched_and_stopped(visit: Callable[..., Page], tiny_text: str) -> None:
    page = visit("train")
    page.locator("textarea").fill(tiny_text)
    page.get_by_text("Two gates decide").click()
    page.get_by_label("Minutes").fill("20")
    page.get_by_label("Name of the run").fill("watched")
    page.get_by_role("button", name="Start training").click()
    stop = page.get_by_role("button", name="Stop training")
    stop.wait_for(timeout=60_000)
    line = page.locator(".plot .line.dashed")
    line.wait_for(timeout=30_000)
    before = line.get_attribute("d") or ""
    expect(line).not_to_have_attribute("d", before, timeout=20_000)
    assert len(line.get_attribute("d") or "") > 20
    stop.click()
    expect(page.locator(".state.interrupted")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Let it write").click()
    written(page, "The ", 20)
    assert page.locator(".lane .token:not(.given)").count() == 20


def test_a_prompt_is_continued_and_an_alternative_taken(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm&run=transformer")
    lanes = written(page, "The text")
    assert [lanes.nth(place).locator(".token").count() for place in (0, 1)] == [48, 48]
    tokens = lanes.nth(0).locator(".token")
    before = tokens.all_inner_texts()
    tokens.nth(20).click()
    menu = lanes.nth(0).locator(".menu")
    expect(menu).to_be_visible()
    own = menu.locator(".own").get_attribute("data-id")
    other = menu.locator("button:not(.own)").first
    label, chosen = other.locator(".label").inner_text(), other.get_attribute("data-id")
    assert chosen != own
    other.click()
    expect(menu).to_be_hidden()
    expect(tokens).to_have_count(21 + 40, timeout=20_000)
    after = tokens.all_inner_texts()
    assert after[:20] == before[:20]
    shown = {"␣": " ", "⏎": "\n"}.get(label, label)
    assert (tokens.nth(20).text_content() or "") == shown
    lanes.nth(0).get_by_role("button", name="Go on").click()
    expect(tokens).to_have_count(61 + 40, timeout=20_000)


def test_a_token_pointed_at_lights_up_what_it_owes(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm&run=transformer")
    lanes = written(page, "The text")
    for place in (0, 1):
        lane = lanes.nth(place)
        lane.locator(".token").nth(30).hover()
        lane.locator(".token.lit").first.wait_for()
        lit = [int(one) for one in lane.locator(".token.lit").evaluate_all("all => all.map(one => one.dataset.place)")]
        assert 0 < len(lit) < 30
        assert max(lit) < 30, "only what stands before it"
        assert "bits" in lane.locator(".told").inner_text()
    assert "owes most to" in lanes.nth(0).locator(".told").inner_text()
    assert "was written looking at" in lanes.nth(1).locator(".told").inner_text()
    heads = lanes.nth(1).locator("header select")
    expect(heads.locator("option")).to_have_count(2 + 4)
    heads.select_option("gradient")
    lanes.nth(1).locator(".token").nth(31).hover()
    expect(lanes.nth(1).locator(".told")).to_contain_text("owes most to")
    page.locator("h1").hover()
    expect(page.locator(".token.lit")).to_have_count(0)


def test_it_is_all_within_reach_of_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm")
    page.locator("form.playground textarea").fill("The text")
    page.keyboard.press("Control+Enter")
    page.locator(".pace").wait_for(timeout=20_000)
    page.locator(".lane .text").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.place") == "9", "the second token that it wrote"
    page.locator(".token.lit").first.wait_for()
    page.keyboard.press("Enter")
    expect(page.locator(".menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".menu")).to_be_hidden()
    assert page.evaluate("document.activeElement.dataset.place") == "9"
    page = visit()
    page.locator("table.runs tbody tr").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent || document.activeElement.ariaLabel"))
    assert {"Train", "Playground", "lstm", "transformer", "hostile", "Best loss", "Train a model"} <= reached


def test_views_are_switched_and_drawn(visit: Callable[..., Page]) -> None:
    page = visit("look?run=transformer&view=surprise&text=The text of it")
    answer = page.locator(".answer[aria-busy=false] .exhibit[data-drawn=yes]")
    answer.nth(2).wait_for(timeout=30_000)
    assert page.locator("blockquote.coloured span").count() == 14
    assert page.locator(".answer .chart svg path").count() > 5
    for title, there in (
        ("Attention", "button.matrix canvas"),
        ("Attribution", ".matrix canvas"),
        ("Embedding", ".chart svg"),
    ):
        page.locator(".views button", has_text=title).first.click()
        page.locator(f".answer[aria-busy=false] {there}").first.wait_for(timeout=30_000)
        assert f"view={title.lower()}" in page.url
        if title == "Attention":
            page.locator("button.matrix").first.click()
            expect(page.locator("dialog[open] h3")).to_have_text("layer 0 head 0")
            page.keyboard.press("Escape")
    page.locator(".views button", has_text="Steering").click()
    page.get_by_label("Held values").fill("layers.0.residual:0=off")
    page.get_by_role("button", name="Look", exact=True).click()
    page.locator(".answer[aria-busy=false] .samples").first.wait_for(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("array,")


def test_what_a_view_cannot_say_stands_there_in_a_sentence(visit: Callable[..., Page]) -> None:
    page = visit("look?run=lstm&view=attention&text=The", refusals=True)
    expect(page.locator(".answer .trouble")).to_contain_text("lstm has no attention", timeout=20_000)
    assert not page.locator(".answer .exhibit").count()


def test_hostile_text_stays_text_and_hebrew_runs_from_the_right(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(page.locator("tr[data-name=hostile] .at-corpus")).to_have_text("<img src=x onerror=alert(1)>")
    page = visit("write?run=hostile")
    lanes = written(page, HOSTILE)
    assert (lanes.locator(".text").text_content() or "").startswith(HOSTILE)
    assert page.locator("main img, main script, main blockquote").count() == 0
    lanes.locator(".token").nth(len(HOSTILE) + 5).hover()
    page.locator(".token.lit").first.wait_for()
    written(page, HEBREW)
    assert page.locator(".lane .text").evaluate("text => getComputedStyle(text).direction") == "rtl"
    first, second = (page.locator(".token").nth(place).bounding_box() for place in (0, 1))
    assert first is not None
    assert second is not None
    assert first["x"] > second["x"], "the first letter stands right of the second"
    page = visit(f"look?run=hostile&view=surprise&text={HOSTILE.replace('=', '%3D')}")
    page.locator(".answer[aria-busy=false] .exhibit[data-drawn=yes]").nth(2).wait_for(timeout=30_000)
    shown = page.locator("blockquote.coloured").first.text_content()
    assert shown == HOSTILE
    assert page.locator("main img, main script").count() == 0
    page = visit("run?name=hostile")
    page.locator(".sample").first.wait_for()
    assert page.locator("main img, main script").count() == 0


def test_the_theme_is_switched_and_kept(visit: Callable[..., Page]) -> None:
    page = visit()
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 253, 248)"
    for _ in range(2):
        page.locator("#theme").click()
    assert page.evaluate(paper) == "rgb(23, 22, 19)"
    page.reload()
    page.locator("table.runs").wait_for()
    assert page.evaluate(paper) == "rgb(23, 22, 19)"


def test_an_empty_folder_says_what_to_do_next(visit: Callable[..., Page], tmp_path: Path) -> None:
    with serving(tmp_path / "none") as server:
        page = visit(of=server)
        for at in ("", "write", "look", "compare"):
            page.goto(f"{server.address.url}#/{at}")
            page.locator(".empty").wait_for()
            assert page.locator(".empty").get_by_role("link").get_attribute("href") == "#/train"
        page.locator(".empty a").click()
        page.locator(".cards").wait_for()
        page.goto("about:blank")  # for the studio ends before the browser does


def test_arrows_follow_the_direction_of_the_text(visit: Callable[..., Page]) -> None:
    page = visit("write?run=hostile")
    written(page, HEBREW, 20)
    page.locator(".lane .token").nth(5).focus()
    for key, place in (("ArrowLeft", "6"), ("ArrowRight", "5"), ("ArrowRight", "4")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.place") == place


def test_a_value_that_is_refused_is_shown(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm")
    page.locator(".lane").wait_for()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Top-k").fill("0")
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Top-k")).to_be_hidden()
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_label("Top-k")).to_be_visible()


def test_an_address_that_is_none_shows_the_runs(visit: Callable[..., Page]) -> None:
    page = visit("constructor")
    page.locator("table.runs").wait_for()
    assert not page.locator(".trouble").count()


def test_a_run_that_holds_nothing_out_says_so_and_goes_when_it_is_deleted(
    visit: Callable[..., Page], folder: Path
) -> None:
    shutil.copytree(folder / "lstm", folder / "short-lived")
    config = folder / "short-lived" / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["data"]["split"] = "all"
    config.write_text(json.dumps(settings), encoding="utf-8")
    page = visit("run?name=short-lived")
    expect(page.locator(".numbers dt").first).to_have_text("Best loss on training text", timeout=20_000)
    shutil.rmtree(folder / "short-lived")
    expect(page.locator(".trouble")).to_contain_text("There is no run short-lived", timeout=20_000)
    expect(page.locator(".numbers dt")).to_have_count(0)


def test_a_text_that_began_without_a_prompt_is_asked_about_as_such(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm")
    written(page, "", 20)
    with page.expect_request("**/api/alternatives") as asked:
        page.locator(".lane .token").nth(3).click()
    assert (asked.value.post_data_json or {})["prompted"] == 0
    with page.expect_request("**/api/write") as asked:
        page.locator(".menu .own").click()
    assert (asked.value.post_data_json or {})["prompted"] == 0
    expect(page.locator(".lane .token")).to_have_count(24, timeout=20_000)
    written(page, "The", 20)
    with page.expect_request("**/api/alternatives") as asked:
        page.locator(".lane .token").nth(5).click()
    assert (asked.value.post_data_json or {})["prompted"] == 3


def test_no_character_is_cut_in_half_on_the_way_to_the_views(visit: Callable[..., Page]) -> None:
    page = visit("write?run=lstm")
    tokens = [[0, "a" * 299, "a", 1.0], [1, "\U0001f9f6", "yarn", 1.0]]
    lines = [{"prompt": []}, {"tokens": tokens}, {"end": "length"}]
    page.route("**/api/write", lambda route: route.fulfill(body="".join(json.dumps(line) + "\n" for line in lines)))
    written(page, "", 20)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_disabled()
    assert (page.get_by_role("link", name="Look inside").last.get_attribute("href") or "").endswith("a%F0%9F%A7%B6")
