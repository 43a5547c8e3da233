"""Packages of other formats: imported where a format is written or read, and named where they are missing."""

import importlib
from typing import Any

from glassloom.errors import InputError


def package(name: str, purpose: str) -> Any:
    """An optional package, or one sentence about what to install.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise InputError(
            f"{purpose} needs the package {missing}, which is not installed",
            "the packages of the extra `export`",
            "pip install 'glassloom[export]'",
        ) from None
