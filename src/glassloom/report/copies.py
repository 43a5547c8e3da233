"""The memorisation meter of a comparison as figures: how much of the samples stands in the training text."""

import statistics
from collections.abc import Callable

from glassloom.comparison import Comparison
from glassloom.comparison.results import Copies
from glassloom.exhibits import Axis, Lines, Series
from glassloom.report.drawing import show
from glassloom.report.figures import Figure

NAMES = ("copies-longest", "copies-share")


def copies_figures(comparison: Comparison) -> list[Figure]:
    """The same, drawn."""
    return [figure for exhibit in copies_exhibits(comparison) if (figure := show(exhibit).figure) is not None]


def copies_exhibits(comparison: Comparison) -> list[Lines]:
    """The longest copy and the share copied over training, beside held-out text, which nobody copied, if any."""
    found = [copies for copies in comparison.copies if len(copies.steps) > 1]
    if not found:
        return []
    unit, least = found[0].unit, found[0].at_least

    def lines(name: str, title: str, caption: str, axis: str, of: Callable[[Copies], tuple[float, ...]]) -> Lines:
        real = [value for one in found if (value := getattr(one, f"held_out_{name}")) is not None]
        marks = {"held-out text": statistics.fmean(real)} if real else {}
        return Lines(
            name=f"copies-{name}", title=title, caption=caption, x=Axis("updates"), y=Axis(axis), marks=marks,
            series=tuple(Series(name=one.id, x=one.steps, y=of(one)) for one in found),
        )  # fmt: skip

    beside = (
        "The line: held-out text of the same lengths, which nobody copied, so that common phrases do not count."
        if any(one.held_out_share is not None for one in found)
        else "Nothing was held out to compare with: common phrases count, too."
    )
    return [
        lines(
            "longest", "Longest copy from the training text",
            f"The longest stretch of the sample at that update that stands in the training text. {beside}",
            unit, lambda one: tuple(float(length) for length in one.longest),
        ),
        lines(
            "share", "Share of the samples that is copied",
            f"In stretches of at least {least} {unit} that stand word for word in the training text. {beside}",
            f"share of {unit}", lambda one: one.share,
        ),
    ]  # fmt: skip
