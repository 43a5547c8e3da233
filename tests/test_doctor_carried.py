"""A state of zeros at each window: a fault where windows follow one another, or where a detached one is kept unused."""

from pathlib import Path

import pytest

from doctor_files import CARRY, R, written
from test_doctor_names import diagnosed

CALL = "    logits, _ = model(inputs)\n"
IN_TURN = """    rows = tokens[:len(tokens) // batch_size * batch_size].view(batch_size, -1)
    at = getattr(make_batch, "at", 0)
    make_batch.at = (at + length) % (rows.shape[1] - 2 * length)
    return rows[:, at:at + length].clone(), rows[:, at + 1:at + length + 1].clone()
"""
ANYWHERE = R[R.index("    starts = ") : R.index("@torch.no_grad()\ndef generate")]
ZEROS = """    zeros = torch.zeros(1, inputs.size(0), 48)
    logits, _ = model(inputs, (zeros, zeros))
"""
LEFT_ON_MODEL = """    zeros = torch.zeros(1, inputs.size(0), 48)
    model.hidden = (zeros, zeros)
    logits, model.hidden = model(inputs, model.hidden)
"""
KEPT_UNUSED = LEFT_ON_MODEL + "    model.hidden = tuple(part.detach() for part in model.hidden)\n"
FAULT = ("state-reset-each-window",)


@pytest.mark.parametrize(
    ("call", "anywhere", "in_turn"),
    [
        pytest.param(ZEROS, (), FAULT, id="zeros handed, nothing kept"),
        pytest.param(LEFT_ON_MODEL, (), FAULT, id="zeros handed, the state left in a variable"),
        pytest.param(KEPT_UNUSED, FAULT, FAULT, id="zeros handed, the state detached and kept"),
        pytest.param(CARRY, (), (), id="the state handed on"),
        pytest.param(CALL, (), (), id="no state at all"),
    ],
)
def test_what_a_state_of_zeros_means_depends_on_the_batches(
    call: str, anywhere: tuple[str, ...], in_turn: tuple[str, ...], tmp_path: Path
) -> None:
    for number, (source, expected) in enumerate(((R, anywhere), (R.replace(ANYWHERE, IN_TURN + "\n\n"), in_turn))):
        assert (IN_TURN in source) == bool(number)
        assert diagnosed(written(source, [(CALL, call)]), tmp_path, trials=False).names == expected


def test_what_the_model_keeps_to_be_looked_at_is_not_the_loops(tmp_path: Path) -> None:
    """The same sizes and numbers as a state that the loop keeps; but the model put them there, and reads them never."""
    looked_at = (
        "return self.out(self.drop(h)), state",
        "self.seen = state[0].detach()\n        return self.out(self.drop(h)), state",
    )
    assert diagnosed(written(R, [looked_at]), tmp_path, trials=False).names == ()
