"""What is needed to add an architecture, a tokenizer, a language, a view or a check of the doctor, in one place.

    from glassloom.extending import LanguageModel, ModelSettings         an architecture
    from glassloom.extending import Evidence, Tokenizer                  a tokenizer
    from glassloom.extending import END, Language                        a language
    from glassloom.extending import Labelled, View, subject              a view
    from glassloom.extending import Check                                a check

These names stay; where they live inside may change. An installed package names what it adds as entry points, in the
groups `glassloom.architectures`, `.tokenizers`, `.languages`, `.views` and `.checks` (`glassloom.plugins`); `add` does
the same for the process that calls it. `glassloom.testing` says whether an addition keeps its contract.
"""

import importlib
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from glassloom.errors import SettingError, nearest
from glassloom.plugins import Catalogue

if TYPE_CHECKING:
    from glassloom.data.languages import END, Language
    from glassloom.data.tokenizers import Ids, Streamer, Tokenizer
    from glassloom.data.tokenizers.base import Evidence, entry_of, label, symbol_name
    from glassloom.doctor.additions import Check
    from glassloom.doctor.recorded import History
    from glassloom.errors import GlassloomError, InputError, TokenizerError, notice
    from glassloom.exhibits import Axis, Bars, Column, Lines, Points, Prose, Series, Table
    from glassloom.models.contract import LanguageModel, State
    from glassloom.models.layers import Embedding, Linear, Norm, drop
    from glassloom.models.settings import ModelSettings
    from glassloom.views.labelled import Labelled, View
    from glassloom.views.subject import Subject, hidden_over, looking, reading, subject

_NAMES = {
    "glassloom.data.languages": ("END", "Language"),
    "glassloom.data.tokenizers": ("Ids", "Streamer", "Tokenizer"),
    "glassloom.data.tokenizers.base": ("Evidence", "entry_of", "label", "symbol_name"),
    "glassloom.doctor.additions": ("Check",),
    "glassloom.doctor.recorded": ("History",),
    "glassloom.errors": ("GlassloomError", "InputError", "TokenizerError", "notice"),
    "glassloom.exhibits": ("Axis", "Bars", "Column", "Lines", "Points", "Prose", "Series", "Table"),
    "glassloom.models.contract": ("LanguageModel", "State"),
    "glassloom.models.layers": ("Embedding", "Linear", "Norm", "drop"),
    "glassloom.models.settings": ("ModelSettings",),
    "glassloom.views.labelled": ("Labelled", "View"),
    "glassloom.views.subject": ("Subject", "hidden_over", "looking", "reading", "subject"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "END", "Axis", "Bars", "Check", "Column", "Embedding", "Evidence", "GlassloomError", "History", "Ids", "InputError",
    "Labelled", "Language", "LanguageModel", "Linear", "Lines", "ModelSettings", "Norm", "Points", "Prose", "Series",
    "State", "Streamer", "Subject", "Table", "Tokenizer", "TokenizerError", "View", "add", "catalogue", "drop",
    "entry_of", "hidden_over", "label", "looking", "notice", "reading", "subject", "symbol_name",
]  # fmt: skip

Kind: TypeAlias = Literal["architecture", "tokenizer", "language", "view", "check"]
CATALOGUES = {
    "architecture": ("glassloom.models", "ARCHITECTURES"),
    "tokenizer": ("glassloom.data.tokenizers", "TOKENIZERS"),
    "language": ("glassloom.data.languages", "LANGUAGES"),
    "view": ("glassloom.views.catalogue", "VIEWS"),
    "check": ("glassloom.doctor.additions", "FINDINGS"),
}
"""By kind: where its catalogue is."""


def add(kind: Kind, name: str, what: Any) -> None:
    """Add an architecture, a tokenizer, a language, a view or a check under a name, for this process.

    A notebook tries things out so; processes that Glassloom starts (`--workers`, the studio's views, a doctor's file)
    know only what an installed package names as entry points.

    >>> from glassloom.extending import END, Language
    >>> class Ones(Language):
    ...     name, definition = "ones", "any number of 1"
    ...     def begin(self):
    ...         return 0
    ...     def following(self, state):
    ...         return {END: (0.5, state), "1": (0.5, state)}
    >>> add("language", "ones", Ones)  # doctest: +SKIP
    >>> round(Ones().entropy_nats, 4)
    1.3863

    Raises:
        SettingError: there is no such kind, the name is taken, or the thing is not of this kind.
    """
    catalogue(kind).add(name, what)


def catalogue(kind: str) -> Catalogue[Any]:
    """Everything of a kind by name, Glassloom's own and what was added.

    >>> catalogue("architecture").own
    ('rnn', 'gru', 'lstm', 'transformer')

    Raises:
        SettingError: there is no such kind.
    """
    if kind not in CATALOGUES:
        raise SettingError(f"There is no kind {kind!r}", f"one of {', '.join(CATALOGUES)}", nearest(kind, CATALOGUES))
    module, name = CATALOGUES[kind]
    found: Catalogue[Any] = getattr(importlib.import_module(module), name)
    return found


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
