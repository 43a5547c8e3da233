"""What a page can show, as plain labelled numbers: whoever measures makes them, `report` alone draws them.

    Prose      sentences, computed                 Lines      curves over an axis
    Table      rows and columns                    Bars       one value a label, in groups
    Texts      samples, beside the truth           Matrices   small arrays with labelled rows and columns
    Parallel   many choices of several settings, each a line over all scales

>>> curve = Series(name="gru", x=(1, 2), y=(3.0, 2.0))
>>> as_dict(Lines(name="loss", title="Loss", x=Axis("epoch"), y=Axis("nats per token"), series=(curve,)))["kind"]
'Lines'
"""

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = str | float | int | bool | None
"""A cell of a table; None is shown as a dash: not measured."""


@dataclass(frozen=True)
class Axis:
    """What is drawn along an axis, its unit in the title."""

    title: str
    log: bool = False


@dataclass(frozen=True)
class Column:
    """A column's title, and how its numbers are written (a format specification: `.2f`, `,`)."""

    title: str
    format: str = ""
    numeric: bool = True


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """What all exhibits have: a name for its files (`[a-z0-9-]+`, unique on a page), a title, a caption."""

    name: str
    title: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Prose(Exhibit):
    """Sentences: an answer, a statement of what was left out."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table(Exhibit):
    """Rows under columns; `bold` names rows by number."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    bold: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Series:
    """One curve: as many y as x; a None interrupts it. `low` and `high` are a band around it.

    `name` is unique in its figure and reads "NAME · what", as in "3.1a · valid" and "3.1a · train". A solid and a
    dashed series of one NAME share its colour and its entry in the legend; where a NAME has several solid or several
    dashed ones ("gru · layer 1", "gru · layer 2") each has its own. A NAME that is an architecture has that
    architecture's colour. Without " · " the whole name is the NAME.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    dashed: bool = False
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lines(Exhibit):
    """Curves over one axis; `marks` are labelled horizontal lines (a baseline, a floor, a reported figure)."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value under a label; bars of one `group` share a colour."""

    label: str
    value: float | None
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Bars(Exhibit):
    """Values side by side, in the order given; `marks` as in Lines."""

    value: Axis
    bars: tuple[Bar, ...]
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A small array: `values[row][column]`; None is left blank."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Matrices(Exhibit):
    """Arrays side by side on one scale from `low` to `high`, with what the rows and the columns are.

    Values beyond the scale take its end. Where `low` < 0 < `high` the colours part at zero. One or two are drawn large
    with every label, more of them small; a click opens one. `unit` says what the values are.
    """

    row_axis: str
    column_axis: str
    matrices: tuple[Matrix, ...]
    low: float = 0.0
    high: float = 1.0
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """What a model wrote after a prompt, what really stands there, a remark; `marked` are stretches of `text`.

    `text` and `truth` go on where `prompt` ends. A stretch is (first character, one after its last). Texts of the same
    prompt and truth are shown together.
    """

    label: str
    text: str
    prompt: str = ""
    truth: str | None = None
    note: str = ""
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Texts(Exhibit):
    """Samples in the order given; where there are many of them they are `folded` away below their title."""

    texts: tuple[Text, ...]
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What one token adds to a text, its value (None: it has none), and what is said of it when it is pointed at."""

    text: str
    value: float | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Coloured(Exhibit):
    """A text whose tokens are coloured by their values, on one scale as in Matrices; `unit` says what the values are.

    `texts` are by label: several values of one text, or several texts.
    """

    texts: Mapping[str, tuple[Piece, ...]]
    unit: str
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One labelled point; points of one `group` share a colour."""

    label: str
    x: float
    y: float
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Points(Exhibit):
    """Labelled points in a plane."""

    x: Axis
    y: Axis
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One of several scales that lie side by side: of numbers, or of `choices` in their order."""

    title: str
    log: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Strand:
    """One line over all scales: a number, or one of the choices, for each of them; None leaves a gap."""

    label: str
    values: tuple[str | float | None, ...]
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Parallel(Exhibit):
    """Parallel coordinates (Inselberg 1985); strands of one `group` share a colour, the first group lies on top."""

    scales: tuple[Scale, ...]
    strands: tuple[Strand, ...]


KINDS: dict[str, type[Exhibit]] = {
    kind.__name__: kind for kind in (Prose, Table, Lines, Bars, Matrices, Texts, Coloured, Points, Parallel)
}


def as_dict(exhibit: Exhibit) -> dict[str, Any]:
    """Plain data with the `kind` first; what is not finite is None, for JSON has no infinity."""
    return {"kind": type(exhibit).__name__, **_plain(dataclasses.asdict(exhibit))}


def from_dict(data: Mapping[str, Any]) -> Exhibit:
    """The exhibit that `as_dict` made into plain data, which may have been through JSON since.

    >>> from_dict(as_dict(Prose(name="answer", title="Answer", paragraphs=("Yes.",)))).title
    'Answer'
    """
    made: Exhibit = _made(KINDS[data["kind"]], {name: value for name, value in data.items() if name != "kind"})
    return made


def _made(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if typing.get_origin(kind) is Mapping:
        of = typing.get_args(kind)[1]
        return {name: _made(of, item) for name, item in value.items()}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _made(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if isinstance(value, list):
        inner = typing.get_args(kind)
        kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        return tuple(_made(each, item) for each, item in zip(kinds, value, strict=True))
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
