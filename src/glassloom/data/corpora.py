"""The listed corpora, and how a name, a path or `-` becomes a source. A new corpus is one entry in CORPORA."""

import os
import platform
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from glassloom.data.decoding import Oddities
from glassloom.data.derive import as_it_is, from_ben_yehuda, from_gutenberg, from_imdb, from_tar, from_zip
from glassloom.data.download import Download, TextFile, find_files, find_or_download
from glassloom.data.drawn import grammar_source, language_source
from glassloom.data.languages import LANGUAGES, SUFFIX, Language
from glassloom.data.settings import DataSettings, Shares
from glassloom.data.sources import (
    SHARES,
    SPLITS,
    Progress,
    Source,
    file_piece,
    file_source,
    folder_source,
    identity,
    newest,
    shuffled,
    standard_input_source,
    texts_among,
    walk,
    whole_files,
)
from glassloom.errors import CorpusError, nearest

STANDARD_LIBRARY = "python-stdlib"


@dataclass(frozen=True)
class Listed:
    """A corpus that is known by name: its files, where they come from, and how it is read unless told otherwise."""

    name: str
    what: str
    status: str
    files: tuple[TextFile, ...]
    download: Download
    tokenizer: str = "char"
    shares: Shares = SHARES
    sequences: Literal["stream", "lines", "paragraphs"] = "stream"
    spread: bool = False


PTB = {f"ptb/ptb.{split}.txt": f"simple-examples/data/ptb.{split}.txt" for split in SPLITS}
WIKITEXT = {f"wikitext-2/{split}.txt": f"wikitext-2/wiki.{split}.tokens" for split in SPLITS}
REVIEWS = {f"reviews/rt-polarity.{kind}": f"rt-polaritydata/rt-polarity.{kind}" for kind in ("pos", "neg")}

CORPORA: dict[str, Listed] = {
    listed.name: listed
    for listed in (
        Listed(
            "shakespeare",
            "plays of Shakespeare (tinyshakespeare)",
            "public domain",
            (
                TextFile(
                    "shakespeare.txt", 1_115_394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
                ),
            ),
            Download(
                "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                as_it_is("shakespeare.txt"),
                exact=True,
            ),
            shares=(0.9, 0.1, 0.0),
        ),
        Listed(
            "ptb",
            "Penn Treebank: newspaper English, words, as Mikolov prepared it",
            "research use only",
            (
                TextFile(
                    "ptb/ptb.train.txt",
                    5_101_618,
                    "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                    "train",
                ),
                TextFile(
                    "ptb/ptb.valid.txt",
                    399_782,
                    "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                    "valid",
                ),
                TextFile(
                    "ptb/ptb.test.txt",
                    449_945,
                    "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                    "test",
                ),
            ),
            Download("http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz", from_tar(PTB)),
            tokenizer="word",
        ),
        Listed(
            "wikitext-2",
            "WikiText-2: Wikipedia articles, words",
            "CC BY-SA 3.0",
            (
                TextFile(
                    "wikitext-2/train.txt",
                    10_797_148,
                    "728c77e87e176af4730f9a80fc6008bcaff421a7202c1c048877c0eec3685f89",
                    "train",
                    exact=False,
                ),
                TextFile(
                    "wikitext-2/valid.txt",
                    1_121_681,
                    "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
                    "valid",
                ),
                TextFile(
                    "wikitext-2/test.txt",
                    1_256_449,
                    "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
                    "test",
                ),
            ),
            Download("https://wikitext.smerity.com/wikitext-2-v1.zip", from_zip(WIKITEXT)),
            tokenizer="word",
        ),
        Listed(
            "hebrew",
            "poems and prose of Bialik and Rachel, without points; right to left",
            "public domain (Project Ben-Yehuda)",
            (
                TextFile(
                    "hebrew.txt",
                    1_377_173,
                    "0919562a2c1c3df6263aa0d3bf911565a124b4ee609741a970838a7299efc571",
                    exact=False,
                ),
            ),
            Download(
                "https://raw.githubusercontent.com/projectbenyehuda/public_domain_dump/master/",
                from_ben_yehuda("hebrew.txt"),
            ),
        ),
        Listed(
            "great-expectations",
            "a novel of Dickens, one paragraph a line",
            "public domain (Project Gutenberg)",
            (
                TextFile(
                    "great_expectations.txt",
                    1_005_392,
                    "5915bc5219738a4aa59a20ab725119cac0bafcc613e739f2c6b4ce0ca62d1b63",
                    exact=False,
                ),
            ),
            Download(
                "https://www.gutenberg.org/ebooks/1400.txt.utf-8",
                from_gutenberg("great_expectations.txt", r"Chapter I\.?$", straight="‘’"),
            ),
        ),
        Listed(
            "goblin-chapter",
            "196 paragraphs of The Princess and the Goblin by MacDonald, one a line",
            "public domain (Project Gutenberg)",
            (
                TextFile(
                    "goblin_chapter.txt",
                    67_997,
                    "2fd4c7a7673411182ccf03de1fffde71f28f90b18ea09fe21d02f22c1e12f3b8",
                    exact=False,
                ),
            ),
            Download(
                "https://www.gutenberg.org/ebooks/708.txt.utf-8",
                from_gutenberg("goblin_chapter.txt", r"CHAPTER 1\b", straight="‘’“”", shortest=125, lines=196),
            ),
        ),
        Listed(
            "reviews",
            "sentences of film reviews, praising and damning, one a line",
            "research use only",
            (
                TextFile(
                    "reviews/rt-polarity.pos",
                    626_395,
                    "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58",
                    exact=False,
                ),
                TextFile(
                    "reviews/rt-polarity.neg",
                    612_506,
                    "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd",
                    exact=False,
                ),
            ),
            Download(
                "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz",
                from_tar(REVIEWS, encoding="cp1252"),
            ),
            sequences="lines",
            spread=True,
        ),
        Listed(
            "imdb",
            "film reviews of the Large Movie Review Dataset, one a line; valid is every tenth of its train",
            "research use only",
            tuple(TextFile(f"imdb/{split}.txt", None, None, split) for split in SPLITS),
            Download(
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                from_imdb,
                bytes=84_125_825,
                checksum="md5:7c2ac02c03563afcf9b574c7e56c153a",
            ),
            sequences="lines",
        ),
    )
}


def find_source(
    source: str | Path | Language, settings: DataSettings, cache: Path | None = None, progress: Progress | None = None
) -> Source:
    """What a name, a path, `-` or a Language stands for.

    A listed name wins, unless the string has a path separator or a suffix and exists. Raises CorpusError.
    """
    if isinstance(source, Language):
        return language_source(source, settings)
    if isinstance(source, str):
        if source == "-":
            return standard_input_source(settings.encoding)
        if not source:
            raise CorpusError("The name of the corpus is empty", "a file, a folder, - or a listed name", "give one")
        looks_like_path = any(sign and sign in source for sign in (os.sep, os.altsep, "/")) or bool(Path(source).suffix)
        if not (looks_like_path and Path(source).exists()):
            if source in names():
                return named_source(source, settings, cache, progress)
            if not looks_like_path and not Path(source).exists():
                hint = nearest(source, names())
                raise CorpusError(
                    f"There is no corpus, file or folder called {source!r}",
                    f"a file, a folder, - for standard input, or one of {', '.join(names())}",
                    hint if hint.startswith("did") else "check the name, or the path of the file",
                )
    path = Path(source).expanduser()
    if path.suffix == SUFFIX and path.is_file():
        return grammar_source(path, settings)
    if path.is_dir():
        return folder_source(path, settings.encoding, settings.shares)
    return file_source(path, settings.encoding)


def names() -> list[str]:
    """Every listed name: the standard library, corpora, formal languages."""
    return [STANDARD_LIBRARY, *CORPORA, *LANGUAGES]


def named_source(name: str, settings: DataSettings, cache: Path | None, progress: Progress | None) -> Source:
    """The source that a listed name stands for."""
    if name == STANDARD_LIBRARY:
        return standard_library_source(settings.shares)
    if name in CORPORA:
        return listed_source(CORPORA[name], cache, progress)
    return language_source(LANGUAGES[name], settings)


def listed_source(listed: Listed, cache: Path | None = None, progress: Progress | None = None) -> Source:
    """The text of a listed corpus, its files found or downloaded. They are UTF-8, whatever encoding is set."""
    paths, notices = find_or_download(listed.name, listed.files, listed.download, cache, progress)
    oddities = Oddities()
    pieces = tuple(
        file_piece(path, file.path, "utf-8", oddities, file.split)
        for file, path in zip(listed.files, paths, strict=True)
    )
    return Source(
        listed.name,
        listed.name,
        pieces,
        key=[identity(path) for path in paths],
        newest_nanoseconds=newest(paths),
        tokenizer=listed.tokenizer,
        shares=listed.shares,
        sequences=listed.sequences,
        spread=listed.spread,
        oddities=oddities,
        notices=tuple(notices),
    )


def standard_library_files() -> tuple[Path, list[Path]]:
    """The folder of the running Python's standard library, and its source files without the tests."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    tests = {"test", "tests", "idle_test"}
    files = [path for path in walk(folder) if path.suffix == ".py"]
    return folder, [path for path in files if not tests & set(path.relative_to(folder).parts[:-1])]


def standard_library_source(shares: Shares | None) -> Source:
    """The source code of Python's standard library: whole files, in an order that looks random.

    So that the held-out files are of the same kinds as those to learn from. Tests are left out.
    """
    folder, files = standard_library_files()
    kept, _, oddities = texts_among(folder, shuffled(files, folder), "utf-8")
    if not kept:
        raise CorpusError(
            f"This Python has no source of its standard library in {folder}",
            "the .py files that come with Python",
            "give a file or folder of your own, or another listed name",
        )
    where = f"the standard library of Python {platform.python_version()}"
    source = whole_files(STANDARD_LIBRARY, where, folder, kept, "utf-8", shares, oddities)
    return source


def listing(cache: Path | None = None) -> list[dict[str, Any]]:
    """What `glassloom corpora` lists: name, what it is, size in bytes, splits, status, and whether it is at hand."""
    folder, files = standard_library_files()
    rows: list[dict[str, Any]] = [
        {
            "name": STANDARD_LIBRARY,
            "what": f"the source code of Python {platform.python_version()}'s standard library",
            "bytes": sum(path.stat().st_size for path in files),
            "splits": "90/5/5 by whole files",
            "tokenizer": "char",
            "status": "PSF licence",
            "at_hand": bool(files),
            "address": str(folder),
        }
    ]
    for listed in CORPORA.values():
        own = any(file.split for file in listed.files)
        rows.append(
            {
                "name": listed.name,
                "what": listed.what,
                "bytes": listed.download.bytes or sum(file.bytes or 0 for file in listed.files),
                "splits": "its own" if own else "/".join(f"{100 * share:g}" for share in listed.shares if share),
                "tokenizer": listed.tokenizer,
                "status": listed.status,
                "at_hand": find_files(listed.files, cache) is not None,
                "address": listed.download.address,
            }
        )
    for name, language in LANGUAGES.items():
        rows.append(
            {
                "name": name,
                "what": language.definition,
                "bytes": None,
                "splits": "drawn independently",
                "tokenizer": "char",
                "status": "formal language",
                "at_hand": True,
                "address": None,
                "entropy_nats_per_sequence": language.entropy_nats,
                "mean_length": language.mean_length,
            }
        )
    return rows
