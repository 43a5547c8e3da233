"""`glassloom corpora [NAME]`: the texts and languages that have a name, or the facts of one text."""

from typing import Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import flags_of, given
from glassloom.cli.options import COMMAND, DEBUG, JSON
from glassloom.cli.output import print_json, say, table
from glassloom.cli.tables import baselines_table
from glassloom.data.settings import DataSettings

Text: Any = flags_of(DataSettings, "data")
NOTHING_GIVEN = Text()


def corpora(
    name: str | None = None,
    /,
    *,
    baselines: Annotated[
        bool, Parameter(help="Compute the baselines, which can take half a minute.", group=COMMAND)
    ] = True,
    json: JSON = False,
    debug: DEBUG = False,
    text: Annotated[Text, Parameter(name="*")] = NOTHING_GIVEN,
) -> None:
    """List the texts and languages that have a name or, given one (or a path), describe it.

    Parameters
    ----------
    name
        A listed name, a file, a folder, or - for standard input.
    """
    if name is None:
        show_listing(json)
        return
    from glassloom.api import describe_corpus

    facts = describe_corpus(name, given(text), with_baselines=baselines)
    if json:
        print_json(facts)
        return
    say(f"{facts['name']}: {facts['source']}")
    say(f"{facts['tokenizer']}, vocabulary {facts['vocabulary']:,}; {facts['split_rule']}; SHA-256 {facts['sha256']}")
    sizes = [[split, *(f"{size[unit]:,}" for unit in UNITS)] for split, size in facts["sizes"].items()]
    say(table(sizes, ["", *UNITS]))
    if "entropy_nats_per_sequence" in facts:
        say(f"entropy: {facts['entropy_nats_per_sequence']:.5f} nats a sequence (exact)")
    if "derivational_entropy_nats_per_sequence" in facts:
        bound = facts["derivational_entropy_nats_per_sequence"]
        example = facts.get("ambiguous_string")
        why = f"{example!r} has two derivations" if example else "not shown to be unambiguous"
        say(f"entropy: at most {bound:.5f} nats a sequence, that of the derivation ({why})")
    if facts["baselines"]:
        say("\nbaselines on valid")
        say(baselines_table({}, facts["baselines"]))


UNITS = ("tokens", "characters", "bytes")


def show_listing(as_json: bool) -> None:
    """Every listed corpus."""
    from glassloom.data.corpora import listing

    rows = listing()
    if as_json:
        print_json({"corpora": rows})
        return
    texts = [row for row in rows if row["status"] != LANGUAGE]
    say(
        table(
            [[row["name"], size(row["bytes"]), row["splits"], row["tokenizer"], "yes" if row["at_hand"] else "download",
              f"{row['what']} ({row['status']})"] for row in texts],
            ["text", "size", "splits", "read as", "at hand", "what"], texts=(0, 2, 3, 4, 5),
        )
    )  # fmt: skip
    say()
    say(
        table(
            [[row["name"], f"{row['entropy_nats_per_sequence']:.5f}", f"{row['mean_length']:.2f}", row["what"]]
             for row in rows if row["status"] == LANGUAGE],
            ["language", "entropy, nats", "mean length", "what"], texts=(0, 3),
        )
    )  # fmt: skip
    say("\nEvery string of a language has a known probability; entropies are exact, of a string; --samples is how")
    say("many are drawn. A language of your own is a file that ends in .grammar (docs/languages.md), or a class.")


def size(count: int | None) -> str:
    """Bytes in millions; a dash where nobody has published them."""
    return f"{count / 1e6:.1f} MB" if count else "-"


LANGUAGE = "formal language"
"""The status of a listed language."""
