"""Runs are looked up by name among those of the folder; nothing outside it exists, and a damaged one is only that."""

import json
import os
import shutil
from pathlib import Path

import pytest

from glassloom.errors import RunError
from glassloom.studio.folder import RunsFolder
from studios import Asked, serving

OUTSIDE = [
    "../secret",
    "..",
    ".",
    "/etc",
    "whole/..",
    "whole/../../secret/run",
    "",
    "whole\x00",
    "%2e%2e/secret",
    "texts",
]


@pytest.fixture
def folder(tmp_path: Path, trained: Path) -> Path:
    """A folder with a run, one in a comparison's folder, one that is damaged, and a run outside of it."""
    shutil.copytree(trained, tmp_path / "runs" / "whole")
    shutil.copytree(trained, tmp_path / "runs" / "comparison" / "gru")
    shutil.copytree(trained, tmp_path / "runs" / "damaged")
    (tmp_path / "runs" / "damaged" / "config.json").write_text('{"model": ', encoding="utf-8")
    shutil.copytree(trained, tmp_path / "secret" / "run")
    return tmp_path / "runs"


def test_what_is_there_is_listed_with_its_state(folder: Path) -> None:
    found = {facts["name"]: facts for facts in RunsFolder(folder).describe()}
    assert {name: facts["state"] for name, facts in found.items()} == {
        "whole": "finished", "comparison/gru": "finished", "damaged": "damaged",
    }  # fmt: skip
    assert found["whole"]["model"] == "gru"
    assert found["whole"]["step"] == 4
    best = json.loads((folder / "whole" / "result.json").read_text(encoding="utf-8"))["best"]
    assert found["whole"]["valid_nats_per_token"] == best["nats_per_token"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(RunError, match="There is no run"):
        RunsFolder(folder).find(name)


def test_a_link_that_leads_outside_does_not_exist(folder: Path) -> None:
    (folder / "linked").symlink_to(folder.parent / "secret" / "run")
    (folder / "far").symlink_to(folder.parent / "secret")
    assert set(RunsFolder(folder).runs()) == {"whole", "comparison/gru", "damaged"}
    for name in ("linked", "far/run"):
        with pytest.raises(RunError):
            RunsFolder(folder).find(name)
    (folder / "inside").symlink_to(folder / "whole")
    assert RunsFolder(folder).find("inside").name == "inside", "within the folder a link may lead anywhere"


@pytest.mark.parametrize("file", ["metrics.jsonl", "corpus.json", "checkpoints/step-4/model.safetensors"])
def test_a_file_that_is_a_link_outside_is_not_read(folder: Path, file: str) -> None:
    library = RunsFolder(folder)
    library.find("whole")
    os.replace(folder / "whole" / file, folder.parent / "elsewhere")
    (folder / "whole" / file).symlink_to(folder.parent / "elsewhere")
    with pytest.raises(RunError, match="leads out of the folder"):
        library.find("whole")
    assert "whole" not in {facts["name"] for facts in RunsFolder(folder).describe()}
    with serving(folder) as server:
        for path in ("/api/run?name=whole", "/api/curves?run=whole"):
            assert "nats" not in Asked(server, path).body.decode()
        assert Asked(server, "/api/look", {"run": "whole", "view": "surprise", "text": "The"}).status == 400


def test_requests_for_runs_outside_are_refused_over_the_wire(folder: Path) -> None:
    with serving(folder) as server:
        for name in OUTSIDE[:6]:
            assert (
                Asked(server, "/api/write", {"run": name, "prompt": "a"})
                .json["error"]["what"]
                .startswith("There is no")
            )
            assert Asked(server, "/api/stop", {"name": name}).status == 400
        for path in ("/../secret/run/config.json", "/..%2fsecret", "/page/../app.py", "/app.py", "/index.html"):
            assert Asked(server, path).status == 404
        for name in ("../secret/new", "a/b", ".hidden", "-rf", "a" * 65, ""):
            asked = {"text": "To be " * 500, "name": name, "minutes": 1}
            assert Asked(server, "/api/train", asked).status == 400
        assert not (folder / "texts").exists()


def test_a_damaged_run_is_shown_as_damaged_and_all_others_live(folder: Path) -> None:
    shutil.rmtree(folder / "comparison" / "gru" / "checkpoints")
    (folder / "comparison" / "gru" / "corpus.json").write_text("{}", encoding="utf-8")
    (folder / "comparison" / "gru" / "metrics.jsonl").write_bytes(b'\xff\xfe\n{}\n[1]\n{"event": "train"}\n{"ev')
    with serving(folder) as server:
        states = {run["name"]: run["state"] for run in Asked(server, "/api/runs").json["runs"]}
        assert states == {"whole": "finished", "comparison/gru": "damaged", "damaged": "damaged"}
        curves = Asked(server, "/api/curves?run=comparison/gru&run=damaged&run=whole").json["curves"]
        assert curves["comparison/gru"]["train"]["step"] == []
        assert len(curves["whole"]["valid"]["step"]) == 2
        for name in ("damaged", "comparison/gru"):
            for body in ({"view": "surprise", "text": "The"}, {"prompt": "The"}):
                path = "/api/look" if "view" in body else "/api/write"
                assert Asked(server, path, {"run": name, **body}).status == 400
        assert "cannot be read" in Asked(server, "/api/run?name=damaged").json["error"]["sentence"]


def test_a_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    with serving(tmp_path / "none") as server:
        assert Asked(server, "/api/runs").json["runs"] == []
    assert not (tmp_path / "none").exists()


def test_one_folder_that_holds_what_no_number_is_takes_nothing_from_the_others(folder: Path) -> None:
    result = '{"status": "finished", "best": {"nats_per_token": NaN}}'
    (folder / "whole" / "result.json").write_text(result, encoding="utf-8")
    huge = '{"event": "train", "step": %s, "train_nats": 1.0}\n' % ("9" * 400)
    (folder / "whole" / "metrics.jsonl").write_text(huge, encoding="utf-8")
    (folder / "comparison" / "gru" / "corpus.json").write_text("[]", encoding="utf-8")
    with serving(folder) as server:
        listed = {facts["name"]: facts for facts in Asked(server, "/api/runs").json["runs"]}
        assert set(listed) == {"whole", "comparison/gru", "damaged"}
        assert listed["whole"]["valid_nats_per_token"] is None
        curves = Asked(server, "/api/curves?run=whole&run=comparison/gru")
        assert curves.status == 200
        told = Asked(server, "/api/run?name=comparison/gru")
        assert told.status == 500
        assert "damaged" in told.json["error"]["sentence"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl"])
def test_a_pipe_in_a_run_folder_is_not_waited_for(folder: Path, file: str) -> None:
    (folder / "whole" / file).unlink()
    os.mkfifo(folder / "whole" / file)
    library = RunsFolder(folder)
    assert "whole" not in [facts["name"] for facts in library.describe()]
    with pytest.raises(RunError):
        library.find("whole")


def test_texts_are_not_written_through_a_link_that_leads_outside(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (folder / "texts").symlink_to(elsewhere)
    with serving(folder) as server:
        asked = {"text": "to be or not to be " * 50, "name": "own", "model": "gru", "minutes": 0.01}
        assert Asked(server, "/api/train", asked).status == 400
    assert not list(elsewhere.iterdir())
