"""What can be asked of a corpus: one field holds type, default, bounds, unit and help."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from glassloom.errors import SettingError

Shares = tuple[float, float, float]

ALL = "all"
"""The split that trains on everything and validates on the same."""


class DataSettings(BaseModel):
    """How a text becomes ids.

    >>> DataSettings(tokenizer="bpe:500", split="90,10").shares
    (0.9, 0.1, 0.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = Field(
        default="auto",
        description="What the text is cut into: char, byte, word, bpe:N with N pieces; "
        "auto: word for ptb and wikitext-2, else char",
    )
    split: str | None = Field(
        default=None,
        description="Shares of train, valid and, if wanted, test, as 90,10 or 90,5,5; the corpus's own if not given. "
        "all: train on the whole text and validate on that very text, which measures memorising, not learning",
        json_schema_extra={"unit": "percent"},
    )
    lowercase: bool = Field(default=False, description="Turn every letter into its lower case")
    normalize: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = Field(
        default="none", description="The Unicode normalisation of the text"
    )
    first_characters: int | None = Field(
        default=None,
        ge=2,
        description="Use no more than that many characters, from the start of the text",
        json_schema_extra={"unit": "characters"},
    )
    encoding: str = Field(
        default="auto", description="The encoding of the files; auto is UTF-8, or what a byte-order mark says"
    )
    minimum_count: int = Field(
        default=1,
        ge=1,
        description="Word tokenizer: words that occur less often in the train text are unknown",
        json_schema_extra={"unit": "occurrences"},
    )
    vocabulary_size: int | None = Field(
        default=None,
        ge=3,
        description="Word tokenizer: the most words in the vocabulary, <eos> and <unk> among them",
        json_schema_extra={"unit": "words"},
    )
    sequences: Literal["auto", "stream", "lines", "paragraphs"] = Field(
        default="auto",
        description="Whether the text is one stream, or each line or paragraph is a sequence of its own; "
        "auto: a stream, but lines for reviews and the formal languages",
    )
    marks: Literal["special", "text"] = Field(
        default="special",
        description="What a sequence begins and ends with. special: a .start, which is given, and an .end, which is "
        "scored; text: its own first symbol is given, and a line or paragraph ends with its line end",
    )
    samples: int = Field(
        default=10_000,
        ge=10,
        le=10_000_000,
        description="Formal languages: how many strings are drawn to train on; a tenth of that for valid and for test",
        json_schema_extra={"unit": "strings"},
    )
    language_seed: int = Field(default=0, ge=0, description="Formal languages: the seed of the strings drawn")
    skip_unknown: bool = Field(
        default=False,
        description="Read with another run's char tokenizer: leave out the symbols that it lacks instead of "
        "refusing the text",
    )

    @field_validator("tokenizer")
    @classmethod
    def _tokenizer_is_known(cls, name: str) -> str:
        from glassloom.data.tokenizers import find_tokenizer

        if name != "auto":
            find_tokenizer(name)
        return name

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        from glassloom.data.decoding import find_encoding

        return name if name == "auto" else find_encoding(name)

    @field_validator("split")
    @classmethod
    def _split_is_sound(cls, text: str | None) -> str | None:
        if text is not None:
            parse_shares(text)
        return text

    @property
    def shares(self) -> Shares | None:
        """The shares of train, valid and test asked for, summing to one; None for the corpus's own."""
        return None if self.split is None else parse_shares(self.split)

    @property
    def memorises(self) -> bool:
        """Whether the training text is the validation text too."""
        return self.split == ALL


def parse_shares(text: str) -> Shares:
    """The shares that `90,10` or `90,5,5` asks for, summing to one; `all` is all for train. Raises SettingError.

    >>> parse_shares("90,5,5")
    (0.9, 0.05, 0.05)
    """
    if text == ALL:
        return 1.0, 0.0, 0.0
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    sound = len(numbers) in (2, 3) and all(0 <= number < float("inf") for number in numbers) and numbers[0] > 0
    if not sound or not (abs(sum(numbers) - 100) < 0.01 or abs(sum(numbers) - 1) < 1e-4):
        raise SettingError(
            f"The split {text!r} cannot be used",
            "two or three shares that sum to 100, for train, valid and test, such as 90,10 or 90,5,5; or all",
            "say --split 90,10",
        )
    whole = 100 if sum(numbers) > 2 else 1
    train, valid, test = (number / whole for number in (*numbers, 0.0)[:3])
    return train, valid, test
