"""Going on with a run from the page: more of its own budget, by the command's own `--resume`; and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from glassloom.errors import GlassloomError
from glassloom.runs import Run, load_run
from glassloom.studio.trainings import Trainings, budget_of
from studios import Asked, serving, until


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """A finished run of four steps, in a comparison's folder."""
    shutil.copytree(trained, tmp_path / "runs" / "four" / "whole")
    return load_run(tmp_path / "runs" / "four" / "whole")


def test_a_finished_run_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source = run.corpus["source"]
    with serving(run.path.parent.parent) as server:
        told = Asked(server, "/api/run?name=four/whole").json
        assert told["budget"] == {"name": "steps", "amount": 4.0, "used": 4.0}
        begun = Asked(server, "/api/continue", {"name": "four/whole", "more": 3}).json["training"]
        folder = run.path.parent
        assert begun["command"] == f"glassloom train {source} --runs {folder} --name whole --resume --steps 7"
        assert begun["name"] == "four/whole"
        again = Asked(server, "/api/continue", {"name": "four/whole", "more": 3})
        assert "being trained already" in again.json["error"]["what"]
        until(lambda: not any(one["running"] for one in Asked(server, "/api/runs").json["trainings"]), 60)
        [facts] = Asked(server, "/api/runs").json["runs"]
    assert (facts["state"], facts["step"]) == ("finished", 7)
    assert load_run(run.path).config.train.budget() == ("steps", 7.0)


@pytest.mark.parametrize("more", [None, 0, -1, "2", True, 1.5, 1e13, float("inf"), float("nan"), [1]])
def test_so_much_more_cannot_be(run: Run, more: Any) -> None:
    trainings = Trainings(run.path.parent.parent)
    with pytest.raises(GlassloomError):
        trainings.go_on(run, {"name": "four/whole", "more": more})
    assert trainings.as_dicts() == []


@pytest.mark.parametrize("source", ["-", "--help", "/nowhere/text.txt", "no-such-text", "/dev/zero"])
def test_a_text_that_is_not_at_hand_is_never_made_part_of_a_command(run: Run, source: str) -> None:
    facts = {**run.corpus, "source": source}
    (run.path / "corpus.json").write_text(json.dumps(facts), encoding="utf-8")
    trainings = Trainings(run.path.parent.parent)
    with pytest.raises(GlassloomError, match="not at hand"):
        trainings.go_on(run, {"name": "four/whole", "more": 1})
    assert trainings.as_dicts() == []


def test_what_is_being_trained_or_has_diverged_does_not_go_on(run: Run) -> None:
    trainings = Trainings(run.path.parent.parent)
    with run.writing(), pytest.raises(GlassloomError, match="is being trained"):
        trainings.go_on(run, {"name": "four/whole", "more": 1})
    run.write_result({"status": "diverged"})
    with pytest.raises(GlassloomError, match="has diverged"):
        trainings.go_on(run, {"name": "four/whole", "more": 1})
    assert budget_of(run)["used"] == 4


def test_no_name_from_outside_is_gone_on_with(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "secret" / "run")
    with serving(tmp_path / "runs") as server:
        for name in ("../secret/run", "whole", "", None, ["four/whole"]):
            answer = Asked(server, "/api/continue", {"name": name, "more": 1})
            assert (answer.status, answer.json["error"]["what"][:16]) == (400, "There is no run ")


def test_the_best_and_the_newest_loss_and_what_they_are_of_are_told(run: Run) -> None:
    newest = run.newest()
    measured = [record["valid_nats"] for record in run.metrics() if record["event"] == "evaluation"]
    result = run.result()
    assert result is not None
    with serving(run.path.parent.parent) as server:
        [facts] = Asked(server, "/api/runs").json["runs"]
        assert facts["newest_nats"] == measured[-1] == newest.progress()["valid_nats"]
        assert facts["valid_nats_per_token"] == result["best"]["nats_per_token"]
        assert facts["memorises"] is False
        settings = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
        settings["data"]["split"] = "all"
        (run.path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        until(lambda: Asked(server, "/api/runs").json["runs"][0]["memorises"])
        assert Asked(server, "/api/run?name=four/whole").json["memorises"] is True
        with run.writing():
            live = until(lambda: Asked(server, "/api/runs").json["runs"][0].get("live"))
        assert live["best_nats"] == min(measured)
        assert live["valid_nats"] == measured[-1]
