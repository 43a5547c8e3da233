"""Models whose weights are set by hand, so that what a view must find in them is known."""

import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel

LETTERS = CharTokenizer("ab !\nc")
BRACKETS = CharTokenizer("()[]ab")
SHARP = 40.0


def looking_back(
    time: int, beta: float = SHARP, tokenizer: CharTokenizer = LETTERS, lag: int = 1, heads: int = 1
) -> LanguageModel:
    """A transformer whose first head's query at place p is the place p - lag, times beta; its value is the token there.

    A vector is its place's unit vector and its token's, side by side; after the layer norm they stand out from an even
    ground. What the head takes is added where the output reads it: the model says the token `lag` back again. Other
    heads do nothing.
    """
    size = tokenizer.size
    width = time + 2 * size
    settings = architecture("transformer").Settings(
        layers=1, heads=heads, width=width, context=time, positions="learned", final_norm=False, feedforward=1
    )
    model = build(settings, size).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()
        model.get_parameter("positions.weight")[:, :time] = torch.eye(time)
        model.get_parameter("embedding.weight")[:, time : time + size] = torch.eye(size)
        stacked = model.get_parameter("layers.0.attention.0.query_key_value.weight")
        stacked[: time - lag, lag:time] = beta * torch.eye(time - lag)
        stacked[width : width + time, :time] = torch.eye(time)
        stacked[2 * width : 2 * width + size, time : time + size] = torch.eye(size)
        model.get_parameter("layers.0.attention.0.output.weight")[time + size :, :size] = torch.eye(size)
        model.get_parameter("output.weight")[:, time + size :] = torch.eye(size)
    return model


def recurrence(name: str, width: int, tokenizer: CharTokenizer = LETTERS, **settings: object) -> LanguageModel:
    """A model of one recurrent layer with one-hot inputs whose every weight is zero, to be set."""
    made = build(architecture(name).Settings(layers=1, width=width, embedding=0, **settings), tokenizer.size).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    return made


def identity(width: int = 4, tokenizer: CharTokenizer = LETTERS) -> LanguageModel:
    """h_t = relu(h_{t-1} + 1/10), read by an output of ones on one token: a state that nothing ever leaves."""
    made = recurrence("rnn", width, tokenizer, activation="relu")
    with torch.no_grad():
        made.get_parameter("layers.0.recurrent_weight").copy_(torch.eye(width))
        made.get_parameter("layers.0.bias").fill_(0.1)
        made.get_parameter("output.weight")[0] = 1.0
    return made


def copying(lag: int, tokenizer: CharTokenizer = LETTERS, sure: float = 12.0) -> LanguageModel:
    """A delay line: the next token is the one `lag` places before it, with log-odds `sure` against each other one.

    The state is `lag` one-hot blocks; a new token enters the first, and every block moves on by one.
    """
    size = tokenizer.size
    made = recurrence("rnn", lag * size, tokenizer, activation="relu")
    with torch.no_grad():
        made.get_parameter("layers.0.input_weight")[:size] = torch.eye(size)
        moved = made.get_parameter("layers.0.recurrent_weight")
        for block in range(1, lag):
            moved[block * size : (block + 1) * size, (block - 1) * size : block * size] = torch.eye(size)
        made.get_parameter("output.weight")[:, (lag - 1) * size :] = sure * torch.eye(size)
    return made


def counting(width: int = 5, unit: int = 3) -> LanguageModel:
    """An LSTM over BRACKETS one of whose cells is the depth of the brackets; the others see single letters.

    Gates of +-SHARP are open and closed. The candidate of the counter is +1/2 at an opening bracket and -1/2 at a
    closing one (as near as tanh(atanh(1/2)) is), so the cell is half the depth.
    """
    made = recurrence("lstm", width, BRACKETS)
    half = float(torch.atanh(torch.tensor(0.5, dtype=torch.float64)))
    with torch.no_grad():
        enter, forget, _, show = made.get_parameter("layers.0.bias").split(width)
        enter[:], show[:] = SHARP, SHARP
        candidate = made.get_parameter("layers.0.input_weight")[2 * width : 3 * width]
        candidate[unit] = torch.tensor([half, -half, half, -half, 0.0, 0.0])
        forget[:] = -SHARP
        forget[unit] = SHARP
        for other in range(width):
            if other != unit:
                candidate[other, other % 6] = 1.0
    return made
