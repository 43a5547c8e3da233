"""What every view gives: arrays whose axes have names, a few single facts, and the same as JSON and CSV.

JSON      {"view": ..., "facts": {...}, "arrays": {name: {"axes", "labels", "unit", "values"}}}; null where a value is
          not known, or not finite
CSV       one line a value: the array's name, a column with the place (from 0) for each axis that any array has, a
          column with the place's label where the axis has labels, the value
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassloom.exhibits import Exhibit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """An array with a name for each axis and, for some axes, a label for each place along it.

    >>> one = Labelled("bits", ("token",), np.array([1.0, np.nan]), {"token": ("a", "b")}, unit="bits")
    >>> one.as_dict()["values"]
    [1.0, None]
    """

    name: str
    axes: tuple[str, ...]
    values: NDArray[Any]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        assert self.values.ndim == len(self.axes), f"{self.name}: one name an axis"
        for axis, names in self.labels.items():
            assert self.values.shape[self.axes.index(axis)] == len(names), f"{self.name}: one label a place of {axis}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        labels = {axis: list(names) for axis, names in self.labels.items()}
        return {"axes": list(self.axes), "labels": labels, "unit": self.unit, "values": plain(self.values.tolist())}


class View:
    """What a view found. A subclass is a frozen dataclass; `arrays` are its numbers, `exhibits` what a page shows."""

    view: ClassVar[str]
    """The name that it is asked for by."""

    def facts(self) -> dict[str, Any]:
        """Single numbers and words: what was looked at, and how."""
        return {}

    def arrays(self) -> Sequence[Labelled]:
        """Every array, by a name of its own."""
        raise NotImplementedError

    def exhibits(self) -> list[Exhibit]:
        """The same for a page: nothing is drawn here."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as `to_json` writes it."""
        arrays = {array.name: array.as_dict() for array in self.arrays()}
        return {"view": self.view, "facts": plain(self.facts()), "arrays": arrays}

    def to_json(self) -> str:
        """All arrays and facts as JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """All arrays in one table, a line a value."""
        arrays = self.arrays()
        axes = list(dict.fromkeys(axis for array in arrays for axis in array.axes))
        labelled = {axis for array in arrays for axis in array.labels}
        head = [name for axis in axes for name in ([axis, f"{axis} label"] if axis in labelled else [axis])]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["array", *head, "value", "unit"])
        for array in arrays:
            for place in np.ndindex(array.values.shape):
                at = dict(zip(array.axes, place, strict=True))
                cells: list[Any] = [array.name]
                for axis in axes:
                    cells.append(at.get(axis, ""))
                    if axis in labelled:
                        cells.append(array.labels[axis][at[axis]] if axis in at and axis in array.labels else "")
                value = plain(array.values[place])
                writer.writerow([*cells, "" if value is None else value, array.unit])
        return out.getvalue()


def plain(value: Any) -> Any:
    """The same with None for every number that is not finite, lists for tuples, and Python's own numbers."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
