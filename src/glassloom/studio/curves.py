"""Learning curves of many runs, read as they grow and thinned to what a page can show."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassloom.runs import Following, Run
from glassloom.runs.following import COLUMNS, Curve

KEPT = 1000
"""So many runs are followed at once."""
Numbers = NDArray[np.float64]


def thinned(y: Numbers, most: int) -> NDArray[np.intp]:
    """The places of at most `most` points that keep the shape of a curve, the first and the last among them.

    Largest triangle, three buckets (Steinarsson 2013, "Downsampling Time Series for Visual Representation"): of each
    bucket the point that spans the largest triangle with the one chosen before it and the mean of the next bucket.
    Places stand for x, for records come evenly.

    >>> thinned(np.array([0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0]), 3).tolist()
    [0, 2, 6]
    """
    count = len(y)
    if count <= most or most < 3:
        return np.arange(count)
    edges = np.linspace(1, count - 1, most - 1).astype(np.intp)
    places = np.arange(count, dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    chosen = np.empty(most, dtype=np.intp)
    chosen[0], chosen[-1] = 0, count - 1
    for bucket in range(most - 2):
        start, end = edges[bucket], edges[bucket + 1]
        after = edges[bucket + 2] if bucket + 2 < len(edges) else count
        middle, height = (end + after - 1) / 2, (sums[after] - sums[end]) / (after - end)
        x0, y0 = places[chosen[bucket]], y[chosen[bucket]]
        areas = np.abs((x0 - middle) * (y[start:end] - y0) - (x0 - places[start:end]) * (height - y0))
        chosen[bucket + 1] = start + int(areas.argmax())
    return chosen


def told(curve: Curve, most: int) -> dict[str, list[float]]:
    """A curve's columns, thinned."""
    columns = {name: np.array(curve.columns[name]) for name in COLUMNS}
    places = thinned(columns["nats"], most)
    digits = {"nats": 5, "epoch": 5, "seconds": 2}
    return {name: np.round(values[places], digits.get(name, 0)).tolist() for name, values in columns.items()}


class Curves:
    """The curves of runs by name, read a little at each request, so that none waits long.

    >>> found = Curves().of({"gru": run}, most=60)  # doctest: +SKIP
    >>> found["gru"]["valid"]["nats"][-1], found["gru"]["whole"]  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followed: dict[str, Following] = {}
        self._told: dict[tuple[str, int], dict[str, Any]] = {}

    def follow(self, run: Run) -> Following:
        """The one reader of a run."""
        with self._lock:
            found = self._followed.setdefault(str(run.path), Following(run))
            while len(self._followed) > KEPT:
                gone = next(iter(self._followed))
                del self._followed[gone]
                self._told = {key: value for key, value in self._told.items() if key[0] != gone}
            return found

    def of(
        self, runs: Mapping[str, Run], most: int, have: Mapping[str, int] | None = None, seconds: float = 0.3
    ) -> dict[str, dict[str, Any]]:
        """Of each run `version`, `whole` (False: ask again, more is coming), and its curves `train` and `valid`.

        What the asker has already in this version (`have`) is left out. `seconds` bound the reading.
        """
        deadline, found = time.monotonic() + seconds, {}
        for name, run in runs.items():
            follower = self.follow(run)
            left = deadline - time.monotonic()
            whole = left > 0 and follower.read(left)  # the next request goes on
            with follower.lock:
                version = follower.version
                if have is not None and have.get(name) == version and whole:
                    continue
                found[name] = {**self._thin(follower, most), "whole": whole, "last": follower.last}
        return found

    def _thin(self, follower: Following, most: int) -> dict[str, Any]:
        key = str(follower.path.parent), most
        known = self._told.get(key)
        if known is None or known["version"] != follower.version:
            curves = {name: told(curve, most) for name, curve in follower.curves.items()}
            known = self._told[key] = {"version": follower.version, **curves}
        return known


def points_asked(given: str | None, default: int = 400) -> int:
    """How many points a page asked for: 10 to 2,000."""
    try:
        return min(2000, max(10, int(given or default)))
    except ValueError:
        return default


def versions_asked(names: Sequence[str], given: Sequence[str]) -> dict[str, int]:
    """Which version of each curve a page has."""
    return {name: int(version) for name, version in zip(names, given, strict=False) if version.isdecimal()}
