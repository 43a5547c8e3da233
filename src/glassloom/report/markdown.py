"""A report as Markdown: pipe tables, pictures beside it, every text escaped."""

import re

from glassloom.comparison import table_as_markdown
from glassloom.comparison.formats import markdown
from glassloom.comparison.wording import visible
from glassloom.report.blocks import Block, Code, Facts, Grid, Heading, Paragraph, Picture, Quote


def as_markdown(title: str, blocks: list[Block]) -> str:
    """The whole document; its pictures are `figures/NAME.svg`."""
    return "\n\n".join([f"# {markdown(title)}", *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * (block.level + 1)} {markdown(block.text)}"
        case Paragraph():
            return markdown(block.text)
        case Grid():
            return f"**{markdown(block.title)}**\n\n{table_as_markdown(block.table).rstrip()}"
        case Picture():
            words = markdown(" ".join((block.title + ".", *block.words)))
            return f"![{words}](figures/{block.name}.svg)\n\n**{markdown(block.title)}.** {markdown(block.caption)}"
        case Quote():
            return f"**{markdown(block.label)}**\n\n{fenced(block.prompt + ' ⟨…⟩ ' + block.text)}"
        case Code():
            return fenced(block.text)
        case Facts():
            return "\n".join(f"- *{markdown(name)}*: {markdown(value)}" for name, value in block.lines.items())


def fenced(text: str) -> str:
    """Text as it is, between fences that are longer than any in it.

    >>> print(fenced("a" + chr(10) + "```"))
    ````
    a
    ```
    ````
    """
    ticks = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}\n{visible(text)}\n{fence}"
