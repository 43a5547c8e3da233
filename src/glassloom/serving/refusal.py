"""What cannot be answered, in the shape that OpenAI's clients know: one sentence, a kind, a field, a code."""

import json
from typing import Any

from starlette.responses import Response

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
    504: "timeout_error",
}
"""The kind of error that each status code stands for."""


class Refusal(Exception):  # noqa: N818
    """Why a request is not answered: status code, one sentence, the field at fault, a short name for programs."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None, after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.after = status, param, code, after

    def as_dict(self) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "error": {"message": str(self), "type": KINDS[self.status], "param": self.param, "code": self.code},
        }

    def response(self, closes: bool = False) -> Response:
        """The answer; `closes`: no more of the request is read."""
        headers = {} if self.after is None else {"retry-after": str(self.after)}
        if closes:
            headers["connection"] = "close"
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return as_json(self.as_dict(), self.status, headers)


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Plain data as an answer."""
    return Response(json_bytes(value), status, headers, media_type="application/json")


def json_bytes(value: Any) -> bytes:
    """Plain data as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
