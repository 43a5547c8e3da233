"""What a setting is called: the one place where names from outside become plain ones."""

from collections.abc import Mapping
from typing import Any

from glassloom.config.fields import all_settings
from glassloom.errors import SettingError


def plain_name(name: str) -> str:
    """A setting's own name, of a plain or a full one, as a flag or as Python has it.

    >>> plain_name("train.batch-size"), plain_name("lr")
    ('batch_size', 'lr')

    Raises:
        SettingError: the setting belongs to another section than the one named.
    """
    section, _, plain = name.rpartition(".")
    plain = plain.replace("-", "_")
    if section:
        home = next((one.section for one in all_settings() if one.name == plain), section)
        if home != section:
            raise SettingError(f"There is no setting {name}", fix=f"did you mean {home}.{plain}?")
    return plain


def plain_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their plain names. Wherever settings enter this is called once; further in, names are plain.

    >>> plain_names({"model": "gru", "train.batch-size": 4})
    {'model': 'gru', 'batch_size': 4}

    Raises:
        SettingError: a setting is given under two names, or belongs to another section than the one named.
    """
    plain: dict[str, Any] = {}
    for name, value in given.items():
        if (setting := plain_name(name)) in plain:
            raise SettingError(f"{setting} was given twice, once as {name}", "each setting once", "drop one of them")
        plain[setting] = value
    return plain
