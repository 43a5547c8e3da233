"""Who is let in: every request passes here first, before any of its body is read.

Host              only names of this server: a page of another host whose name points here (DNS rebinding)
                  sends its own name
Origin            no page of another site, whatever it asks for
Sec-Fetch-Site
Authorization     `Bearer TOKEN`, where the server has a token; it has one wherever it listens beyond this machine
Content-Type      a body is JSON, so that no page's form can send one
size              a body is refused by its announced length, or where it grows beyond it
"""

import hmac

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassloom.serving.refusal import Refusal
from glassloom.studio.guard import OWN_SITE, Rules, is_own_name, limited

HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every answer carries."""


class Gate:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, rules: Rules, largest: int) -> None:
        self.app, self.rules, self.largest = app, rules, largest

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

        try:
            self.check(scope)
        except Refusal as refusal:
            await refusal.response(closes=True)(scope, receive, send_with_headers)
            return
        await self.app(scope, limited(receive, self.largest), send_with_headers)

    def check(self, scope: Scope) -> None:
        """Let a request in.

        Raises:
            Refusal: it is not.
        """
        headers, method = Headers(scope=scope), scope["method"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_own_name(hosts[0], self.rules):
            raise Refusal(421, "This address is not the server's. Use the one that glassloom serve printed.")
        own = f"{scope['scheme']}://{hosts[0]}"
        if headers.get("sec-fetch-site", "none") not in OWN_SITE or headers.get("origin", own) != own:
            raise Refusal(403, "No page of another site is answered.")
        if method not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "Only GET and POST are answered.")
        if self.rules.token is not None:
            kind, _, shown = headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), self.rules.token.encode()):
                raise Refusal(
                    401, "The token is missing or wrong. Give the one that glassloom serve printed as the API key.",
                    code="invalid_api_key",
                )  # fmt: skip
        if method == "POST" and headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "Only JSON is read. Send Content-Type: application/json.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.largest:
            raise too_large(self.largest)


def too_large(largest: int) -> Refusal:
    """The answer to a body beyond the limit."""
    return Refusal(413, f"The request is larger than {largest:,} bytes. Send less at once.")
