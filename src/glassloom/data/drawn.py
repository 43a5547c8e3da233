"""Texts that are drawn from a formal language: a listed one, a grammar file, or a Language from Python."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glassloom.data.languages import LANGUAGES, Language, WrittenLanguage, read_grammar
from glassloom.data.settings import DataSettings
from glassloom.data.sources import SPLITS, Piece, Source
from glassloom.errors import InputError, nearest


def grammar_source(path: Path, settings: DataSettings) -> Source:
    """Strings drawn from the language of a grammar file."""
    return language_source(read_grammar(path), settings, str(path))


def language_source(language: Language, settings: DataSettings, where: str | None = None) -> Source:
    """Strings drawn from a language; train, valid and test are drawn independently."""
    counts = {"train": settings.samples, "valid": settings.samples // 10, "test": settings.samples // 10}

    def sampler(place: int, count: int) -> Callable[[], list[str]]:
        def sample() -> list[str]:
            return language.sample(count, np.random.Generator(np.random.PCG64([settings.language_seed, place])))

        return sample

    pieces = tuple(
        Piece(split, sampler(place, counts[split]), split=split, items=True) for place, split in enumerate(SPLITS)
    )
    drawn = ", ".join(f"{counts[split]:,} for {split}" for split in SPLITS)
    facts = language_facts(language)
    listed = LANGUAGES.get(language.name) is language
    return Source(
        language.name,
        where or f"the formal language {language.name}",
        pieces,
        key=["language", language.entropy_nats, *LANGUAGES.code(language.name)] if listed else None,
        split_rule=f"strings drawn independently: {drawn}",
        sequences="lines",
        entropy_nats=facts.get("entropy_nats_per_sequence"),
        language=facts,
    )


def language_facts(language: Language) -> dict[str, Any]:
    """What a corpus and a run remember of the language that they were drawn from, as plain data.

    The entropy, or, where it is not known exactly, the derivation's, which bounds it from above; a string with two
    derivations, where one was found; the grammar's own text, so that the run's folder needs no other file.
    """
    facts: dict[str, Any] = {"language": language.name, "definition": language.definition}
    if language.exact_entropy:
        facts["entropy_nats_per_sequence"] = language.entropy_nats
    else:
        facts["derivational_entropy_nats_per_sequence"] = language.entropy_nats
    if isinstance(language, WrittenLanguage):
        facts |= {"grammar": language.text}
        if language.ambiguous_string is not None:
            facts["ambiguous_string"] = language.ambiguous_string
    return facts


def language_of(facts: Mapping[str, Any]) -> Language:
    """The language that a corpus was drawn from, by what it says of itself (`Corpus.describe`, `Run.corpus`).

    >>> language_of({"language": "ndfa"}).contains("ss")
    True

    Raises:
        InputError: the text is none of a language, or of one that was defined in Python (give it as such).
    """
    name = facts.get("language")
    if name is None and "entropy_nats_per_sequence" in facts:  # a run from before this was written down
        name = facts.get("name")
    if name is not None and "grammar" in facts:
        return WrittenLanguage(str(name), str(facts["grammar"]))
    if name is not None and name in LANGUAGES:
        return LANGUAGES[name]
    if name is None:
        raise InputError(
            f"The text {facts.get('name', 'of this run')} was not drawn from a formal language",
            "a run on a language, of which everything is known",
            "train on one: glassloom corpora lists them",
        )
    raise InputError(
        f"The language {name} was defined in Python and is not listed", "the Language itself", nearest(name, LANGUAGES)
    )
