"""Many clients of one server at once, impatient ones, slow ones, ones that leave; and how a server ends."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

import glassloom
from servers import Asked, client_of, serving
from studios import until
from trainings import command

ENDLESS = 10**8
"""Tokens that no test waits for."""


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Any]:
    with serving([trained], at_once=16, queue=100) as running:
        yield running


@pytest.fixture(scope="module")
def narrow(trained: Path) -> Iterator[Any]:
    """One that writes one text at a time, while one more request may wait, and has endless patience."""
    with serving([trained], at_once=1, queue=1, max_tokens=ENDLESS, seconds=600) as running:
        yield running


def is_idle(server: Any) -> Callable[[], bool]:
    """Whether nothing is written and nobody waits."""
    return lambda: server.completions.models["whole"].load == (0, 0) and server.completions.answering == 0


def begun(server: Any, **asked: Any) -> socket.socket:
    """A connection on which an endless answer was asked for."""
    body = json.dumps({"model": "whole", "prompt": "a", "max_tokens": ENDLESS, **asked}).encode()
    connection = socket.create_connection(("127.0.0.1", server.served.port), timeout=30)
    head = f"POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1:{server.served.port}\r\n"
    connection.sendall(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def test_fifty_clients_at_once_each_get_the_text_that_it_would_get_alone(server: Any, trained: Path) -> None:
    asked = [
        {"prompt": "The " [: 1 + i % 4], "max_tokens": 5 + 7 * (i % 9), "seed": i, "temperature": 0.5 + i % 3 / 2}
        for i in range(50)
    ]  # fmt: skip
    alone = [
        glassloom.generate(trained, one["prompt"], length=one["max_tokens"], seed=one["seed"],
                           temperature=one["temperature"], count=1 + i % 2)
        for i, one in enumerate(asked)
    ]  # fmt: skip
    together = threading.Barrier(50)

    def ask(i: int) -> list[str]:
        with client_of(server) as client:
            together.wait(60)
            answer = client.completions.create(model="whole", n=1 + i % 2, stream=i % 3 == 0, **asked[i])
            if i % 3:
                return [choice.text for choice in answer.choices]
            texts = [""] * (1 + i % 2)
            for event in answer:
                for choice in event.choices:
                    texts[choice.index] += choice.text
            return texts

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(ask, range(50)))
    assert found == [[sample.text for sample in samples] for samples in alone]
    assert len({text for texts in found for text in texts}) > 60, "the texts are not all alike by chance"
    until(is_idle(server))


@pytest.mark.parametrize("streams", [True, False])
def test_for_a_client_that_leaves_nothing_more_is_written(narrow: Any, streams: bool) -> None:
    until(is_idle(narrow))
    connection = begun(narrow, stream=streams)
    if streams:
        assert connection.recv(12) == b"HTTP/1.1 200"
    until(lambda: narrow.completions.models["whole"].load == (1, 0))
    connection.close()
    until(is_idle(narrow))


def test_whoever_waits_has_its_turn_and_one_more_is_told_to_come_back(narrow: Any, trained: Path) -> None:
    until(is_idle(narrow))
    load = narrow.completions.models["whole"]
    first = begun(narrow, stream=True)
    until(lambda: load.load == (1, 0))
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(Asked, narrow, "/v1/completions", {"model": "whole", "prompt": "T", "seed": 4})
        until(lambda: load.load == (1, 1))
        refused = Asked(narrow, "/v1/completions", {"model": "whole", "prompt": "T"})
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert refused.error["type"] == "rate_limit_error"
        assert "1 requests wait for whole already" in refused.error["message"]
        with pytest.raises(openai.RateLimitError), client_of(narrow) as client:
            client.completions.create(model="whole", prompt="T")
        assert not waits.done()
        first.close()
        answer = waits.result(30)
    assert answer.json["choices"][0]["text"] == glassloom.generate(trained, "T", seed=4, length=16)[0].text


def test_who_leaves_while_waiting_waits_no_more(narrow: Any) -> None:
    until(is_idle(narrow))
    load = narrow.completions.models["whole"]
    first = begun(narrow, stream=True)
    until(lambda: load.load == (1, 0))
    second = begun(narrow)
    until(lambda: load.load == (1, 1))
    second.close()
    until(lambda: load.load == (1, 0))
    first.close()
    until(is_idle(narrow))


def test_a_client_that_reads_nothing_holds_nobody_up(server: Any, trained: Path) -> None:
    deaf = begun(server, stream=True, max_tokens=4096, logprobs=20)
    deaf_too = begun(server, stream=True, max_tokens=4096, logprobs=20, echo=True)
    alone = glassloom.generate(trained, "The ", seed=8, length=30)[0].text
    with client_of(server) as client:
        assert client.completions.create(model="whole", prompt="The ", seed=8, max_tokens=30).choices[0].text == alone
    deaf.close()
    deaf_too.close()
    until(is_idle(server))


@pytest.mark.parametrize("streams", [True, False])
def test_what_takes_too_long_is_broken_off_with_an_error(trained: Path, streams: bool) -> None:
    with serving([trained], seconds=0.4, max_tokens=ENDLESS) as hasty:
        asked = {"model": "whole", "prompt": "a", "max_tokens": ENDLESS, "stream": streams}
        answer = Asked(hasty, "/v1/completions", asked)
        if streams:
            assert answer.status == 200
            *_, last, nothing = answer.body.split(b"\n\n")
            assert nothing == b"", "the error is the last event, and no [DONE] comes after it"
            error = json.loads(last.removeprefix(b"data: "))["error"]
            with client_of(hasty) as client, pytest.raises(openai.APIError, match=r"more than 0\.4 seconds"):
                list(client.completions.create(**asked))
        else:
            assert answer.status == 504
            error = answer.error
        assert error["type"] == "timeout_error"
        assert error["message"] == "This takes more than 0.4 seconds. Ask for fewer tokens."
        until(is_idle(hasty))


def test_a_server_that_ends_finishes_what_it_has_begun_and_takes_nothing_new(trained: Path) -> None:
    length = 60_000
    with serving([trained], grace=60, max_tokens=length) as ends:
        asked = {"model": "whole", "prompt": "a", "max_tokens": length, "seed": 6, "stream": True}
        with client_of(ends) as client:
            events = iter(client.completions.create(**asked))
            text = next(events).choices[0].text
            ends.stop()
            refused = Asked(ends, "/v1/completions", {"model": "whole", "prompt": "a"})
            text += "".join(event.choices[0].text for event in events)
        assert (refused.status, refused.error["code"]) == (503, "ending")
        assert text == glassloom.generate(trained, "a", seed=6, length=length)[0].text
        until(lambda: not ends.uvicorn.server_state.connections)


def test_when_the_grace_is_over_the_rest_is_broken_off_and_told_so(trained: Path) -> None:
    with serving([trained], grace=0.2, max_tokens=ENDLESS, at_once=1) as ends:
        asked = {"model": "whole", "prompt": "a", "max_tokens": ENDLESS}
        with ThreadPoolExecutor(2) as pool:
            written = pool.submit(Asked, ends, "/v1/completions", asked)
            until(lambda: ends.completions.models["whole"].load == (1, 0))
            waiting = pool.submit(Asked, ends, "/v1/completions", asked)
            until(lambda: ends.completions.models["whole"].load == (1, 1))
            ends.stop()
            for one in (written.result(30), waiting.result(30)):
                assert (one.status, one.error["code"]) == (503, "ending")


def test_ctrl_c_ends_the_command_and_the_answer_on_its_way_is_whole(trained: Path, tmp_path: Path) -> None:
    process = command("serve", str(trained), "--port", "0", "--json", "--max-tokens", "40000", folder=tmp_path)
    try:
        served = json.loads(process.stdout.readline())
        assert served["models"] == ["whole"]
        with openai.OpenAI(base_url=served["address"], api_key="none", max_retries=0) as client:
            events = iter(client.completions.create(model="whole", prompt="a", max_tokens=40_000, seed=1, stream=True))
            text = next(events).choices[0].text
            process.send_signal(signal.SIGINT)
            text += "".join(event.choices[0].text for event in events)
        assert len(text) == 40_000
        assert process.wait(30) == 130
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


def test_a_body_that_does_not_come_is_waited_for_no_longer(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassloom.serving.app.BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", server.served.port), timeout=30) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1:{server.served.port}\r\n"
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 50\r\n\r\n{{".encode())
        back = b""
        while piece := connection.recv(65536):
            back += piece
    assert back.startswith(b"HTTP/1.1 408")
    assert b"did not arrive" in back
