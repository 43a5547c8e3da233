"""The safetensors files of a model folder: what their headers declare, checked before any tensor is allocated.

One file, or several with an index; nothing else is opened, and nothing is executed. Pickled files (`.bin`, `.pt`)
could run code when they are read, so they are refused.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from glassloom.errors import InputError

SINGLE, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
TYPES = ("F32", "F16", "BF16", "F64")
WHOLE = "download the whole folder again"
LARGEST_DOCUMENT = 64 * 2**20
"""A document beyond is no config, index or tokenizer."""


@dataclass(frozen=True)
class WeightFiles:
    """Which tensors lie in which file, and their shapes."""

    folder: Path
    files: dict[str, str]
    shapes: dict[str, tuple[int, ...]]

    def read(self) -> dict[str, Tensor]:
        """All tensors, in float32."""
        found = {}
        with ExitStack() as stack:
            opened = {name: stack.enter_context(opening(self.folder / name)) for name in set(self.files.values())}
            for name, file in self.files.items():
                found[name] = opened[file].get_tensor(name).to(torch.float32)
        return found


def weight_files(folder: Path) -> WeightFiles:
    """The weights of a folder, by the headers of their files alone.

    Raises:
        InputError: there are none as safetensors, a file is damaged or missing, or a type holds no plain numbers.
    """
    if (folder / INDEX).is_file():
        listed = document(folder / INDEX).get("weight_map")
        if not isinstance(listed, dict) or not all(isinstance(file, str) for file in listed.values()):
            raise InputError(f"{folder / INDEX} has no weight_map", "names of tensors and of files", WHOLE)
        names = sorted(set(listed.values()))
        for name in names:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise InputError(f"{folder / INDEX} names {name!r}", "safetensors files of that very folder", WHOLE)
    elif (folder / SINGLE).is_file():
        listed, names = None, [SINGLE]
    else:
        raise no_weights(folder)
    files: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names:
        with opening(folder / name) as file:
            for tensor in file.keys():  # noqa: SIM118
                part = file.get_slice(tensor)
                if part.get_dtype() not in TYPES:
                    raise InputError(
                        f"The weight {tensor} has the type {part.get_dtype()}",
                        f"one of {', '.join(TYPES)}",
                        "take the model as it was before it was quantised",
                    )
                files[tensor], shapes[tensor] = name, tuple(part.get_shape())
    if listed is not None and (lacking := sorted(set(listed) - set(files))):
        raise InputError(f"{folder / INDEX} names {lacking[0]}, which is in none of its files", "a whole model", WHOLE)
    return WeightFiles(folder, files, shapes)


def opening(path: Path) -> Any:
    """A safetensors file, its header read and held against its size.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {error}", "a whole safetensors file", WHOLE) from None


def no_weights(folder: Path) -> InputError:
    """What is said of a folder without safetensors."""
    pickles = [path.name for kind in PICKLES for path in sorted(folder.glob(kind))]
    if pickles:
        return InputError(
            f"The weights of {folder} are pickled ({pickles[0]}), and could run code when they are read",
            "safetensors",
            "save it again with model.save_pretrained(folder, safe_serialization=True)",
        )
    return InputError(f"{folder} holds no weights", f"{SINGLE}, or {INDEX} and its files", WHOLE)


def document(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        InputError: it is not there, is no JSON object, or is far too long.
    """
    try:
        if path.stat().st_size > LARGEST_DOCUMENT:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes", f"at most {LARGEST_DOCUMENT:,}", WHOLE)
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path.parent} has no {path.name}", "a model folder of Hugging Face", WHOLE) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}", "a JSON object", WHOLE) from None
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no JSON object", "names and values", WHOLE)
    return found
