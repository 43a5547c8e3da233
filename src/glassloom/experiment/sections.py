"""The page of a recipe, section by section, every exhibit under a name of its own."""

import dataclasses
from collections.abc import Mapping, Sequence

from glassloom.comparison import Comparison
from glassloom.errors import GlassloomError, StorageError, notice
from glassloom.exhibits import Exhibit, Prose
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.shows.keeping import slug
from glassloom.experiment.targets import Reached, targets_table
from glassloom.recipes import Recipe, Shown
from glassloom.report import Section, copies, tables
from glassloom.report.figures import NAMES

OF_A_PART = (*NAMES, *copies.NAMES, *tables.NAMES, "results")
"""The figures and tables of a part's comparison, and its CSV; before each stands the part's name and a hyphen."""
OF_THE_PAGE = ("targets", "left-out")


def taken_names(recipe: Recipe) -> set[str]:
    """The names that the page gives itself."""
    own = {f"{part.name}-{name}" for part in recipe.part for name in OF_A_PART}
    return {*OF_THE_PAGE, *own, *(f"section-{part.name}" for part in recipe.part)}


def shown_of(entry: Shown, experiment: Experiment) -> list[Exhibit]:
    """What an entry of the page shows; where that cannot be shown, why."""
    try:
        return SHOWS[entry.show](experiment, **entry.arguments)
    except StorageError:
        raise
    except GlassloomError as error:
        notice(f"The show {entry.show} is left out of the page. {error}")
        name = str(entry.arguments.get("name", entry.show))
        return [Prose(name=name, title=f"{entry.show}: cannot be shown", paragraphs=(str(error),))]


def page_sections(
    recipe: Recipe,
    comparisons: Mapping[str, Comparison],
    shown: Sequence[tuple[Shown, list[Exhibit]]],
    reached: Sequence[Reached],
    left_out: Sequence[str],
) -> list[Section]:
    """The page: the targets and what was left out; each part with what belongs to it; the rest."""
    names = Names(recipe)
    shown = [(entry, names.of(entry, exhibits)) for entry, exhibits in shown]
    first: list[Exhibit] = [targets_table(list(reached))] if reached else []
    if left_out:
        first.append(Prose(name="left-out", title="What this version left out", paragraphs=tuple(left_out)))
    sections = [names.section("Reported, asked for, reached", first)] if first else []
    for part in recipe.part:
        own = [exhibit for entry, exhibits in shown if entry.part == part.name for exhibit in exhibits]
        if part.name in comparisons:
            sections.append(
                Section(
                    name=part.name, title=part.title, about=part.about, exhibits=tuple(own),
                    comparison=comparisons[part.name],
                )
            )  # fmt: skip
    for entry, exhibits in shown:
        if entry.part:
            continue
        if entry.section or not sections:
            sections.append(names.section(entry.section or recipe.title, exhibits))
        else:
            last = sections.pop()
            sections.append(dataclasses.replace(last, exhibits=(*last.exhibits, *exhibits)))
    return [section for section in sections if section.exhibits or section.comparison]


class Names:
    """Gives every exhibit and section a name that files can have and nothing else on the page has."""

    def __init__(self, recipe: Recipe) -> None:
        asked = {entry.arguments["name"] for entry in recipe.page if "name" in entry.arguments}
        self.taken = taken_names(recipe) | asked

    def of(self, entry: Shown, exhibits: Sequence[Exhibit]) -> list[Exhibit]:
        """The exhibits of an entry; the one that has the name that was asked for keeps it."""
        asked = entry.arguments.get("name")
        found: list[Exhibit] = []
        for exhibit in exhibits:
            keeps = exhibit.name == asked and asked not in [other.name for other in found]
            found.append(exhibit if keeps else dataclasses.replace(exhibit, name=self.free(exhibit.name)))
        return found

    def section(self, title: str, exhibits: Sequence[Exhibit]) -> Section:
        """A section of exhibits alone."""
        name = self.free(f"section-{slug(title) or 'untitled'}").removeprefix("section-")
        return Section(name=name, title=title, exhibits=tuple(exhibits))

    def free(self, name: str) -> str:
        """The name, or the first of NAME-2, NAME-3, ... that is free."""
        plain, number = slug(name) or "exhibit", 1
        found = plain
        while found in self.taken:
            number += 1
            found = f"{plain}-{number}"
        self.taken.add(found)
        return found
