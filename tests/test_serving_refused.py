"""What `glassloom serve` does not answer, and what it says instead: bad requests, strangers, bad command lines."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from commands import Commands
from glassloom.serving import Limits
from glassloom.serving.asked import EXPECTED
from glassloom.serving.asked import Asked as Body
from servers import Asked, client_of, serving

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Any]:
    with serving([trained], at_once=8, max_tokens=100, max_prompt=50, max_bytes=5000) as running:
        yield running


BAD: list[tuple[dict[str, Any], str | None, str]] = [
    ({"tempperature": 1}, "tempperature", "There is no field tempperature; did you mean temperature?"),
    ({"max_tokens": "5"}, "max_tokens", "max_tokens cannot be used. Expected: a whole number from 0."),
    ({"max_tokens": -1}, "max_tokens", "Expected: a whole number from 0"),
    ({"max_tokens": True}, "max_tokens", "Expected: a whole number from 0"),
    ({"max_tokens": 101}, "max_tokens", "max_tokens is 101, and this server gives at most 100."),
    ({"max_tokens": 0}, "max_tokens", "max_tokens is 0 without echo"),
    ({"temperature": -0.1}, "temperature", "Expected: a number from 0"),
    ({"top_p": 0}, "top_p", "above 0 and at most 1"),
    ({"top_p": 1.5}, "top_p", "above 0 and at most 1"),
    ({"top_k": 0}, "top_k", "from 1"),
    ({"min_p": 2}, "min_p", "from 0 to 1"),
    ({"n": 0}, "n", "from 1 to 128"),
    ({"n": 9}, "n", "9 texts are asked for, and this server writes at most 8 at once"),
    ({"prompt": ["a"] * 5, "n": 2}, "n", "10 texts are asked for"),
    ({"best_of": 2, "n": 3}, "best_of", "best_of is 2, and n is 3"),
    ({"best_of": 3, "stream": True}, "best_of", "cannot be streamed"),
    ({"stream": "yes"}, "stream", "true or false"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "no meaning without stream"),
    ({"stream": True, "stream_options": {"usage": True}}, "stream_options", "include_usage"),
    ({"logprobs": 21}, "logprobs", "from 0 to 20"),
    ({"logprobs": True}, "logprobs", "from 0 to 20"),
    ({"stop": ""}, "stop", "a text that is not empty"),
    ({"stop": ["a"] * 17}, "stop", "at most 16"),
    ({"seed": 2**63}, "seed", "64 bits"),
    ({"seed": 1.5}, "seed", "64 bits"),
    ({"suffix": "end"}, "suffix", "suffix is not done here. Leave it out, or set it to null."),
    ({"logit_bias": {"1": 2}}, "logit_bias", "logit_bias is not done here"),
    ({"presence_penalty": 0.5}, "presence_penalty", "presence_penalty is not done here"),
    ({"frequency_penalty": -1}, "frequency_penalty", "frequency_penalty is not done here"),
    ({"prompt": 5}, "prompt", "a text, a list of texts, a list of token ids, or a list of lists"),
    ({"prompt": []}, "prompt", "The list of prompts is empty"),
    ({"prompt": ["a", 1]}, "prompt", "a text, a list of texts"),
    ({"prompt": [1, -1]}, "prompt", "a text, a list of texts"),
    ({"prompt": [1, 100_000]}, "prompt", "Token 100000 is none of the model's. Expected: 0 to "),
    ({"prompt": "The \u2603"}, "prompt", "The prompt holds what the model never saw: '\u2603' U+2603 at character 4"),
    ({"prompt": "\ud800"}, "prompt", "U+D800"),
    ({"prompt": "a" * 51}, "prompt", "The prompt has 51 tokens, and this server reads at most 50."),
    ({"model": 3}, "model", "the id of a model"),
]


@pytest.mark.parametrize(("changed", "param", "said"), BAD, ids=lambda value: str(value)[:40])
def test_a_field_that_cannot_be_used_is_named_in_one_sentence(
    server: Any, changed: dict[str, Any], param: str, said: str
) -> None:
    answer = Asked(server, "/v1/completions", {"model": "whole", "prompt": "a", **changed})
    assert answer.status == 400, answer.body
    assert answer.error["param"] == param
    assert answer.error["type"] == "invalid_request_error"
    assert said in answer.error["message"]
    assert "pydantic" not in answer.error["message"]
    assert "\n" not in answer.error["message"]


def test_every_field_says_what_it_may_be() -> None:
    assert EXPECTED.keys() == Body.model_fields.keys()


def test_openais_client_raises_what_it_raises_elsewhere(server: Any) -> None:
    with client_of(server) as client:
        with pytest.raises(openai.BadRequestError, match="at most 100") as bad:
            client.completions.create(model="whole", prompt="a", max_tokens=5000)
        assert (bad.value.param, bad.value.code) == ("max_tokens", "context_length_exceeded")
        with pytest.raises(openai.NotFoundError, match="There is no model whale; did you mean whole") as lost:
            client.completions.create(model="whale", prompt="a")
        assert lost.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("whale")
        with pytest.raises(openai.NotFoundError, match="POST /v1/completions"):
            client.chat.completions.create(model="whole", messages=[{"role": "user", "content": "a"}])


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"5", b"\xff", b"[" * 4000, b'{"model": 1' + b"0" * 4500 + b"}"])
def test_what_is_no_json_object_is_refused(server: Any, body: bytes) -> None:
    answer = Asked(server, "/v1/completions", body)
    assert answer.status == 400
    assert answer.error["message"]


def test_a_request_without_a_model_says_so(server: Any) -> None:
    answer = Asked(server, "/v1/completions", {"prompt": "a"})
    assert (answer.status, answer.error["param"]) == (400, "model")
    assert answer.error["message"].startswith("The request has no model.")


def test_too_large_a_request_is_refused_by_its_length_and_where_it_grows(server: Any) -> None:
    announced = Asked(server, "/v1/completions", b"a", content_length="5001")
    assert announced.status == 413
    assert announced.error["message"] == "The request is larger than 5,000 bytes. Send less at once."
    piece = b"1000\r\n" + b" " * 4096 + b"\r\n"
    grows = Asked(server, "/v1/completions", piece * 2 + b"0\r\n\r\n", content_length=None,
                  transfer_encoding="chunked")  # fmt: skip
    assert grows.status == 413
    assert grows.error["message"] == announced.error["message"]


STRANGERS: list[tuple[int, dict[str, str | None]]] = [
    (421, {"host": "evil.example"}),
    (421, {"host": "evil.example:80"}),
    (421, {"host": "127.0.0.1"}),
    (403, {"origin": "http://evil.example"}),
    (403, {"origin": "null"}),
    (403, {"sec_fetch_site": "cross-site"}),
    (403, {"sec_fetch_site": "same-site"}),
    (415, {"content_type": "text/plain"}),
    (415, {"content_type": "application/x-www-form-urlencoded"}),
    (415, {"content_type": None}),
]


@pytest.mark.parametrize(("status", "headers"), STRANGERS, ids=lambda value: str(value)[:40])
def test_pages_of_other_sites_and_other_names_are_not_let_in(
    server: Any, status: int, headers: dict[str, str | None]
) -> None:
    answer = Asked(server, "/v1/completions", {"model": "whole", "prompt": "a"}, **headers)
    assert answer.status == status
    assert answer.error["message"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE"])
def test_other_methods_are_refused(server: Any, method: str) -> None:
    answer = Asked(server, "/v1/completions", method=method)
    assert (answer.status, answer.error["message"]) == (405, "Only GET and POST are answered.")
    assert Asked(server, "/v1/completions").status == 405
    assert Asked(server, "/v1/models", {}).status == 405


def test_beyond_this_machine_a_token_is_asked_for(trained: Path) -> None:
    with serving([trained], host="0.0.0.0") as elsewhere:
        token = elsewhere.served.token
        assert len(token) >= 32
        with client_of(elsewhere, token) as client:
            assert client.completions.create(model="whole", prompt="a").choices
        for key in (token[:-1], token + "a", "none"):
            with (
                pytest.raises(openai.AuthenticationError, match="printed as the API key"),
                client_of(elsewhere, key) as client,
            ):
                client.models.list()
        assert Asked(elsewhere, "/v1/models").status == 401
        assert Asked(elsewhere, "/v1/models", authorization=f"Basic {token}").status == 401


def test_a_token_of_ones_own_is_asked_for_here_too(trained: Path) -> None:
    with serving([trained], token="open-sesame") as guarded:
        assert Asked(guarded, "/v1/models").status == 401
        assert Asked(guarded, "/v1/models", authorization="bearer open-sesame").status == 200


def test_what_cannot_be_served_is_said_in_one_sentence(commands: Commands, trained: Path, tmp_path: Path) -> None:
    assert "There is no run nothing" in commands.refused("serve", "nothing", "--runs", tmp_path)
    assert "No run was named" in commands.refused("serve")
    shutil.copytree(trained, tmp_path / "other" / "whole")
    said = commands.refused("serve", trained, tmp_path / "other" / "whole")
    assert said.startswith("Two runs are called whole: ")
    assert str(tmp_path / "other" / "whole") in said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = commands.refused("serve", trained, "--port", port)
        assert f"Nothing can listen on 127.0.0.1, port {port}: Address already in use" in said
    assert "This token cannot be used" in commands.refused("serve", trained, "--port", 0, "--token", "two words")
    assert "at_once cannot be 0" in commands.refused("serve", trained, "--at-once", 0)
    shutil.rmtree(tmp_path / "other" / "whole" / "checkpoints")
    assert "no whole checkpoint" in commands.refused("serve", tmp_path / "other" / "whole", "--port", 0)


def test_every_limit_is_a_flag_with_a_help_and_in_the_documentation(commands: Commands) -> None:
    help, page = commands.done("serve", "--help").out, (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    for name, field in Limits.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        assert flag in help
        assert f"`{flag}`" in page
        assert str(field.default).removesuffix(".0") in page.replace(",", "")
    for field in Body.model_fields:
        assert f"`{field}`" in page, f"docs/serving.md says nothing of {field}"
