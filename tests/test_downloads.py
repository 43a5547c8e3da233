"""Downloads from a server of our own: what is whole is kept, what is not is refused, and where to put files is said."""

import dataclasses
import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glassloom.data import Corpus, DataSettings
from glassloom.data.corpora import CORPORA, Listed, listed_source
from glassloom.data.download import Download, TextFile
from glassloom.data.prepare import prepare
from glassloom.errors import CorpusError, Notice

PLAY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 40


class Server:
    """The bytes it answers with, by path; `cut` says how many it sends of what it promised."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.cut: int | None = None
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                data = server.answers.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write((data or b"")[: server.cut])

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("GLASSLOOM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


def at(name: str, address: str, files: dict[str, bytes] | None = None) -> Listed:
    """A listed corpus whose address is another, and whose files are to be these."""
    listed = CORPORA[name]
    known = tuple(
        dataclasses.replace(file, bytes=len(files[file.path]), sha256=hashlib.sha256(files[file.path]).hexdigest())
        if files
        else file
        for file in listed.files
    )
    return dataclasses.replace(listed, files=known, download=dataclasses.replace(listed.download, address=address))


def load(listed: Listed, cache: Path, told: list[tuple[str, float]] | None = None) -> Corpus:
    progress = None if told is None else lambda doing, fraction: told.append((doing, fraction))
    return prepare(listed_source(listed, cache, progress), DataSettings(), None, cache, None)


def test_a_file_is_downloaded_checked_and_kept(server: Server, tmp_path: Path) -> None:
    server.answers["/input.txt"] = PLAY
    listed = at("shakespeare", server.address + "input.txt", {"shakespeare.txt": PLAY})
    told: list[tuple[str, float]] = []
    assert load(listed, tmp_path, told).text("train").startswith("First Citizen")
    assert told[-1] == ("downloading shakespeare", 1.0)
    assert (tmp_path / "texts" / "shakespeare.txt").read_bytes() == PLAY
    load(listed, tmp_path)
    assert server.asked == ["/input.txt"]


def test_a_file_with_another_hash_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.answers["/input.txt"] = PLAY.replace(b"hear", b"here")
    listed = at("shakespeare", server.address + "input.txt", {"shakespeare.txt": PLAY})
    with pytest.raises(CorpusError, match=r"another SHA-256.*put shakespeare\.txt into .*texts.*GLASSLOOM_DATA"):
        load(listed, tmp_path)
    assert not (tmp_path / "texts" / "shakespeare.txt").exists()


def test_a_download_that_breaks_off_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.answers["/input.txt"] = PLAY
    server.cut = 100
    with pytest.raises(CorpusError, match=r"could not be downloaded.*put shakespeare\.txt into"):
        load(at("shakespeare", server.address + "input.txt", {"shakespeare.txt": PLAY}), tmp_path)
    assert not (tmp_path / "texts" / "shakespeare.txt").exists()


def test_an_address_that_has_gone_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="answered 404"):
        load(at("shakespeare", server.address + "gone"), tmp_path)


def test_an_offline_machine_is_told_which_files_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLASSLOOM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/simple-examples.tgz"
        with pytest.raises(CorpusError) as raised:
            load(at("ptb", address), tmp_path)
    assert "cannot be reached" in raised.value.what
    for part in ("ptb/ptb.train.txt, ptb/ptb.valid.txt, ptb/ptb.test.txt", str(tmp_path / "texts"), address):
        assert part in raised.value.fix
    assert "GLASSLOOM_DATA" in raised.value.fix


def test_members_of_an_archive_are_unpacked_and_checked(server: Server, tmp_path: Path) -> None:
    texts = {f"ptb/ptb.{split}.txt": f" words of {split} \n".encode() * 5 for split in ("train", "valid", "test")}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, data in texts.items():
            entry = tarfile.TarInfo(f"./simple-examples/data/{Path(path).name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    server.answers["/a.tgz"] = archive.getvalue()
    corpus = load(at("ptb", server.address + "a.tgz", texts), tmp_path)
    assert corpus.text("test", 0, 3) == "words of <unk>"
    with pytest.raises(CorpusError, match=r"is not the ptb/ptb\.train\.txt that is listed"):
        load(at("ptb", server.address + "a.tgz"), tmp_path / "other")
    server.answers["/a.tgz"] = b"<html>not an archive</html>"
    with pytest.raises(CorpusError, match="not the archive"):
        load(at("ptb", server.address + "a.tgz", texts), tmp_path / "third")


def test_wikitext_comes_out_of_a_zip_and_a_differing_train_file_is_a_notice(server: Server, tmp_path: Path) -> None:
    texts = {f"wikitext-2/{split}.txt": f" = {split} = \n".encode() * 5 for split in ("train", "valid", "test")}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path, data in texts.items():
            file.writestr(f"wikitext-2/wiki.{Path(path).stem}.tokens", data)
    server.answers["/w.zip"] = archive.getvalue()
    expected = {**texts, "wikitext-2/train.txt": b"another order"}
    with pytest.warns(Notice, match=r"wikitext-2/train\.txt differs from the listed text"):
        assert load(at("wikitext-2", server.address + "w.zip", expected), tmp_path).valid.tokens == 20


def test_reviews_are_turned_into_utf_8(server: Server, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for kind in ("pos", "neg"):
            data = "a caf\u00e9 \u2013 fine .\n".encode("cp1252") * 30
            entry = tarfile.TarInfo(f"rt-polaritydata/rt-polarity.{kind}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    server.answers["/r.tgz"] = archive.getvalue()
    with pytest.warns(Notice, match="differs"):
        corpus = load(at("reviews", server.address + "r.tgz"), tmp_path)
    assert corpus.text("valid", 0, 15) == "a caf\u00e9 \u2013 fine ."


BOOK = """\ufeffThe Project Gutenberg eBook of a book\r
\r
*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***\r
\r
Contents\r
\r
CHAPTER 1 At Home\r
\r
CHAPTER 2 Abroad\r
\r
CHAPTER 1 At Home\r
\r
It _was_ late\u2014and dark. \u201cDon\u2019t!\u201d\r
she said.\r
\r
[Illustration: a picture]\r
\r
He did not, though the night was long, the wind was loud, and\r
nobody in the whole house had thought of the lamp.\r
\r
He left.\r
\r
End of the Project Gutenberg EBook\r
\r
*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***\r
licence\r
"""
LINES = (
    'CHAPTER 1 At Home It was late--and dark. "Don\'t!" she said. He did not, though the night was long, '
    "the wind was loud, and nobody in the whole house had thought of the lamp.\nHe left.\n"
)


def test_a_book_loses_what_gutenberg_put_around_it(server: Server, tmp_path: Path) -> None:
    server.answers["/708"] = BOOK.encode()
    with pytest.warns(Notice, match=r"goblin_chapter\.txt differs"):
        load(at("goblin-chapter", server.address + "708"), tmp_path)
    text = (tmp_path / "texts" / "goblin_chapter.txt").read_text()
    assert text == LINES
    server.answers["/709"] = BOOK.replace("CHAPTER", "PART").encode()
    with pytest.raises(CorpusError, match="no first chapter"):
        load(at("goblin-chapter", server.address + "709"), tmp_path / "other")
    server.answers["/709"] = b"<html>no book</html>"
    with pytest.raises(CorpusError, match="no book of Project Gutenberg"):
        load(at("goblin-chapter", server.address + "709"), tmp_path / "other")


def test_hebrew_poems_are_gathered_from_the_catalogue_without_points(server: Server, tmp_path: Path) -> None:
    rows = [
        "ID,path,title,authors,translators,original_language,genre,source_edition",
        '20,/p89/m20,אל הציפור,חיים נחמן ביאליק,"","",שירה,""',
        '19,/p141/m19,הלך נפש,רחל המשוררת,"","",שירה,""',
        '46,/p46/m46,אחר,יהודה ליב גורדון,"","",שירה,""',
        '99,/p89/m99,מאמר,חיים נחמן ביאליק,"","",מאמרים ומסות,""',
    ]
    server.answers["/pseudocatalogue.csv"] = "\n".join(rows).encode()
    server.answers["/txt_stripped/p89/m20.txt"] = "שָׁלוֹם רָב שׁוּבֵךְ. צִפֹּרָה נֶחְמֶדֶת,\n".encode() * 9
    server.answers["/txt_stripped/p141/m19.txt"] = "הלך נפש.\n".encode() * 9
    with pytest.warns(Notice, match=r"hebrew\.txt differs"):
        corpus = load(at("hebrew", server.address), tmp_path)
    assert corpus.text("train").startswith("שלום רב שובך.\nצפרה נחמדת,\n")
    assert (tmp_path / "texts" / "hebrew.txt").read_text(encoding="utf-8").endswith("הלך נפש.\n")


def test_the_data_folder_comes_before_the_cache_and_its_exact_files_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("GLASSLOOM_DATA", str(folder))
    (folder / "mine.txt").write_bytes(PLAY)
    file = TextFile("mine.txt", len(PLAY), hashlib.sha256(PLAY).hexdigest())
    listed = Listed("mine", "", "", (file,), Download("http://127.0.0.1:1/", lambda fetch: {}))
    assert load(listed, tmp_path).text("train").startswith("First Citizen")
    (folder / "mine.txt").write_bytes(PLAY + b"x")
    with pytest.raises(CorpusError, match=r"is not the mine\.txt that is listed.*delete it"):
        load(listed, tmp_path)
