"""Stop strings, found exactly however the text is cut into pieces."""

from collections.abc import Sequence


class StopWatch:
    """Lets text pass until a stop string is complete; holds back what may still become one.

    Of several stop strings the one that is complete first counts (of those complete at once, the longest); the text
    ends before it. So the outcome depends on the text alone, not on its pieces.

    >>> watch = StopWatch(["END"])
    >>> [watch.push(piece) for piece in ("an E", "N", "T, the E", "ND.")], watch.hit
    (['an ', '', 'ENT, the ', ''], True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.hit = False
        self._stops = tuple(stops)
        self._held = ""

    def push(self, piece: str) -> str:
        """The text that may be shown now. Once a stop string is complete, `hit` is True and nothing more comes."""
        if self.hit:
            return ""
        if not self._stops:
            return piece
        text = self._held + piece
        found = [(place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.hit, self._held = True, ""
            return text[: min(found)[1]]
        free = len(text) - self._unsure(text)
        self._held = text[free:]
        return text[:free]

    def flush(self) -> str:
        """What is held back, when no more text comes."""
        text, self._held = self._held, ""
        return text

    def _unsure(self, text: str) -> int:
        """The length of the longest end of the text that is the beginning of a stop string."""
        longest = min(len(text), max(map(len, self._stops)) - 1)
        ends = (length for length in range(longest, 0, -1) if any(s.startswith(text[-length:]) for s in self._stops))
        return next(ends, 0)
