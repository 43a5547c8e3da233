"""Views are made by processes of their own: one that does not end is ended, and the next view of that run is made."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glassloom.studio import Server
from studios import Asked, serving, until

ENDLESS = {"run": "whole", "view": "units", "text": "a" * 60, "options": {"properties": ["/(a|a)*b/"]}}
"""Python tries 2^60 ways through this, in one call of C that no thread can be called back from."""
QUICK = {"run": "whole", "view": "surprise", "text": "The text of it"}


@pytest.fixture
def server(trained: Path) -> Iterator[Server]:
    with serving(trained.parent) as running:
        assert Asked(running, "/api/look", QUICK).status == 200  # a process is there, and has the model open
        yield running


def test_a_view_that_takes_too_long_is_ended_and_the_run_is_free(server: Server) -> None:
    apart = server.studio.apart
    apart.seconds = 1.0
    answer = Asked(server, "/api/look", ENDLESS)
    assert answer.status == 400
    assert "more than 1 seconds" in answer.json["error"]["what"]
    assert apart.busy == []
    apart.seconds = 120.0
    for _ in range(3):  # more than are made at once
        assert Asked(server, "/api/look", QUICK).json["facts"]["model"] == "whole"


def test_a_view_whose_reader_has_left_is_ended(server: Server) -> None:
    apart = server.studio.apart
    address = f"http://127.0.0.1:{server.address.port}"
    headers = {"content-type": "application/json", "origin": address}
    connections = []
    for _ in range(2):  # as many as are made at once
        connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=20)
        connection.request("POST", "/api/look", json.dumps(ENDLESS), headers)
        connections.append(connection)
    [first, second] = until(lambda: len(apart.busy) == 2 and list(apart.busy))
    assert first.lives
    for connection in connections:
        connection.close()
    until(lambda: not apart.busy)
    assert not first.lives
    assert not second.lives
    assert Asked(server, "/api/look", QUICK).status == 200


def test_a_regular_expression_of_the_readers_own_is_taken(server: Server) -> None:
    text = "import re\n\nclass TextWrapper:\n    def wrap(self, text):\n        return [text]\n"
    asked = {"run": "whole", "view": "units", "text": text, "options": {"properties": [r"/[a-z]+e/"]}}
    found = Asked(server, "/api/look", asked)
    assert found.status == 200, found.body
    assert "/[a-z]+e/" in found.json["exhibits"][0]["rows"][0]["cells"][0]["text"]


def test_what_the_process_cannot_answer_is_a_sentence(trained: Path, server: Server) -> None:
    for path, body in {
        "/api/file": {**QUICK, "form": "exe"},
        "/api/look": {**QUICK, "run": "nobody"},
    }.items():
        answer = Asked(server, path, body)
        assert (answer.status, answer.json["error"]["sentence"].endswith((".", "?"))) == (400, True)
    assert Asked(server, "/report?run=nobody").status == 400
    assert b"There is no run nobody" in Asked(server, "/report?run=nobody").body


def test_all_processes_end_with_the_studio(trained: Path) -> None:
    with serving(trained.parent) as server:
        assert Asked(server, "/api/look", QUICK).status == 200
        [process] = server.studio.apart.idle
        assert process.lives
    assert not process.lives
