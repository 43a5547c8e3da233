"""The page about training over processes says what the results say, and its model of a ring is the textbook's."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_page_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scaling

    assert scaling.DOCUMENT.read_text(encoding="utf-8") == scaling.page(), (
        "write it anew: python benchmarks/scaling.py --page"
    )


def test_a_rings_time_counted_message_by_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce-scatter and all-gather as they run: in each of N-1 rounds all workers send a piece to the next at once."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scaling

    for workers in (2, 3, 8, 1024):
        held = [{rank} for rank in range(workers)]  # whose gradients are in piece 0 at each worker
        clock, place = 0.0, 0
        while len(held[place]) < workers:
            held[(place + 1) % workers] |= held[place]
            place = (place + 1) % workers
            clock += 1e6 / workers / 1e9 + 5e-6
        knows = {place}
        while len(knows) < workers:
            place = (place + 1) % workers
            knows.add(place)
            clock += 1e6 / workers / 1e9 + 5e-6
        assert scaling.ring_seconds(workers, 1e6, 1e9, 5e-6) == pytest.approx(clock, rel=1e-9)


def test_bandwidth_and_latency_come_back_from_exchanges_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import scaling

    made = [{"bytes": size, "seconds": scaling.ring_seconds(2, size, 3e9, 2e-5)} for size in scaling.SIZES]
    bandwidth, latency = scaling.fitted(made)
    assert bandwidth == pytest.approx(3e9, rel=1e-3)
    assert latency == pytest.approx(2e-5, rel=1e-3)
