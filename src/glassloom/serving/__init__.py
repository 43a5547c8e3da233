"""Runs behind the OpenAI completions protocol, for programs that speak it.

    limits       how much is done at once, and for one asker
    asked        what a request may say, and what is made of it
    refusal      what cannot be answered, in a sentence
    scheduler    one model, its texts side by side
    told         what is answered, piece by piece
    gate         who is let in
    app          which address is answered by what
    server       listens, and ends without breaking off

docs/serving.md says what it speaks, and what it refuses.
"""

from glassloom.serving.limits import Limits

__all__ = ["Limits"]
