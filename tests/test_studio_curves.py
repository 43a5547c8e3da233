"""Metrics as they grow, and thinned: what is read is what the run itself says, and no extreme is lost."""

import json
from pathlib import Path

import numpy as np
import pytest

from glassloom.runs import Following, load_run
from glassloom.runs.following import PIECE
from glassloom.runs.run import Run
from glassloom.studio.curves import Curves, thinned


def line(step: int, nats: float, event: str = "train") -> bytes:
    field = "train_nats" if event == "train" else "valid_nats"
    record = {"event": event, "step": step, "epoch": step / 10, "tokens": 8 * step, "seconds": step / 2, field: nats}
    return json.dumps(record | ({"progress": step / 100} if event == "train" else {})).encode() + b"\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def test_what_is_followed_is_what_the_run_says(trained: Path) -> None:
    real = load_run(trained)
    follower = Following(real)
    assert follower.read()
    trains = [record for record in real.metrics() if record["event"] == "train"]
    evaluations = [record for record in real.metrics() if record["event"] == "evaluation"]
    for curve, records, field in (("train", trains, "train_nats"), ("valid", evaluations, "valid_nats")):
        columns = follower.curves[curve].columns
        assert list(columns["step"]) == [record["step"] for record in records]
        assert list(columns["nats"]) == [record[field] for record in records]
        assert list(columns["seconds"]) == [record["seconds"] for record in records]
    assert follower.last["step"] == 4


def test_only_what_is_new_is_read_and_a_half_line_waits(run: Run) -> None:
    follower = Following(run)
    assert follower.read(), "nothing is there yet"
    file = run.path / "metrics.jsonl"
    file.write_bytes(line(1, 4.0) + line(2, 3.0)[:20])
    follower.read()
    assert list(follower.curves["train"].columns["nats"]) == [4.0]
    before = follower.version
    follower.read()
    assert follower.version == before, "nothing new, no new version"
    with open(file, "ab") as more:
        more.write(line(2, 3.0)[20:] + b'{"torn": \n' + line(2, 3.5, "evaluation") + b'[1]\n"a"\n{"event": []}\n')
    follower.read()
    assert list(follower.curves["train"].columns["nats"]) == [4.0, 3.0]
    assert list(follower.curves["valid"].columns["nats"]) == [3.5]
    assert follower.version > before
    assert follower.last == {"step": 2, "epoch": 0.2, "tokens": 16, "seconds": 1.0, "train_nats": 3.0, "progress": 0.02,
                             "valid_nats": 3.5}  # fmt: skip


def test_what_a_resume_took_back_is_taken_back(run: Run) -> None:
    file = run.path / "metrics.jsonl"
    file.write_bytes(b"".join(line(step, 5.0 - step) for step in (1, 2, 3)))
    follower = Following(run)
    follower.read()
    with open(file, "ab") as more:
        more.write(b'{"event": "resumed", "step": 2}\n' + line(3, 7.0))
    follower.read()
    expected = [record["train_nats"] for record in run.metrics()]
    assert list(follower.curves["train"].columns["nats"]) == expected == [4.0, 3.0, 7.0]


def test_a_run_that_begins_anew_is_read_anew(run: Run) -> None:
    file = run.path / "metrics.jsonl"
    file.write_bytes(line(1, 4.0) + line(2, 3.0))
    follower = Following(run)
    follower.read()
    file.unlink()
    follower.read()
    assert len(follower.curves["train"]) == 0
    file.write_bytes(line(1, 9.0))
    follower.read()
    file.write_bytes(line(1, 8.0) + line(2, 7.5) + line(3, 7.0))  # in the same file, and longer
    follower.read()
    assert list(follower.curves["train"].columns["nats"]) == [8.0, 7.5, 7.0]


def test_a_long_file_is_read_a_piece_at_a_time(run: Run) -> None:
    count = 3 * PIECE // len(line(100_000, 2.0))
    (run.path / "metrics.jsonl").write_bytes(b"".join(line(step, 2.0) for step in range(1, count + 1)))
    follower = Following(run)
    assert not follower.read(seconds=0), "one piece, and more is coming"
    first = len(follower.curves["train"])
    assert 0 < first < count
    while not follower.read(seconds=0):
        pass
    assert list(follower.curves["train"].columns["step"]) == list(range(1, count + 1))


def test_thinning_keeps_the_ends_the_order_and_a_spike() -> None:
    y = np.exp(-np.arange(10_000) / 900) * 3 + 0.01 * np.sin(np.arange(10_000))
    y[6_123] = 9.0
    places = thinned(y, 200)
    assert len(places) == 200
    assert (np.diff(places) > 0).all()
    assert places[0] == 0
    assert places[-1] == 9_999
    assert 6_123 in places, "a leap of the loss is what one looks for"
    between = np.interp(np.arange(10_000), places, y[places])
    calm = np.abs(np.arange(10_000) - 6_123) > 120
    assert np.abs(between - y)[calm].max() < 0.05
    assert thinned(y[:50], 200).tolist() == list(range(50))


def test_each_bucket_gives_its_largest_triangle() -> None:
    """Against the definition, triangle by triangle, in plain Python."""
    y = np.random.default_rng(0).normal(size=97)
    most = 12
    edges = np.linspace(1, 96, most - 1).astype(int)
    chosen = [0]
    for bucket in range(most - 2):
        after = range(edges[bucket + 1], edges[bucket + 2] if bucket + 2 < len(edges) else 97)
        middle, height = sum(after) / len(after), sum(y[place] for place in after) / len(after)
        x0, y0 = chosen[-1], y[chosen[-1]]

        def area(place: int, x0: float = x0, y0: float = y0, middle: float = middle, height: float = height) -> float:
            return abs(x0 * (y[place] - height) + place * (height - y0) + middle * (y0 - y[place]))

        chosen.append(max(range(edges[bucket], edges[bucket + 1]), key=area))
    assert thinned(y, most).tolist() == [*chosen, 96]


def test_a_page_is_sent_only_what_it_has_not(run: Run) -> None:
    (run.path / "metrics.jsonl").write_bytes(line(1, 4.0) + line(2, 3.5, "evaluation"))
    curves = Curves()
    first = curves.of({"run": run}, most=50)["run"]
    assert first["train"] == {"step": [1], "epoch": [0.1], "tokens": [8], "seconds": [0.5], "nats": [4.0]}
    assert first["whole"]
    assert curves.of({"run": run}, most=50, have={"run": first["version"]}) == {}
    with open(run.path / "metrics.jsonl", "ab") as more:
        more.write(line(3, 3.0))
    assert curves.of({"run": run}, most=50, have={"run": first["version"]})["run"]["train"]["step"] == [1, 3]


def test_no_request_waits_for_all_that_is_to_be_read(run: Run, tmp_path: Path) -> None:
    """Of runs that no time is left for nothing is read yet, and that is said; the next request goes on with them."""
    (run.path / "metrics.jsonl").write_bytes(line(1, 4.0))
    curves = Curves()
    first = curves.of({"run": run}, most=50, seconds=0)["run"]
    assert (first["whole"], first["train"]["step"]) == (False, [])
    then = curves.of({"run": run}, most=50, have={"run": first["version"]})["run"]
    assert (then["whole"], then["train"]["step"]) == (True, [1])
