"""From a model to text: the one decoder.

`DecodingSettings` can be had without torch, which loads with the first of the other names.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glassloom.generation.settings import DecodingSettings

if TYPE_CHECKING:
    from glassloom.generation.decoder import Decoded, decode
    from glassloom.generation.sample import Sample, Stream, encode_prompt, generate

_HOMES = {
    "Decoded": "decoder",
    "decode": "decoder",
    "Sample": "sample",
    "Stream": "sample",
    "encode_prompt": "sample",
    "generate": "sample",
}

__all__ = ["Decoded", "DecodingSettings", "Sample", "Stream", "decode", "encode_prompt", "generate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
