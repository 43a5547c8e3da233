"""A search: its trials are runs, its journal goes on, its page and its command say what it found."""

import itertools
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import glassloom
from commands import Commands
from glassloom.data import DataSettings, load_text
from glassloom.data.corpus import Corpus
from glassloom.errors import RunError
from glassloom.runs import list_runs, load_run
from glassloom.tuning import Search
from glassloom.tuning.journal import JOURNAL, Journal
from glassloom.tuning.page import page_of, write_search
from glassloom.tuning.results import best_so_far
from glassloom.tuning.searching import run_search
from glassloom.tuning.space import parse_space
from glassloom.tuning.working import Chosen, Done, Judged
from trainings import differences, everything, small, stream, train

SPACE = ("lr=1e-4..0.1:log", "width=4..12:4")
FIXED: dict[str, Any] = {
    name: value for name, value in small().items() if name not in ("model", "width", "lr")
} | {"steps": 18, "eval_tokens": 200}  # fmt: skip


def searched(corpus: Any, root: Path, trials: int = 10, **more: Any) -> Search:
    """A small search by steps, which goes the same way every time."""
    given = {"space": SPACE, "minutes": 5, "runs": root, "name": "found", **FIXED, **more}
    return run_search(corpus, "gru", trials=trials, **given)


@pytest.fixture(scope="module")
def text(tiny_text: str) -> Corpus:
    return stream(tiny_text)


@pytest.fixture(scope="module")
def told() -> list[Any]:
    return []


@pytest.fixture(scope="module")
def found(text: Corpus, told: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Search:
    return searched(text, tmp_path_factory.mktemp("search"), on_told=told.append)


def test_every_trial_is_a_run_and_what_was_judged_is_what_it_measured(found: Search, text: Corpus) -> None:
    root = Path(found.folder)
    assert {run.name for run in list_runs(root.parent)} == {one.name for one in found.trials}
    assert len(found.trials) == 10
    for one in found.trials:
        run = load_run(one.run)
        assert (run.config.train.lr, run.config.model.width) == (one.settings["lr"], one.settings["width"])
        losses = [record["valid_nats"] for record in run.metrics() if record["event"] == "evaluation"]
        assert [loss for _, loss in one.judged] == losses
        assert [which for which, _ in one.judged] == list(range(1, len(losses) + 1))
        if one.state == "finished":
            assert len(losses) == 9
            assert one.loss == glassloom.evaluate(run, corpus=text).figures.nats_per_token, "the whole held-out text"
            assert run.state() == "finished"
        else:
            assert (one.state, run.state(), one.loss) == ("stopped", "interrupted", None)
            assert len(losses) in (1, 3), "Hyperband compares at 1, 3 and 9 evaluations"
            assert run.newest().step == 2 * len(losses)
    assert found.best is not None
    assert found.best.loss == min(one.loss for one in found.trials if one.loss is not None)
    assert {one.state for one in found.trials} == {"finished", "stopped"}


def test_who_goes_on_was_among_the_best_third_of_those_compared(found: Search) -> None:
    """The rule of asynchronous successive halving, by hand, over all trials whatever their bracket: whoever was
    stopped was beaten by somebody judged before it at the same evaluation."""
    for one in found.trials:
        if one.state == "stopped":
            which, loss = one.judged[-1]
            before = [
                dict(other.judged).get(which, float("inf")) for other in found.trials if other.number < one.number
            ]
            assert min(before) < loss


def test_what_happens_is_told_as_it_happens(found: Search, told: list[Any]) -> None:
    kinds = [[type(event) for event in group] for _, group in itertools.groupby(told, key=lambda event: event.number)]
    assert len(kinds) == 10
    assert all(one[0] is Chosen and one[-1] is Done and set(one[1:-1]) == {Judged} for one in kinds)


def test_the_test_split_has_no_part_in_it(tiny_text: str, tmp_path: Path) -> None:
    symbols = "".join(sorted(set(tiny_text[:3000])))
    results = []
    for name, end in (("one", tiny_text[3000:3300]), ("two", (symbols * 9)[:300])):
        corpus = load_text(symbols + tiny_text[: 3000 - len(symbols)] + end, DataSettings(split="80,10,10"))
        results.append(searched(corpus, tmp_path / name, trials=3))
        assert len(corpus.test.ids) > 200
    one, two = ([(trial.settings, trial.loss, trial.judged) for trial in each.trials] for each in results)
    assert one == two


def stop_within(trial: int, which: int) -> tuple[Callable[[Any], None], Callable[[], bool]]:
    """What to give as `on_told` and `stop` so that a search is interrupted once a trial was judged so often."""
    seen = [False]

    def watch(event: Any) -> None:
        seen[0] = seen[0] or (isinstance(event, Judged) and (event.number, event.which) == (trial, which))

    return watch, lambda: seen[0]


def test_an_interrupted_search_goes_on_within_its_trial(text: Corpus, tmp_path: Path) -> None:
    watch, stop = stop_within(0, 4)
    half = searched(text, tmp_path, trials=2, on_told=watch, stop=stop)
    assert (half.status, [one.state for one in half.trials]) == ("interrupted", ["interrupted"])
    assert load_run(half.trials[0].run).newest().step == 8
    whole = searched(text, tmp_path, trials=2)
    assert whole.trials[0].state == "finished"
    assert len(whole.trials) == 2
    assert whole.trials[0].settings == half.trials[0].settings
    assert [which for which, _ in whole.trials[0].judged] == list(range(1, 10))
    alone = train(text, tmp_path / "alone", model="gru", **FIXED, **whole.trials[0].settings, evaluations=9,
                  sample_every=10**9)  # fmt: skip
    assert not differences(everything(load_run(whole.trials[0].run)), everything(alone.run)), "to the last bit"
    longer = searched(text, tmp_path, trials=3)
    assert longer.trials[:2] == whole.trials, "what is done stays"
    assert len(longer.trials) == 3


def test_another_search_of_the_same_name_is_refused_and_replaced_on_request(text: Corpus, tmp_path: Path) -> None:
    searched(text, tmp_path, trials=1)
    (tmp_path / "found" / "notes.txt").write_text("mine")
    for change, said in (
        ({"space": ("lr=1e-3..1e-2",)}, "the space lr=0.001..0.01"), ({"layers": 2}, "layers 2"),
        ({"steps": 27}, "steps 27"), ({"seed": 3}, "seed 3"),
    ):  # fmt: skip
        with pytest.raises(RunError, match=said):
            searched(text, tmp_path, trials=1, **change)
    with pytest.raises(RunError, match="a text of SHA-256"):
        searched(stream("another text\n" * 300), tmp_path, trials=1)
    anew = searched(text, tmp_path, trials=1, seed=3, replace=True)
    assert load_run(anew.trials[0].run).config.train.seed == 3
    assert (tmp_path / "found" / "notes.txt").read_text() == "mine"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("")
    with pytest.raises(RunError, match="holds no search"):
        searched(text, tmp_path, trials=1, name="mine")


def test_two_processes_never_take_the_same_trial_and_a_dead_ones_is_taken_over(tmp_path: Path) -> None:
    space = [parse_space(one, "gru") for one in SPACE]
    one, two = Journal(tmp_path, space, 9), Journal(tmp_path, space, 9, seed=1)
    first, second = one.claim(3), two.claim(3)
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 1)
    one.report(first, 1, 2.5)
    one.release(0)  # as the system does for a process that dies
    again = two.claim(3)
    assert again is not None
    assert (again.number, again.params) == (0, first.params)
    assert not two.report(again, 3, 2.0), "the first trial is never stopped"
    two.finish(again, 1.5, {"state": "finished"})
    third = one.claim(3)
    assert third is not None
    assert third.number == 2
    assert one.claim(3) is None, "there are as many as were asked for"
    ended = one.trials()[0]
    assert (ended.value, ended.intermediate_values) == (1.5, {1: 2.5, 3: 2.0})
    assert len(ended.user_attrs["sessions"]) == 2


def test_a_torn_last_line_is_no_harm_and_a_damaged_journal_is_one_sentence(text: Corpus, tmp_path: Path) -> None:
    searched(text, tmp_path, trials=1)
    journal = tmp_path / "found" / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker')
    assert len(searched(text, tmp_path, trials=2).trials) == 2
    journal.write_bytes(whole.replace(b"op_code", b"op", 1))
    with pytest.raises(RunError, match=r"journal .* is damaged"):
        searched(text, tmp_path, trials=2)


def test_settings_that_do_not_go_together_end_their_trial_and_not_the_search(text: Corpus, tmp_path: Path) -> None:
    given = {**small("transformer"), **FIXED, "positions": "none"}
    model, _ = given.pop("model"), given.pop("heads")
    given |= {"runs": tmp_path, "name": "heads", "width": 6, "minutes": 5, "seed": 0}
    found = run_search(text, model, trials=6, space=["heads=2,4"], **{k: v for k, v in given.items() if k != "lr"})
    states = {one.settings["heads"]: one.state for one in found.trials}
    assert states[4] == "unfit"
    assert "do not divide 6" in next(one.reason for one in found.trials if one.settings["heads"] == 4)
    assert found.best is not None
    assert found.best.settings == {"heads": 2}


def test_other_tokens_are_judged_by_characters(text: Corpus, tmp_path: Path, tiny_text: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(tiny_text[:3000], encoding="utf-8")
    found = searched(path, tmp_path, trials=4, space=("tokenizer=char,byte,bpe:300",), width=8, lr=0.01)
    assert found.unit == "bits_per_character"
    for one in found.trials:
        run = load_run(one.run)
        assert run.config.data.tokenizer == one.settings["tokenizer"]
        if one.loss is not None:
            assert one.loss == pytest.approx(glassloom.evaluate(run).figures.bits_per_character, abs=1e-12)
            assert one.judged[-1][1] == pytest.approx(one.loss, abs=0.05), "on all of the held-out text, too"


def test_the_time_ends_a_search_and_more_time_goes_on(text: Corpus, tmp_path: Path) -> None:
    found = searched(text, tmp_path, trials=10_000, minutes=0.02)
    assert 0 < len(found.trials) < 10_000
    assert found.seconds < 60, "generous: a second was asked for"
    again = searched(text, tmp_path, trials=10_000, minutes=0.0001)
    assert [one.number for one in again.trials] == [one.number for one in found.trials], "nothing more was begun"


# -- what is shown


def test_the_page_shows_what_was_found(found: Search) -> None:
    page = page_of(found, "glassloom search")
    shown = {exhibit.name: exhibit for section in page.sections for exhibit in section.exhibits}
    steps = best_so_far(found.trials)
    assert [loss for _, loss in steps] == sorted((loss for _, loss in steps), reverse=True)
    curve = shown["over-time"].series[0]  # type: ignore[attr-defined]
    assert found.best is not None
    assert curve.y[-1] == found.best.loss
    strands = shown["parallel"].strands  # type: ignore[attr-defined]
    assert {one.label: one.values for one in strands}[found.best.name] == (
        found.best.settings["lr"], found.best.settings["width"], found.best.loss,
    )  # fmt: skip
    assert {one.group for one in strands} >= {"the best fifth", "stopped early"}
    rows = shown["trials"].rows  # type: ignore[attr-defined]
    assert rows[0][0] == found.best.name
    assert len(rows) == 10
    write_search(found, Path(found.folder), "glassloom search")
    html = (Path(found.folder) / "report.html").read_text(encoding="utf-8")
    assert found.best.name in html
    assert (Path(found.folder) / "figures" / "parallel.svg").is_file()
    assert json.loads(page.downloads["search.json"])["best"]["number"] == found.best.number


def test_importance_is_of_what_sets_the_best_apart(tmp_path: Path) -> None:
    space = [parse_space(one, "gru") for one in ("lr=1e-3..1000", "dropout=0..0.9")]
    journal = Journal(tmp_path, space, 9)
    for _ in range(4):
        claim = journal.claim(60)
        assert claim is not None
        journal.finish(claim, claim.params["lr"], {})
    assert journal.importance() == {}, "too few"
    for _ in range(36):
        claim = journal.claim(60)
        assert claim is not None
        journal.finish(claim, claim.params["lr"], {})
    shares = journal.importance()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["lr"] > 0.7


def test_the_command_trains_the_best_settings_again(
    commands: Commands, tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    fixed = [word for name, value in FIXED.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words = ["search", "text.txt", "--model", "lstm", "--trials", "2", "--tied", "--width", "8", *fixed]
    done = commands.done(*words, "--space", "clip-norm=none,1", "--space", "lr=1e-3..1e-2:log", "--json")
    assert done.json["name"] == "text-lstm-search"
    told = [line for line in done.lines if line.startswith("trial ")]
    assert len(told) == 2
    assert "clip_norm" in told[0]
    command = shlex.split(done.json["command"])
    assert command[0] == "glassloom"
    commands.done(*command[1:], "--name", "again")
    best, again = load_run(done.json["best"]["run"]).config.flat(), load_run("again").config.flat()
    differ = {name for name in best if best[name] != again[name]}
    assert differ <= {"evaluations", "sample_every"}
    shown = commands.done(*words, "--space", "clip-norm=none,1", "--space", "lr=1e-3..1e-2:log")
    assert done.json["command"] in shown.out
    assert "runs/text-lstm-search/report.html" in shown.out


def test_without_optuna_one_sentence_says_what_to_install(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "pip install 'glassloom[search]'" in commands.refused("search", "text.txt")


@pytest.mark.long
def test_several_processes_share_one_journal(text: Corpus, tmp_path: Path) -> None:
    found = searched(text, tmp_path, trials=6, processes=2, **{"threads": 1})
    assert [one.number for one in found.trials] == list(range(6))
    assert {one.state for one in found.trials} <= {"finished", "stopped"}
    for one in found.trials:
        assert load_run(one.run).config.train.lr == one.settings["lr"]
