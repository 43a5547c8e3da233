"""`glassloom doctor --explain NAME`: a page on each finding's name, from the Markdown files beside this one.

Every page has the parts that `PARTS` names. Where its snippets are Python, the wrong one is code that has the fault,
the lines that are marked `# here` are the fault, and the right one stands in their place.
"""

from functools import cache
from importlib.resources import files

from glassloom.doctor.additions import FINDINGS, Check
from glassloom.doctor.names import Entry
from glassloom.doctor.run_names import RUN_NAMES
from glassloom.errors import SettingError, nearest

PARTS = (
    "How it is measured",
    "What it looks like",
    "Wrong and right",
    "When it is no fault",
    "Further reading",
)
"""The headings of every page, in order; what stands before the first says what it is."""


def names() -> dict[str, Entry]:
    """Every name of a finding: those of anybody's code, then those of a run's history, then those that packages add.

    >>> names()["no-past"].title
    'A prediction depends on the current token only'
    """
    return dict(FINDINGS)


@cache
def page(name: str) -> str:
    """The page on a name, as Markdown.

    >>> page("no-past").splitlines()[0]
    '# no-past'

    Raises:
        SettingError: no finding is called so; the nearest name is offered.
    """
    if name not in names():
        raise SettingError(f"No finding is called {name}", "a name of the doctor's", nearest(name, names()))
    entry = names()[name]
    if isinstance(entry, Check):
        return entry.page or f"# {name}\n\n**{entry.title}.** {entry.means}\n\n## What to do\n\n{entry.fix}\n"
    return (files("glassloom.doctor") / "pages" / f"{name}.md").read_text(encoding="utf-8")


def parts(name: str) -> dict[str, str]:
    """A page cut at its headings; what stands before the first is under the empty heading."""
    title, *rest = page(name).split("\n## ")
    found = {"": title.split("\n", 1)[1].strip()}
    return found | {head: text.strip() for head, _, text in (part.partition("\n") for part in rest)}


def snippets(name: str) -> tuple[str, str]:
    """The wrong code of a page, and the same with its marked lines replaced by the right ones.

    >>> wrong, right = snippets("gradients-not-zeroed")
    >>> "zero_grad" in wrong, "zero_grad" in right
    (False, True)
    """
    fenced = parts(name)["Wrong and right"].split("```")
    wrong, mended = (block.partition("\n")[2] for block in fenced[1::2])
    kept, done = [], False
    for line in wrong.splitlines():
        if not line.endswith("# here"):
            kept.append(line)
        elif not done:
            kept.append(mended.rstrip("\n"))
            done = True
    return wrong, "\n".join(kept) + "\n" if done else mended


def listing() -> str:
    """Every name with its title, a line each.

    >>> listing().splitlines()[0].split()[0]
    'softmax-before-loss'
    """
    longest = max(map(len, names()))
    return "\n".join(f"{name:<{longest}}  {entry.title}" for name, entry in names().items())


def table() -> str:
    """Every name with its title and page, as the Markdown table of docs/doctor.md."""
    lines = ["| name | means |", "|---|---|"]
    for name in FINDINGS.own:
        where = f"[`{name}`](../src/glassloom/doctor/pages/{name}.md)"
        lines.append(f"| {where}{' (runs)' if name in RUN_NAMES else ''} | {FINDINGS[name].title} |")
    return "\n".join(lines)
