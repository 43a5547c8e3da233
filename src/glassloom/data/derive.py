"""From what an address gives to the text of a listed corpus.

Each function takes `fetch`, which gives the bytes at the corpus's address (or at a path below it), and returns the
bytes of each file by its path in the data folder. Nothing is run or unpacked to disk from an archive.
"""

import csv
import io
import re
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from urllib.parse import quote

from glassloom.errors import CorpusError

Fetch = Callable[[str], bytes]
Files = dict[str, bytes]


def as_it_is(path: str) -> Callable[[Fetch], Files]:
    """The one file at the address, unchanged."""
    return lambda fetch: {path: fetch("")}


def from_tar(members: dict[str, str], encoding: str = "utf-8") -> Callable[[Fetch], Files]:
    """Members of a compressed tar archive, by the path they get; turned into UTF-8 from another encoding."""

    def obtain(fetch: Fetch) -> Files:
        found = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(fetch("")), mode="r:*") as archive:
                by_name = {entry.name.removeprefix("./"): entry for entry in archive if entry.isfile()}
                for path, member in members.items():
                    file = archive.extractfile(by_name[member])
                    assert file is not None
                    found[path] = recoded(file.read(), encoding)
        except (tarfile.TarError, EOFError, KeyError, OSError) as error:
            raise broken_archive(error) from None
        return found

    return obtain


IMDB = re.compile(r"aclImdb/(?P<split>train|test)/(?P<kind>pos|neg)/(?P<number>\d+)_\d+\.txt\Z")


def from_imdb(fetch: Fetch) -> Files:
    """The 50,000 labelled film reviews of Maas et al. (2011), one a line, in the order of kind and number.

    The publisher has no validation split: it gets every tenth review of train. Line ends within a review are written
    `<br />` there and stay so.
    """
    found: dict[str, list[tuple[str, int, str]]] = {"train": [], "valid": [], "test": []}
    try:
        with tarfile.open(fileobj=io.BytesIO(fetch("")), mode="r:*") as archive:
            for entry in archive:
                name = IMDB.match(entry.name.removeprefix("./")) if entry.isfile() else None
                if name is None:
                    continue
                file, number = archive.extractfile(entry), int(name["number"])
                assert file is not None
                split = "valid" if name["split"] == "train" and number % 10 == 9 else name["split"]
                found[split].append((name["kind"], number, " ".join(file.read().decode("utf-8").split())))
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError) as error:
        raise broken_archive(error) from None
    if not all(found.values()):
        raise broken_archive(ValueError("reviews for train, valid and test are missing"))
    return {
        f"imdb/{split}.txt": "".join(f"{text}\n" for _, _, text in sorted(reviews)).encode("utf-8")
        for split, reviews in found.items()
    }


def from_zip(members: dict[str, str]) -> Callable[[Fetch], Files]:
    """Members of a zip archive, by the path they get."""

    def obtain(fetch: Fetch) -> Files:
        try:
            with zipfile.ZipFile(io.BytesIO(fetch(""))) as archive:
                return {path: archive.read(member) for path, member in members.items()}
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise broken_archive(error) from None

    return obtain


def broken_archive(error: Exception) -> CorpusError:
    """The error for a download that is no archive."""
    return CorpusError(
        f"What was downloaded is not the archive that was expected ({error})", "an archive with the files of the corpus"
    )


def recoded(data: bytes, encoding: str) -> bytes:
    """The bytes in UTF-8."""
    return data if encoding == "utf-8" else data.decode(encoding).encode("utf-8")


def from_gutenberg(
    path: str, begin: str, straight: str, shortest: int = 0, lines: int | None = None
) -> Callable[[Fetch], Files]:
    """A book of Project Gutenberg, one paragraph a line, from the paragraph that matches `begin` on.

    `straight` holds the curly quotes that become straight ones. Paragraphs are joined until a line has `shortest`
    characters, and with `lines` only that many are taken.
    """

    def obtain(fetch: Fetch) -> Files:
        paragraphs = gutenberg_paragraphs(fetch("").decode("utf-8-sig"), begin, straight)
        return {path: "".join(line + "\n" for line in islice(joined(paragraphs, shortest), lines)).encode("utf-8")}

    return obtain


def gutenberg_paragraphs(book: str, begin: str, straight: str = "‘’") -> Iterator[str]:
    """The paragraphs of a book between Project Gutenberg's header and footer, each on one line.

    >>> book = "*** START OF THE BOOK ***\\n\\nContents\\n\\nI\\n\\nIt _was_\\nlate.\\n\\n*** END OF THE BOOK ***\\n"
    >>> list(gutenberg_paragraphs(book, "I$"))
    ['I', 'It was late.']
    """
    book = book.replace("\r\n", "\n")
    start = re.search(r"^\*\*\* ?START OF.*?\*\*\*[ ]*$", book, flags=re.MULTILINE | re.DOTALL)
    end = re.search(r"^\*\*\* ?END OF", book, flags=re.MULTILINE)
    if start is None or end is None:
        raise CorpusError("What was downloaded is no book of Project Gutenberg", "its START and END lines")
    quotes = str.maketrans({sign: "'" if sign in "‘’" else '"' for sign in straight})
    body = book[start.end() : end.start()].replace("—", "--").replace("_", "").translate(quotes)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", body)]
    # The table of contents names the first chapter too: the last place before running text is where the book begins.
    places = [place for place, part in enumerate(paragraphs) if re.match(begin, part)]
    if not places:
        raise CorpusError("The book that was downloaded has no first chapter", f"a paragraph that matches {begin}")
    for part in paragraphs[places[-1] :]:
        if part and not part.startswith(("[Illustration", "End of the Project Gutenberg", "End of Project Gutenberg")):
            yield part


def joined(paragraphs: Iterable[str], shortest: int) -> Iterator[str]:
    """The paragraphs, headings among them, joined with the next ones until a line has `shortest` characters.

    >>> list(joined(["CHAPTER 1", "It was late.", "He went."], 15))
    ['CHAPTER 1 It was late.', 'He went.']
    """
    line = ""
    for part in paragraphs:
        line = f"{line} {part}" if line else part
        if len(line) >= shortest:
            yield line
            line = ""
    if line:
        yield line


AUTHORS = ("חיים נחמן ביאליק", "רחל המשוררת")
GENRES = ("שירה", "פרוזה")
CATALOGUE = "pseudocatalogue.csv"


def from_ben_yehuda(path: str) -> Callable[[Fetch], Files]:
    """The poems and prose of Bialik and Rachel out of Project Ben-Yehuda's dump, without points, a sentence a line."""

    def obtain(fetch: Fetch) -> Files:
        rows = csv.DictReader(io.StringIO(fetch(CATALOGUE).decode("utf-8-sig")))
        works = [row for row in rows if row.get("genre") in GENRES and not row.get("translators")]
        lines = [
            line
            for author in AUTHORS
            for row in works
            if row.get("authors") == author
            for line in hebrew_lines(fetch(f"txt_stripped/{quote(row['path'].strip('/'))}.txt").decode("utf-8-sig"))
        ]
        if not lines:
            raise CorpusError("The catalogue that was downloaded names no work of these poets", ", ".join(AUTHORS))
        return {path: "".join(line + "\n" for line in lines).encode("utf-8")}

    return obtain


def hebrew_lines(text: str) -> Iterator[str]:
    """The lines of a Hebrew text without vowel points and accents, broken after each sentence.

    >>> list(hebrew_lines("שָׁלוֹם. אֵלֶיךָ!"))
    ['שלום.', 'אליך!']
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if unicodedata.category(sign) != "Mn")
    for line in plain.replace("\r\n", "\n").split("\n"):
        yield from (part for sentence in re.split(r"(?<=[.!?]) +", line) if (part := sentence.strip()))
