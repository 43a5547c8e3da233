"""A language that somebody writes down: a `.grammar` file, and what follows from it.

    # any number of a, and as many b            (the first comment says what it is)
    S -> a S b [0.4] | a b [0.6]

A symbol that stands on a left side has rules; the first one is the start. Anything else is written as it stands, or
in quotes where it holds a space, a bracket, a bar or a capital letter in front: " ", "[", 'Anna'. "" is nothing. Each
option may end in its probability; without any, the options of a symbol are equally probable. A line that begins with |
goes on with the options of the line above. `separator " "` puts a space between all words.
"""

import math
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from glassloom.data.languages.earley import Chart, Column
from glassloom.data.languages.grammar import Grammar, Rule
from glassloom.data.languages.language import END, Following, Language, State, chances_from
from glassloom.data.languages.proper import proper
from glassloom.data.languages.unambiguous import is_deterministic
from glassloom.errors import CorpusError, nearest

SUFFIX = ".grammar"
PIECE = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?P<arrow>->)|(?P<bar>\|)|\[(?P<share>[^\]]*)\]|(?P<bare>[^\s"'|\[\]]+)"""
)
SYMBOL = "\0"
"""Stands before a symbol's name in the grammar, so that text in quotes is never taken for a symbol."""
TRIED = 500
"""So many derivations are looked at for one whose string has another derivation, too."""


class WrittenLanguage(Language):
    """The language of a grammar; its states are the columns of a parser, so every probability is exact.

    >>> mine = WrittenLanguage("mine", "S -> a S b [0.4] | a b [0.6]")
    >>> mine.next_distribution("aab"), mine.exact_entropy
    ({'b': 1.0}, True)

    Raises:
        CorpusError: the text is no grammar; the line is named.
    """

    remembered = 5_000

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.grammar: Grammar = Reading(name, text).grammar()
        comment = next((line.strip()[1:].strip() for line in text.splitlines() if line.strip().startswith("#")), "")
        self.definition = comment or f"the grammar {name}"

    @cached_property
    def exact_entropy(self) -> bool:  # type: ignore[override]
        """Whether the grammar was shown to be unambiguous, so that the derivation's entropy is the string's."""
        return is_deterministic(self.grammar)

    @cached_property
    def entropy_nats(self) -> float:
        """The entropy of the derivation: the string's own where `exact_entropy`, else at least as much."""
        return self.grammar.derivational_entropy_nats

    @cached_property
    def mean_length(self) -> float:
        return self.grammar.mean_length

    @cached_property
    def ambiguous_string(self) -> str | None:
        """A string with more than one derivation, the shortest of those found in a few hundred samples."""
        chances = chances_from(np.random.default_rng(0))
        found = []
        for _ in range(0 if self.exact_entropy else TRIED):
            words, nats = self.grammar.derive(chances)
            string = self.grammar.separator.join(words)
            if len(string) <= 200 and self.log_probability(string) > nats + 1e-9:
                found.append(string)
        return min(found, key=len, default=None)

    def begin(self) -> State:
        return None

    def following(self, state: State) -> Following:
        share = 1.0
        if state is None:
            share, column = 1 - self._empty, self._first
        else:
            assert isinstance(state, tuple)
            column = self._chart.after(*state)
        following: Following = {
            character: (share * probability, (column, character))
            for character, probability in (column.following() if column else {}).items()
        }  # fmt: skip
        ended = column.ended * share if column else 0.0
        ended += self._empty if state is None else 0.0
        return {**following, END: (ended, state)} if ended else following

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` strings, each derived by the rules themselves."""
        chances = chances_from(rng)
        return [self.grammar.string(chances) for _ in range(count)]

    @cached_property
    def _chart(self) -> Chart:
        return Chart(proper(self.grammar))

    @property
    def _empty(self) -> float:
        return self._chart.grammar.empty

    @cached_property
    def _first(self) -> Column | None:
        if not self._chart.grammar.rules:
            return None
        column = self._chart.first()
        for character in self.grammar.separator:
            column = self._chart.after(column, character)
        return column


def read_grammar(path: Path) -> WrittenLanguage:
    """The language of a `.grammar` file. Raises CorpusError naming the line that cannot be used."""
    try:
        return WrittenLanguage(path.stem, path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", "a grammar file", "give another file") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 at byte {error.start}", "a grammar in UTF-8", "save it so") from None


class Reading:
    """A grammar as it is read, line by line; every complaint names its line."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.separator = name, ""
        self.options: dict[str, list[tuple[float | None, list[tuple[str, str]]]]] = {}
        self.lines: dict[str, int] = {}
        self.bare: dict[str, int] = {}
        symbol = None
        for number, line in enumerate(text.splitlines(), 1):
            pieces = list(self.pieces(number, line))
            if pieces[:1] == [("bare", "separator")] and len(pieces) == 2 and pieces[1][0] == "quoted":
                self.separator = pieces[1][1]
            elif pieces:
                symbol = self.rule(number, pieces, symbol)

    def wrong(self, number: int, what: str, expected: str, fix: str) -> CorpusError:
        """The error for a line."""
        return CorpusError(f"Line {number} of the grammar {self.name}: {what}", expected, fix)

    def pieces(self, number: int, line: str) -> Iterator[tuple[str, str]]:
        """The pieces of a line, each with its kind; nothing of a comment."""
        place, line = 0, line.rstrip()
        while place < len(line):
            if line[place].isspace():
                place += 1
                continue
            if line[place] == "#" and (place == 0 or line[place - 1].isspace()):
                return
            found = PIECE.match(line, place)
            if found is None:
                raise self.wrong(number, f"{line[place:]!r} is not closed", "both quotes, both square brackets",
                                 "close it, or put the sign itself in quotes")  # fmt: skip
            kind = str(found.lastgroup)
            yield kind, found[kind][1:-1] if kind == "quoted" else found[kind]
            place = found.end()

    def rule(self, number: int, pieces: list[tuple[str, str]], before: str | None) -> str:
        """One line of options; the symbol that they belong to."""
        kinds = [kind for kind, _ in pieces]
        if kinds[0] == "bar" and before is not None:
            symbol, rest = before, pieces[1:]
        elif kinds[:2] == ["bare", "arrow"]:
            symbol, rest = pieces[0][1], pieces[2:]
        else:
            raise self.wrong(number, "this is no rule", "a symbol, ->, and what it becomes: S -> a S b | a b",
                             "write it so, or put # in front of a remark")  # fmt: skip
        self.lines.setdefault(symbol, number)
        options = self.options.setdefault(symbol, [])
        parts: list[tuple[str, str]] = []
        share: float | None = None
        for kind, piece in [*rest, ("bar", "|")]:
            if kind == "arrow":
                raise self.wrong(number, "a second -> in one line", "one rule a line", "begin a new line")
            if kind == "bar":
                if not parts:
                    raise self.wrong(number, f"an option of {symbol} is empty", "symbols or text",
                                     'write "" for nothing')  # fmt: skip
                options.append((share, parts))
                parts, share = [], None
                continue
            if share is not None:
                raise self.wrong(number, f"{piece!r} stands behind a probability", "the probability last",
                                 "write a S b [0.4]")  # fmt: skip
            if kind == "share":
                share = self.probability(number, piece)
                continue
            parts.append((kind, piece))
            if kind == "bare":
                self.bare.setdefault(piece, number)
        return symbol

    def probability(self, number: int, text: str) -> float:
        """What stands in square brackets."""
        try:
            share = float(text)
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:
            raise self.wrong(number, f"[{text}] is no probability", "a number above 0 and at most 1",
                             "write [0.4], or quote a bracket that is text")  # fmt: skip
        return share

    def grammar(self) -> Grammar:
        """The whole, checked. Raises CorpusError naming the line."""
        if not self.options:
            raise CorpusError(
                f"The grammar {self.name} has no rule", "at least one, such as S -> a S b | a b", "write one"
            )
        for piece, number in self.bare.items():
            if piece[0].isupper() and piece not in self.options:
                hint = nearest(piece, self.options)
                raise self.wrong(number, f"{piece} has no rules", "rules for every symbol that begins with a capital",
                                 hint if hint.startswith("did") else f'write "{piece}" if it is text')  # fmt: skip
        start = next(iter(self.options))
        rules = {SYMBOL + symbol: self.shared(symbol) for symbol in self.options}
        grammar = Grammar(rules, self.separator)
        used = {part for options in rules.values() for _, parts in options for part in parts} | {grammar.start}
        for symbol in self.options:
            if SYMBOL + symbol not in used:
                raise self.wrong(self.lines[symbol], f"{symbol} is used nowhere", f"a use of it, or {start} first",
                                 "use it, or take its rules away")  # fmt: skip
        if grammar.growth >= 1 - 1e-9:
            raise self.wrong(self.lines[start], "a derivation has no mean length: it grows without end",
                             "symbols that become less than one symbol each, in the mean",
                             "make the options that end more probable")  # fmt: skip
        return grammar

    def shared(self, symbol: str) -> tuple[Rule, ...]:
        """The options of a symbol, their probabilities summing to 1."""
        options = [(share, self.resolved(parts)) for share, parts in self.options[symbol]]
        known = [share for share, _ in options if share is not None]
        if not known:
            return tuple((1 / len(options), parts) for _, parts in options)
        what = f"the probabilities sum to {sum(known):.6g}" if abs(sum(known) - 1) > 1e-6 else ""
        if len(known) < len(options):
            what = "some options have a probability and some have none"
        if what:
            raise self.wrong(self.lines[symbol], f"{symbol}: {what}", "probabilities that sum to 1, or none at all",
                             "change them")  # fmt: skip
        return tuple((share / sum(known), parts) for share, (_, parts) in zip(known, options, strict=True))

    def resolved(self, parts: list[tuple[str, str]]) -> tuple[str, ...]:
        """Symbols marked as such, text as it is, nothing left out."""
        return tuple(
            SYMBOL + piece if kind == "bare" and piece in self.options else piece for kind, piece in parts if piece
        )
