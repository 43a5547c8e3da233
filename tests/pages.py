"""Pages of exhibits for tests: every kind, with numbers that can be followed by hand."""

from typing import Any

from comparisons import ENGLISH, HEBREW, made_up
from glassloom.exhibits import (
    Axis,
    Bar,
    Bars,
    Coloured,
    Column,
    Exhibit,
    Lines,
    Matrices,
    Matrix,
    Parallel,
    Piece,
    Point,
    Points,
    Prose,
    Scale,
    Series,
    Strand,
    Table,
    Text,
    Texts,
)
from glassloom.report import Page, Section


def prose(name: str = "answer", text: str = "Yes: 3.0733 nats a sequence.") -> Prose:
    return Prose(name=name, title=text, caption=text, paragraphs=(text, "Nothing is left."))


def table(name: str = "results", text: str = "gru") -> Table:
    return Table(
        name=name, title=f"Settings {text}", caption=text, bold=(1,),
        columns=(Column(text, numeric=False), Column("perplexity", ",.2f"), Column("difference", "+.1%"), Column("lr")),
        rows=(("3.1a", 1234.567, -0.0123, 1e-3), (text, 126.0, None, 1.0), ("3.1c", float("inf"), 0.5, "diverged")),
    )  # fmt: skip


def lines(name: str = "curves", text: str = "3.1a") -> Lines:
    x = (1.0, 2.0, 3.0, 4.0)
    return Lines(
        name=name, title=f"Learning {text}", caption=text, x=Axis("epoch"), y=Axis("perplexity", log=True),
        series=(
            Series(name=f"{text} · valid", x=x, y=(400.0, 200.0, None, 150.0)),
            Series(name=f"{text} · train", x=x, y=(300.0, 150.0, 100.0, 0.0), dashed=True),
            Series(name="gru · valid", x=x, y=(350.0, 180.0, 140.0, 130.0), low=(340.0,) * 4, high=(360.0,) * 4),
        ),
        marks={f"Kneser-Ney {text}": 147.7, "uniform": 1e9},
    )  # fmt: skip


def bars(name: str = "excess", text: str = "ndfa") -> Bars:
    return Bars(
        name=name, title=f"Excess {text}", caption=text, value=Axis("nats a sequence"), marks={text: 0.02},
        bars=(Bar(label=text, value=0.013, group="gru"), Bar(label=text, value=None, group="rnn"),
              Bar(label="toy", value=-0.05, group="gru"), Bar(label="toy", value=0.12, group=text)),
    )  # fmt: skip


def matrix(title: str = "head 1", text: str = "a") -> Matrix:
    values = ((0.0, 0.25, None), (1.0, 0.5, 2.0))
    return Matrix(title=title, rows=(text, "b"), columns=("x", " ", text), values=values)


def matrices(name: str = "attention", count: int = 3, text: str = "a", **changes: Any) -> Matrices:
    return Matrices(
        name=name, title=f"Attention {text}", caption=text, row_axis=f"query {text}", column_axis="key",
        matrices=tuple(matrix(f"head {place} {text}", text) for place in range(1, count + 1)), **changes,
    )  # fmt: skip


def texts(name: str = "samples", text: str = HEBREW[2]) -> Texts:
    return Texts(
        name=name, title=f"Samples {text[:3]}", caption=text,
        texts=(
            Text(label=text, prompt=HEBREW[0], text=text, truth=text + HEBREW[1], note=text, marked=((0, 3), (2, 5))),
            Text(label="long", prompt=ENGLISH[0], text="to  be\nor " * 200, truth=ENGLISH[1]),
            Text(label="alone", text="nothing before it"),
        ),
    )  # fmt: skip


def coloured(name: str = "coloured", text: str = "to be") -> Coloured:
    pieces = (Piece(text=text, value=0.5, note=text), Piece(text="\n", value=None), Piece(text="or", value=-2.0))
    return Coloured(name=name, title=f"Coloured {text}", caption=text, texts={text: pieces, "other": pieces[1:]},
                    unit="bits", low=-1.0)  # fmt: skip


def points(name: str = "points", text: str = "a") -> Points:
    return Points(
        name=name, title=f"Points {text}", caption=text, x=Axis(f"first {text}"), y=Axis("second"),
        points=(Point(label=text, x=0.5, y=-1.0, group="letters"), Point(label="b", x=1.0, y=2.0, group=text)),
    )  # fmt: skip


def parallel(name: str = "parallel", text: str = "a") -> Parallel:
    scales = (Scale(title=f"lr {text}", log=True), Scale(title="norm", choices=(text, "post")), Scale(title="loss"))
    strands = (
        Strand(label=text, values=(0.001, text, 1.5), group="best"),
        Strand(label="b", values=(0.1, "post", None), group=text),
    )
    return Parallel(name=name, title=f"Choices {text}", caption=text, scales=scales, strands=strands)


def every_kind(text: str = "3.1a") -> tuple[Exhibit, ...]:
    return (prose(text=text), table(text=text), lines(text=text), bars(text=text), matrices(text=text),
            matrices("one", 1, text), texts(text=text + " of what it wrote"), coloured(text=text),
            points(text=text), parallel(text=text))  # fmt: skip


def page(*exhibits: Exhibit, text: str = "A page", compared: bool = False) -> Page:
    whole = made_up(seeds=1, points=6, models=("gru", "rnn"), diverged=False) if compared else None
    return Page(
        title=text, about=text, date="2026-11-21T09:00:00+00:00", command=f"glassloom run {text}",
        sections=(Section(title="Words", about=f"Of words {text}.", comparison=whole),
                  Section(title=text, name="exhibits", exhibits=exhibits)),
        environment={text: text}, downloads={"rows.csv": text},
    )  # fmt: skip
