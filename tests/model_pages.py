"""Pages with a model in them, for tests: made of any model, and opened in a browser that keeps what it is told."""

from pathlib import Path
from typing import Any

import torch

from browsing import Heard
from glassloom.data.tokenizers import CharTokenizer, Tokenizer
from glassloom.exchange.page import page_as_html
from glassloom.exchange.telling import Told, about, unit_of
from glassloom.models import build
from glassloom.models.contract import LanguageModel
from glassloom.models.settings import ModelSettings

LETTERS = CharTokenizer("abcdefg \n")


def told(model: LanguageModel, tokenizer: Tokenizer, **changes: Any) -> Told:
    """What a page says about a model that has no run."""
    known = about(model.settings.architecture)
    given: dict[str, Any] = {
        "title": "A model", "kind": known.name, "unit": unit_of(tokenizer), "works": "", "script": known.script,
        "facts": (), "lines": (), "measured_in": "", "judged": "", "prompt": "", "date": "2026-11-21T09:00:00+00:00",
    }  # fmt: skip
    return Told(**{**given, **changes})


def noisy(settings: ModelSettings, vocabulary: int, seed: int = 1) -> LanguageModel:
    """A model whose every parameter matters: at zero biases and scales of one a wrong equation can look right."""
    generator = torch.Generator().manual_seed(seed)
    model = build(settings, vocabulary, generator).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def halved(model: LanguageModel, type: torch.dtype = torch.float16) -> LanguageModel:
    """The same model, its weights rounded to 16 bits and widened again."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(type).float())
    return model


class Visitor(Heard):
    """A window for pages with a model in them."""

    def open(self, path: Path) -> "Visitor":
        """Open a page, and wait until its model can be asked."""
        self.page.goto(path.as_uri())
        self.page.locator("html[data-ready=yes]").wait_for(timeout=30_000)
        return self

    def show(self, model: LanguageModel, tokenizer: Tokenizer, folder: Path, **changes: Any) -> "Visitor":
        """Open the page of a model that has no run."""
        path = folder / "page.html"
        path.write_text(page_as_html(model, tokenizer, told(model, tokenizer, **changes)), encoding="utf-8")
        return self.open(path)

    def finished(self) -> str:
        """Wait until the page has nothing to do any more; what it says then."""
        self.page.locator("#text[aria-busy=false]").wait_for(timeout=30_000)
        return self.page.locator("#status").inner_text()

    def logits(self, ids: list[int]) -> torch.Tensor:
        """Its logits after each id, `time vocab`."""
        return torch.tensor(self.page.evaluate("ids => glassloom.logits(ids)", ids))

    def encode(self, text: str, skip: bool = False) -> list[int]:
        """The ids of a text."""
        found: list[int] = self.page.evaluate("([text, skip]) => glassloom.encode(text, skip)", [text, skip])
        return found

    def read(self, text: str, **settings: Any) -> list[dict[str, Any]]:
        """The tokens of a text as the model met them."""
        return self._tokens("read", text, settings)

    def write(self, text: str, **settings: Any) -> list[dict[str, Any]]:
        """The tokens that it went on with."""
        return [token for token in self._tokens("write", text, settings) if token.get("written")]

    def _tokens(self, kind: str, text: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
        plain = """async ([kind, text, settings]) => (await glassloom[kind](text, settings)).tokens.map((token) => ({
            ...token, inside: token.inside && Object.fromEntries(Object.entries(token.inside).map(
                ([name, value]) => [name, Array.isArray(value) ? value.map((one) => Array.from(one)) : value])) }))"""
        found: list[dict[str, Any]] = self.page.evaluate(plain, [kind, text, settings])
        return found
