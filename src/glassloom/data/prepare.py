"""From a source to ids on disk, in two passes and bounded memory.

The first pass reads the text, hashes and counts it, and notes its symbols: from that follow the splits and, with the
train split, the tokenizer. The second encodes chunk by chunk into files. Both are saved from being done again: what a
file's size, times and inode led to is remembered, and so is what a text's hash led to.
"""

import hashlib
import re
import shutil
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from glassloom.data.corpus import Corpus, Split
from glassloom.data.reading import Reader, Scan
from glassloom.data.settings import DataSettings
from glassloom.data.sources import SPLITS, Progress, Source, say_all
from glassloom.data.spelling import Ledger, Spelling
from glassloom.data.store import cache_folder, locked, new_folder, read_json, seal, sealed_facts, storing, write_json
from glassloom.data.tokenizers import TOKENIZERS, Evidence, Tokenizer, find_tokenizer, open_tokenizer
from glassloom.data.tokenizers.base import MARKS, canonical, symbol_name
from glassloom.errors import CorpusError, TokenizerError

VERSION = 1
"""Part of every fingerprint: raised when the same text would give other ids."""

FINGERPRINT = re.compile("[0-9a-f]{64}")
SETTLED_NANOSECONDS = 2_000_000_000
"""A file changed less than that before it was seen may change again without its time changing."""


SplitFacts = dict[str, dict[str, Any]]
"""By split: tokens, characters, bytes, of sequences how many, and what its words outside the vocabulary cost."""

LANGUAGE_FACTS = (
    "language", "definition", "entropy_nats_per_sequence", "derivational_entropy_nats_per_sequence", "grammar",
    "ambiguous_string",
)  # fmt: skip
"""What a corpus remembers of a formal language; see `glassloom.data.drawn.language_facts`."""


def prepare(
    source: Source,
    settings: DataSettings,
    tokenizer: Tokenizer | None,
    cache: Path | None,
    progress: Progress | None,
) -> Corpus:
    """The corpus of a source: opened where it was prepared before, else prepared."""
    folder = cache_folder(cache)
    request = {"version": VERSION, "settings": settings.model_dump(), "tokenizer": tokenizer and tokenizer.sha256}
    kind = tokenizer.kind if tokenizer else settings.tokenizer.partition(":")[0]
    if kind in TOKENIZERS and (code := TOKENIZERS.code(kind)):  # a package's tokenizer: other code may give other ids
        request["code"] = code
    seen_at = time.time_ns()
    by_file = None
    if source.key is not None and source.newest_nanoseconds < seen_at - SETTLED_NANOSECONDS:
        by_file = digest([request, "file", source.name, source.key])
        if (known := remembered(folder, by_file, source)) is not None:
            say_all(known[1])
            return known[0]
    reader = Reader(source, settings, progress)
    scan = reader.scan()
    check(source, scan)
    notices = [*source.notices, *source.oddities.notices(), *scan.notices()]
    by_text = digest([request, "text", source.tokenizer, scan.sha256, scan.sizes, reader.rule()])
    known = remembered(folder, by_text, source)
    corpus, own_notices = known or make(source, settings, tokenizer, reader, folder)
    if known is None:
        remember(folder, by_text, corpus, own_notices)
    notices += own_notices
    if by_file is not None:
        remember(folder, by_file, corpus, notices)
    say_all(notices)
    return corpus


def digest(data: Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(canonical(data)).hexdigest()


def remember(folder: Path, key: str, corpus: Corpus, notices: list[str]) -> None:
    """Note what a key led to."""
    known = {"fingerprint": corpus.fingerprint, "split_rule": corpus.split_rule, "notices": notices}
    write_json(folder / "known" / f"{key}.json", known)


def remembered(folder: Path, key: str, source: Source) -> tuple[Corpus, list[str]] | None:
    """The corpus that a key led to before, and its notices; None where there is none, or it is damaged."""
    known = read_json(folder / "known" / f"{key}.json")
    if known is None or not {"fingerprint", "split_rule", "notices"} <= set(known):
        return None
    corpus = open_prepared(folder, str(known["fingerprint"]), source, str(known["split_rule"]))
    return (corpus, list(known["notices"])) if corpus is not None and corpus.knows_spellings else None


def check(source: Source, scan: Scan) -> None:
    """Raises CorpusError for a text that is empty or too short for anything."""
    if not scan.characters:
        raise CorpusError(f"{source.where} is empty", "some text", "give a text that has characters in it")
    if scan.characters < 2:
        raise CorpusError(
            f"{source.where} has only one character",
            "at least two characters, and better some thousands",
            "give a longer text",
        )


def make(
    source: Source, settings: DataSettings, given: Tokenizer | None, reader: Reader, folder: Path
) -> tuple[Corpus, list[str]]:
    """Learn the tokenizer, encode every split into files, and open them; and what is to be said about it.

    What is left out of the text is part of the fingerprint: its ids are others.
    """
    scan = reader.scanned
    assert scan is not None
    tokenizer = given or learn(source, settings, reader, scan)
    lacking = tokenizer.lacks(scan.symbols)
    notices = [lacking_symbols(lacking, reader, skip=settings.skip_unknown)] if lacking else []
    if tokenizer.size == 1:
        notices.append(nothing_to_learn(tokenizer))
    identity = [VERSION, scan.sha256, scan.sizes, reader.rule(), reader.kind, tokenizer.sha256]
    if tokenizer.kind in TOKENIZERS:
        identity += TOKENIZERS.code(tokenizer.kind)
    fingerprint = digest([*identity, f"without {lacking}"] if lacking else identity)
    target = folder / "prepared" / fingerprint
    with locked(folder / "locks", fingerprint):
        corpus = open_prepared(folder, fingerprint, source, reader.rule())
        if corpus is not None and corpus.knows_spellings:
            return corpus, notices
        if corpus is None and target.exists():
            say_all([f"The prepared text of {source.name} in the cache was damaged; it was made anew."])
        with new_folder(target) as filling:
            facts = encode_splits(reader, tokenizer, filling, scan.sha256, leaving_out=lacking)
            with storing(filling):
                (filling / "tokenizer.json").write_bytes(canonical(tokenizer.to_json()))
            made = {"version": VERSION, "fingerprint": fingerprint, "sha256": scan.sha256, "splits": facts}
            seal(filling, {**made, "memorises": settings.memorises})
    corpus = open_prepared(folder, fingerprint, source, reader.rule())
    assert corpus is not None
    return corpus, notices


def learn(source: Source, settings: DataSettings, reader: Reader, scan: Scan) -> Tokenizer:
    """The tokenizer that the settings ask for."""
    asked = source.tokenizer if settings.tokenizer == "auto" else settings.tokenizer
    kind, argument = find_tokenizer(asked)
    evidence = Evidence(
        scan.symbols,
        reader.train,
        argument,
        settings.minimum_count,
        settings.vocabulary_size,
        MARKS if reader.in_sequences and settings.marks == "special" else (),
    )
    return kind.learn(evidence)


def lacking_symbols(lacking: str, reader: Reader, skip: bool) -> str:
    """The notice that names the symbols that a given tokenizer lacks, how often they occur, and where first.

    Raises TokenizerError, which says the same, where the text is not to be read without them.
    """
    first, count, before = None, 0, 0
    for _, text in reader.units("reading"):
        for symbol in lacking:
            count += text.count(symbol)
            if (place := text.find(symbol)) >= 0 and (first is None or before + place < first):
                first = before + place
        before += len(text)
    shown = ", ".join(map(symbol_name, lacking[:5])) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    what = (
        f"The text has {len(lacking)} symbol{'s'[: len(lacking) > 1]} that the tokenizer lacks: {shown} "
        f"({count:,} times, first at character {first:,})"
    )
    if skip:
        return f"{what}; it was read without {'them' if len(lacking) > 1 else 'it'}."
    raise TokenizerError(
        what,
        "a text of symbols that the tokenizer knows",
        "leave these symbols out with --skip-unknown, or train a model with the byte tokenizer, which knows all",
    )


def nothing_to_learn(tokenizer: Tokenizer) -> str:
    """The notice about a vocabulary of one."""
    return (
        f"The text consists of a single symbol, {symbol_name(tokenizer.decode([0]))}: every next one is certain, every "
        "loss is 0, and there is nothing to learn."
    )


def encode_splits(reader: Reader, tokenizer: Tokenizer, folder: Path, sha256: str, leaving_out: str = "") -> SplitFacts:
    """The second pass: the ids of each split into a file, and what is in it (`leaving_out` some symbols)."""
    without = dict.fromkeys(map(ord, leaving_out))
    facts: SplitFacts = {split: {"tokens": 0, "characters": 0, "bytes": 0} for split in SPLITS}
    text_hash = hashlib.sha256()

    def counted(units: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        for split, text in units:
            data = text.encode("utf-8")
            text_hash.update(data)
            if reader.in_sequences:
                text_hash.update(b"\n")
            if without:
                text = text.translate(without)
                data = text.encode("utf-8")
            if not text:
                continue
            facts[split]["characters"] += len(text)
            facts[split]["bytes"] += len(data)
            yield split, text

    units = counted(reader.split_units("tokenizing"))
    if reader.in_sequences:
        encode_sequences(units, tokenizer, folder, facts)
    else:
        encode_stream(units, tokenizer, folder, facts)
    if text_hash.hexdigest() != sha256:
        raise CorpusError(
            f"{reader.source.where} changed while it was being read", "a text that stays the same", "run it again"
        )
    if reader.settings.memorises:
        facts["valid"] = copy_split(folder, facts["train"])
    for split, least in (("train", 2), ("valid", 2)):
        if facts[split]["tokens"] < (1 if reader.in_sequences else least):
            raise too_small(split, reader, facts)
    return facts


def encode_stream(units: Iterator[tuple[str, str]], tokenizer: Tokenizer, folder: Path, facts: SplitFacts) -> None:
    """Write the ids of a text that is one stream, split by split."""
    waiting = next(units, None)
    for split in SPLITS:

        def chunks(split: str = split) -> Iterator[str]:
            nonlocal waiting
            while waiting is not None and waiting[0] == split:
                yield waiting[1]
                waiting = next(units, None)

        with storing(folder), (folder / f"{split}.ids").open("wb") as file:
            ledger = Ledger(tokenizer)
            for text in tokenizer.stretches(chunks()):
                ids = tokenizer.encode(text)
                file.write(ids.data)
                facts[split]["tokens"] += len(ids)
                ledger.add(text, ids)
            facts[split]["spelling"] = asdict(ledger.total())


def encode_sequences(units: Iterable[tuple[str, str]], tokenizer: Tokenizer, folder: Path, facts: SplitFacts) -> None:
    """Write the ids of a text that is a list of sequences, and where each begins."""
    starts = {split: array("q") for split in SPLITS}
    ledgers = {split: Ledger(tokenizer) for split in SPLITS}
    with storing(folder):
        files = {split: (folder / f"{split}.ids").open("wb") for split in SPLITS}
        try:
            for split, text in units:
                ids = tokenizer.encode(text)
                starts[split].append(facts[split]["tokens"])
                files[split].write(ids.data)
                facts[split]["tokens"] += len(ids)
                ledgers[split].add(text, ids)
        finally:
            for file in files.values():
                file.close()
        for split, places in starts.items():
            (folder / f"{split}.starts").write_bytes(np.asarray(places).astype("<i8").tobytes())
            facts[split]["sequences"] = len(places)
            facts[split]["spelling"] = asdict(ledgers[split].total())


def copy_split(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Let valid be a copy of train; what is in it."""
    with storing(folder):
        for file in folder.glob("train.*"):
            shutil.copyfile(file, folder / f"valid{file.suffix}")
    return dict(facts)


def too_small(split: str, reader: Reader, facts: SplitFacts) -> CorpusError:
    """The error for a split that holds nothing to learn from, or to be scored."""
    tokens = facts[split]["tokens"]
    shares = "/".join(f"{100 * share:g}" for share in reader.shares)
    if not tokens:
        what = f"The {'validation' if split == 'valid' else split} split is empty ({reader.rule()})"
    else:
        what = f"The {'validation' if split == 'valid' else split} split has a single token ({reader.rule()})"
    return CorpusError(
        what,
        f"at least two tokens in train and in valid; this text has {reader.total:,} "
        f"{'sequences' if reader.in_sequences else 'characters'} in all, shared {shares}",
        "give a longer text, or larger shares, such as --split 50,50",
    )


def open_prepared(folder: Path, fingerprint: str, source: Source, split_rule: str) -> Corpus | None:
    """The prepared corpus of that fingerprint, checked and memory-mapped; None where it is missing or damaged."""
    place = folder / "prepared" / fingerprint
    facts = sealed_facts(place)
    data = read_json(place / "tokenizer.json")
    if facts is None or data is None or facts.get("version") != VERSION:
        return None
    tokenizer = open_tokenizer(data)
    train, valid, test = (open_split(place, split, facts["splits"][split], tokenizer) for split in SPLITS)
    return Corpus(
        source.name,
        source.where,
        tokenizer,
        train,
        valid,
        test,
        sha256=facts["sha256"],
        fingerprint=fingerprint,
        split_rule=split_rule,
        cache=place,
        entropy_nats_per_sequence=source.entropy_nats,
        language=source.language,
        memorises=facts.get("memorises", False),
    )


def reopen(facts: Mapping[str, Any], cache: Path | None) -> Corpus | None:
    """The prepared corpus that said this of itself; None where it is not in the cache any more, or is damaged."""
    said = {name: str(facts.get(name)) for name in ("name", "source", "fingerprint", "split_rule", "sha256")}
    if not FINGERPRINT.fullmatch(said["fingerprint"]):  # it comes from a file, and becomes part of a path
        return None
    language = {name: facts[name] for name in LANGUAGE_FACTS if name in facts}
    entropy = facts.get("entropy_nats_per_sequence")
    source = Source(said["name"], said["source"], (), entropy_nats=entropy, language=language)
    found = open_prepared(cache_folder(cache), said["fingerprint"], source, said["split_rule"])
    return found if found is not None and found.sha256 == said["sha256"] else None


def open_split(place: Path, split: str, facts: dict[str, Any], tokenizer: Tokenizer) -> Split:
    """A split as it lies in the cache, memory-mapped."""
    tokens, dtype = facts["tokens"], tokenizer.dtype
    ids = np.memmap(place / f"{split}.ids", dtype=dtype, mode="r", shape=(tokens,)) if tokens else np.empty(0, dtype)
    starts = None
    if "sequences" in facts:
        count = facts["sequences"]
        file = place / f"{split}.starts"
        starts = np.memmap(file, dtype="<i8", mode="r", shape=(count,)) if count else np.empty(0, dtype=np.int64)
    known = Spelling(**facts["spelling"]) if "spelling" in facts else Spelling()
    spelling = None if "spelling" not in facts and "<unk>" in tokenizer.specials else known
    return Split(split, ids, starts, facts["characters"], facts["bytes"], spelling)
