"""Film reviews from their own archive: from a server of our own, with the sum that their publisher gives, an MD5."""

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from glassloom.data.corpora import CORPORA, Listed
from glassloom.errors import CorpusError
from test_downloads import Server, load, server

__all__ = ["server"]  # a fixture

REVIEWS = {
    **{f"aclImdb/train/{kind}/{number}_{7 if kind == 'pos' else 2}.txt": f"{kind} film {number}.<br />Ça va."
       for kind in ("pos", "neg") for number in range(12)},
    "aclImdb/test/pos/0_9.txt": "a test\nof two lines",
    "aclImdb/test/neg/3_1.txt": "another",
    "aclImdb/train/unsup/0_0.txt": "without a label",
    "aclImdb/README": "read me",
}  # fmt: skip


def archive() -> bytes:
    """A small one of the same build."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in REVIEWS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def listed_at(address: str, checksum: str) -> Listed:
    """The listed corpus with another address and sum."""
    found = CORPORA["imdb"]
    return dataclasses.replace(
        found, download=dataclasses.replace(found.download, address=address, checksum=checksum)
    )  # fmt: skip


def test_reviews_are_unpacked_one_a_line_with_a_validation_split_of_their_own(server: Server, tmp_path: Path) -> None:
    data = archive()
    server.answers["/aclImdb_v1.tar.gz"] = data
    listed = listed_at(server.address + "aclImdb_v1.tar.gz", f"md5:{hashlib.md5(data).hexdigest()}")
    corpus = load(listed, tmp_path)
    lines = {split: (tmp_path / "texts" / "imdb" / f"{split}.txt").read_text("utf-8").splitlines()
             for split in ("train", "valid", "test")}  # fmt: skip
    assert lines["valid"] == ["neg film 9.<br />Ça va.", "pos film 9.<br />Ça va."]
    assert lines["test"] == ["another", "a test of two lines"]
    assert len(lines["train"]) == 22
    assert lines["train"][:3] == [f"neg film {number}.<br />Ça va." for number in (0, 1, 2)]
    assert (corpus.train.sequences, corpus.valid.sequences, corpus.test.sequences) == (22, 2, 2)
    assert corpus.tokenizer.name == "char"


def test_an_archive_with_another_md5_is_refused_by_that_name(server: Server, tmp_path: Path) -> None:
    server.answers["/aclImdb_v1.tar.gz"] = archive()
    listed = listed_at(server.address + "aclImdb_v1.tar.gz", f"md5:{'0' * 32}")
    with pytest.raises(CorpusError, match=r"another MD5.*put imdb/train\.txt, imdb/valid\.txt, imdb/test\.txt into"):
        load(listed, tmp_path)
    assert not (tmp_path / "texts" / "imdb").exists()


def test_an_archive_without_reviews_is_refused(server: Server, tmp_path: Path) -> None:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w:gz").close()
    server.answers["/a.tar.gz"] = empty.getvalue()
    listed = listed_at(server.address + "a.tar.gz", f"md5:{hashlib.md5(empty.getvalue()).hexdigest()}")
    with pytest.raises(CorpusError, match="not the archive that was expected"):
        load(listed, tmp_path)


def test_the_listed_sum_is_the_publishers() -> None:
    download = CORPORA["imdb"].download
    assert download.checksum == "md5:7c2ac02c03563afcf9b574c7e56c153a"
    assert download.bytes == 84_125_825
