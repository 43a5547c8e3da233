"""Runs over the machines of a Ray cluster: the same figures as here, whatever dies on the way; and what cannot be."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Commands
from glassloom.comparison import Comparison
from glassloom.comparison.compare import compare
from glassloom.comparison.execution import Lost, Placed
from glassloom.comparison.places import Where
from glassloom.runs import load_run
from glassloom.training import Began, Saved
from ray_clusters import TwoNodes, nodes_of, two_nodes
from trainings import command, differences, everything

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves its children's pipes to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SETTINGS = {
    "width": 8, "layers": 1, "batch_size": 4, "sequence_length": 16, "eval_tokens": 200, "eval_every": 500,
    "sample_length": 20, "sample_every": 500, "save_every": 25, "steps": 2000, "lr": 0.01, "threads": 1,
}  # fmt: skip
ENDLESS = "1000000"
"""Steps of a run that cannot end before somebody ends it."""
FLAGS = [
    word for name, value in SETTINGS.items() if name != "steps" for word in (f"--{name.replace('_', '-')}", str(value))
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with two_nodes() as started:
        yield started


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    file = tmp_path_factory.mktemp("cluster") / "text.txt"
    file.write_text(tiny_text[:3000], encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def begun(nodes: TwoNodes, text: Path) -> tuple[Path, Any]:
    """A comparison over both nodes, interrupted by Ctrl-C with both runs on their way; its folder, and what it said."""
    out = text.parent / "out"
    flags = ("--models", "rnn,gru", "--on", nodes.client_address, "--out", str(out), *FLAGS, "--steps", ENDLESS)
    with command("compare", str(text), *flags, folder=text.parent, start_new_session=True) as started:
        end = time.monotonic() + 240
        while not all(list((out / name / "checkpoints").glob("step-[1-9]*00")) for name in ("rnn", "gru")):
            assert started.poll() is None, started.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        said = started.communicate(timeout=240)[1]
    return out, subprocess.CompletedProcess(flags, started.returncode, "", said)


@pytest.fixture(scope="module")
def here(text: Path) -> Comparison:
    """The same comparison in this process, from beginning to end."""
    return compare(text, ["rnn", "gru"], SETTINGS, text.parent / "here")


def test_ctrl_c_saves_every_run_on_every_node(begun: tuple[Path, Any]) -> None:
    out, ended = begun
    assert ended.returncode == 130, ended.stderr
    assert "interrupted; the same command goes on with what is missing" in ended.stderr
    places = [line.split(": on ")[1] for line in ended.stderr.splitlines() if ": on " in line]
    assert len(nodes_of(places)) == 2, "each of the nodes had one of the runs"
    for name in ("rnn", "gru"):
        run = load_run(out / name)
        assert run.state() == "interrupted"
        saved = run.newest().step
        assert 0 <= saved < int(ENDLESS)
        assert max((line["step"] for line in run.metrics()), default=0) <= saved, "what was made is saved"
    assert not list(out.glob(".seen-*"))


def test_a_run_whose_node_is_killed_goes_on_on_the_other_and_ends_as_it_would_have_here(
    begun: tuple[Path, Any], nodes: TwoNodes, text: Path, here: Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    assert begun[1].returncode == 130, "that comparison had both nodes to the end"
    told: list[tuple[str, Any]] = []
    second = str(nodes.second.node_id)[:8]
    there: set[str] = set()

    def watch(id: str, event: Any) -> None:
        told.append((id, event))
        if isinstance(event, Placed) and second in event.place:
            there.add(id)
        if isinstance(event, Saved) and id in there and nodes.second in nodes.cluster.worker_nodes:
            nodes.kill_second()

    found = compare(text, ["rnn", "gru"], SETTINGS, text.parent / "killed", where=Where(nodes.address), on_event=watch)
    assert [row.status for row in found.rows] == ["finished", "finished"]
    [(lost, gone)] = [(id, event) for id, event in told if isinstance(event, Lost)]
    assert gone.reason == "its machine is gone"
    assert capsys.readouterr().out == "", "standard output is for results"
    places = [event.place for id, event in told if id == lost and isinstance(event, Placed)]
    assert places[0] == gone.place
    assert len(nodes_of(places)) == 2, "the lost run moved to the other node"
    steps = [event.step for id, event in told if id == lost and isinstance(event, Began)]
    assert len(steps) == 2
    assert steps[1] > steps[0], "it went on from a later checkpoint"
    for row, other in zip(found.rows, here.rows, strict=True):
        assert row.nats_per_token == other.nats_per_token
        assert differences(everything(load_run(row.run)), everything(load_run(other.run))) == []


def test_a_ray_of_our_own_on_this_machine_gives_the_figures_of_a_local_execution(text: Path, here: Comparison) -> None:
    sessions: set[Path] = set()

    def watch(id: str, event: Any) -> None:
        from ray._private.worker import global_worker

        sessions.add(Path(global_worker.node.get_session_dir_path()))

    far = compare(text, ["rnn"], SETTINGS, text.parent / "own", where=Where("ray"), on_event=watch).rows[0]
    near = next(row for row in here.rows if row.id == "rnn")
    assert far.nats_per_token == near.nats_per_token
    assert differences(everything(load_run(far.run)), everything(load_run(near.run))) == []
    [session] = sessions
    assert session.parent.name.startswith("glassloom-ray-")
    assert not session.parent.exists(), "nothing of it stays"


def test_what_the_cluster_cannot_give_is_refused_in_one_sentence(
    nodes: TwoNodes, commands: Commands, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["compare", str(text), "--steps", "2", "--out", str(text.parent / "refused"), "--on"]
    assert "no machine of the cluster has" in (said := commands.refused(*given, nodes.address, "--cpus", "64"))
    assert "1 CPUs" in said
    assert "64 CPUs and 2 GPUs" in commands.refused(*given, nodes.address, "--cpus", "64", "--gpus", "2")
    assert not (text.parent / "refused").exists()
    assert "add --cpus 4" in commands.refused(*given, nodes.address, "--threads", "4")
    assert "add --gpus 1" in commands.refused(*given, nodes.address, "--device", "cuda")
    assert list((text.parent / "refused").iterdir()) == []


def test_an_address_at_which_no_cluster_is_and_a_missing_package_are_said_at_once(
    commands: Commands, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["compare", str(text), "--steps", "2", "--out", str(text.parent / "nowhere"), "--on"]
    for address in ("ray://127.0.0.1:1", "127.0.0.1:1", "ray://no-such-host.invalid:10001"):
        assert f"Nobody answers at {address}" in commands.refused(*given, address)
    for place in ("rays", "ray://somewhere", "slurm", "http://127.0.0.1:8265"):
        assert "ray://HOST:10001" in commands.refused(*given, place)
    assert "cpus cannot be 0" in commands.refused(*given, "ray", "--cpus", "0")
    assert "gpus cannot be 1.5" in commands.refused(*given, "ray", "--gpus", "1.5")
    assert "add --on ray" in commands.refused(*given[:-1], "--cpus", "2")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'glassloom[ray]'" in commands.refused(*given, "ray")
    assert not (text.parent / "nowhere").exists()
