"""The texts that the cases are examined on, besides the one that the doctor takes by itself: made here, always alike.

>>> sorted(set(TEXTS["two"]()))
['a', 'b']
"""

import random
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

SIZE = 40_000
"""Characters of a text."""
SENTENCE = """the weaver ties a thread and pulls it through the loom while her brother winds the wool on a wheel
they sing of rain and of glass of slow boats and of bread in the morning"""
WORDS = SENTENCE.split()


def words() -> str:
    """Words in any order: letters follow from the letters before them, words do not."""
    source = random.Random(1)
    parts: list[str] = []
    while sum(map(len, parts)) < SIZE:
        parts.append(source.choice(WORDS) + (".\n" if source.random() < 0.1 else " "))
    return "".join(parts)[:SIZE]


def english() -> str:
    """The reference of the Python language, which is on every machine."""
    return "\n".join(topics[name] for name in sorted(topics))[:SIZE].encode("ascii", "ignore").decode()


def code() -> str:
    """A module of the standard library."""
    return Path(random.__file__).read_text(encoding="utf-8")[:SIZE]


def two() -> str:
    """Two symbols, the next one drawn by whether the last two are alike."""
    source, text = random.Random(2), "ab"
    while len(text) < SIZE:
        again = source.random() < (0.9 if text[-1] != text[-2] else 0.2)
        text += text[-1] if again else "ba"[text[-1] == "b"]
    return text


def many() -> str:
    """Five thousand symbols, rare ones by Zipf's law, each of which has ten that may follow it."""
    source, kinds = random.Random(3), 5_000
    follow = [[min(kinds - 1, int(kinds ** source.random()) - 1) for _ in range(10)] for _ in range(kinds)]
    numbers = source.sample(range(kinds), kinds)
    while len(numbers) < SIZE:
        numbers.append(source.choice(follow[numbers[-1]]) if source.random() < 0.9 else source.randrange(kinds))
    return "".join(chr(0x4E00 + number) for number in numbers)


def uniform() -> str:
    """Sixteen symbols, drawn one by one: nobody can beat ln 16."""
    source = random.Random(4)
    return "".join(source.choices("abcdefghijklmnop", k=SIZE))


def cycle() -> str:
    """Twelve symbols in their order, again and again: nothing is left to learn for who knows the order."""
    return "abcdefghijkl" * (SIZE // 12)


TEXTS: dict[str, Callable[[], str]] = {f.__name__: f for f in (words, english, code, two, many, uniform, cycle)}
"""By the name that stands in braces in `expected.toml`."""


def write_texts(folder: Path) -> dict[str, str]:
    """Every text as a file of the folder; the paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in TEXTS.items():
        (folder / f"{name}.txt").write_text(make(), encoding="utf-8")
    return {name: str(folder / f"{name}.txt") for name in TEXTS}
