"""What is let in, and what every answer carries. Every request passes here first, before any of its body is read.

    Host              only names of this server: a page of another host that has its name point here (DNS rebinding)
                      sends its own name
    token             where the server listens beyond this machine: in the first address, from then on as a cookie
    Sec-Fetch-Site    no other site's page may ask for anything but the page itself; a POST must show by it, or by
    Origin            Origin, that it comes from this page
    size              a body is refused by its announced length, or where it grows beyond it

There is no CORS: no answer says that another origin may read it, and OPTIONS is refused.
"""

import hmac
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Of the page: scripts and styles from this server's files alone, nothing inline, no other host."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""What every answer carries that has none of its own."""
LARGEST = 256 * 2**10
"""Bytes of a request, unless its address takes more."""
PATIENCE_SECONDS = 10.0
"""So long a request may take to arrive, headers and body together."""
OWN_SITE = ("same-origin", "none")
"""What a browser says of a request that comes from the page itself, or from the address bar."""


@dataclass(frozen=True)
class Rules:
    """Whom the guard lets in. `larger` are addresses whose bodies may be larger, with their bytes; `patience`
    are the seconds that a request may take to arrive."""

    host: str
    port: int
    token: str | None = None
    larger: dict[str, int] = field(default_factory=dict)
    patience: float = PATIENCE_SECONDS

    @property
    def cookie(self) -> str:
        """The cookie's name; ports share their cookies, so it names the port."""
        return f"glassloom-studio-{self.port}"


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_own_name(name: str, rules: Rules) -> bool:
    """Whether a Host header names this server.

    On this machine alone: a loopback address or localhost, with the port. Elsewhere also any address in numbers, which
    no other site's name can become, and the name that it was told to listen on.

    >>> rules = Rules("127.0.0.1", 8765)
    >>> is_own_name("localhost:8765", rules), is_own_name("evil.example:8765", rules), is_own_name("localhost", rules)
    (True, False, False)
    """
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        return False
    if host is None or parts.username is not None or parts.path or parts.query or port != rules.port:
        return False
    if is_loopback(host):
        return True
    if is_loopback(rules.host):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == rules.host.lower()
    return True


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self.refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        largest = self.rules.larger.get(scope["path"], LARGEST)
        await self.app(scope, limited(receive, largest), send_with_headers)

    def refusal(self, scope: Scope) -> Response | None:
        """Why a request is not let in, as an answer; None where it is."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_own_name(hosts[0], self.rules):
            return refused(421, "This address is not the studio's. Open the one that glassloom studio printed.")
        if method not in ("GET", "HEAD", "POST"):
            return refused(405, "Only GET and POST are answered.")
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if method == "POST":
            same = site == "same-origin" if site is not None else origin == f"{scope['scheme']}://{hosts[0]}"
            if not same or (origin is not None and origin != f"{scope['scheme']}://{hosts[0]}"):
                return refused(403, "This was not asked by the studio's own page.")
            if headers.get("content-type", "").split(";")[0].strip() != "application/json":
                return refused(415, "Only JSON is read.")
        elif site is not None and site not in OWN_SITE and path != "/":
            return refused(403, "This was not asked by the studio's own page.")
        if self.rules.token is not None:
            refusal = self.without_token(scope, headers)
            if refusal is not None:
                return refusal
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.rules.larger.get(path, LARGEST):
            return refused(413, "That is too much at once.")
        return None

    def without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered to whoever has not shown the token yet; to whoever shows it in the address, a cookie."""
        token = self.rules.token or ""
        shown = cookie_parser(headers.get("cookie", "")).get(self.rules.cookie)  # others' may be anything
        if shown is not None and hmac.compare_digest(shown.encode(), token.encode()):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] == "GET" and hmac.compare_digest(given.encode(), token.encode()):
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(self.rules.cookie, token, httponly=True, samesite="lax", path="/")
            return answer
        return refused(403, "The address has no token. Open the one that glassloom studio printed.")


def refused(status: int, why: str) -> Response:
    """An answer in one sentence; the connection ends, so that no more of the request is read."""
    return PlainTextResponse(why, status, headers={"connection": "close"})


class TooLargeError(Exception):
    """A body grew beyond what its address takes."""


def limited(receive: Receive, largest: int) -> Receive:
    """The same, but no body beyond so many bytes, whatever was announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > largest:
                raise TooLargeError
        return message

    return counted
