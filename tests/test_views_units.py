"""Units and gates: a counter of brackets that is found first, scores that are known, saturation by hand."""

import numpy as np
import pytest
import torch

from glassloom.errors import InputError, SettingError
from glassloom.exhibits import Coloured, Lines, Matrices, Points, Table
from glassloom.views.gates import gates
from glassloom.views.properties import PROPERTIES, named_property, property_of_tokens
from glassloom.views.units import scored_classes, scored_lines, units
from models_by_hand import BRACKETS, LETTERS, counting, identity, recurrence

NESTED = "(a[b]b)a[a](b)((a)b)[[a]b(a)]ab(a)b[(b)a]([(a)])b" * 2


def test_a_counter_set_by_hand_is_found_first_for_brackets() -> None:
    found = units((counting(unit=3), BRACKETS), NESTED, properties=["bracket-depth"])
    unit, score = found.best("bracket-depth")
    assert unit == "layers.0.cell:3"
    assert score == pytest.approx(1.0, abs=1e-9)
    [tracked] = found.tracked
    cell = found.activations[found.units.index(unit)]
    np.testing.assert_allclose(cell, tracked.values / 2, atol=1e-9)
    others = [tracked.scores[number] for number, name in enumerate(found.units) if not name.endswith(":3")]
    assert max(others) < 0.5


def test_single_letters_are_tracked_by_the_units_that_see_them() -> None:
    found = units((counting(unit=3), BRACKETS), NESTED, properties=["/a/", "vowel", r"/\[[^\]]*\]/"])
    # units 0 to 4 but 3 see ( ) [ a: candidate[other, other % 6] is letter number 4, the a
    for name in ("/a/", "vowel"):
        unit, score = found.best(name)
        assert unit.endswith(":4")
        assert score == pytest.approx(1.0)
    assert [each.property for each in found.tracked] == ["/a/", "vowel", r"/\[[^\]]*\]/"]


def test_the_second_half_is_scored_by_what_the_first_half_fits() -> None:
    truth = np.array([0, 1, 0, 1, 0, 1, 1, 0], dtype=float)
    same, upside_down, lucky, constant = (
        truth * 2 + 1, -truth, np.array([0, 1, 0, 1, 1, 0, 0, 1.0]), np.ones(8)
    )  # fmt: skip
    found = scored_classes(np.stack([same, upside_down, lucky, constant]), truth, 4)
    assert found.tolist() == [1.0, 1.0, 0.0, 0.5]
    threshold = np.array([0.1, 0.9, 0.2, 0.8, 0.4, 0.6, 0.3, 0.7])  # cut between 0.2 and 0.8: 0.5
    assert scored_classes(threshold[None], truth, 4).tolist() == [0.5]
    line = np.array([0, 1, 2, 3, 4, 5, 6, 7], dtype=float)
    lines = scored_lines(np.stack([3 * line + 1, -line, np.zeros(8)]), line, 4)
    np.testing.assert_allclose(lines[:2], 1.0)
    later = line[4:]
    expected = 1 - ((later - line[:4].mean()) ** 2).sum() / ((later - later.mean()) ** 2).sum()
    assert lines[2] == pytest.approx(expected)


def test_properties_are_those_of_a_token_s_last_character() -> None:
    name, found = property_of_tokens("line-position", ["ab", "\n", "", "cd"])
    assert (name, found.tolist()) == ("line-position", [1, 2, 2, 1])
    assert property_of_tokens("quotes", list('a"b"'))[1].tolist() == [0, 1, 1, 0]
    assert property_of_tokens("quotes", list("«b»c"))[1].tolist() == [1, 1, 0, 0]
    assert property_of_tokens(r"/\d+/", ["a1", "2b", "3"])[1].tolist() == [1, 0, 1]

    def half(text: str) -> list[float]:
        return [place / 2 for place in range(len(text))]

    assert property_of_tokens(half, ["ab", "c"])[1].tolist() == [0.5, 1.0]
    assert property_of_tokens(half, ["ab", "c"])[0] == "half"
    for name, function in PROPERTIES.items():
        assert len(function("A 1, é\n(b) x\t")) == 13, name
    with pytest.raises(InputError, match="one number for each"):
        property_of_tokens(lambda text: [0.0], ["ab"])
    with pytest.raises(SettingError, match="did you mean quotes"):
        named_property("quote")
    with pytest.raises(SettingError, match="regular expression"):
        named_property("/(/")


TOLD = {"line-position", "bracket-depth", "vowel", "letter", "punctuation"}


def test_what_a_text_has_nothing_of_is_said() -> None:
    found = units((counting(), BRACKETS), NESTED)
    assert "digit" in found.absent
    assert {each.property for each in found.tracked} == TOLD
    table, text, whole = found.exhibits()
    assert isinstance(table, Table)
    assert ("bracket-depth", 1, "layers.0.cell:3") in [row[:3] for row in table.rows]
    assert "digit" in table.caption
    assert isinstance(whole, Matrices)
    assert [matrix.title for matrix in whole.matrices] == ["layers.0.cell", "layers.0.hidden"]
    cell = next(matrix for matrix in whole.matrices if matrix.title == "layers.0.cell")
    assert cell.rows == ("0", "1", "2", "3", "4")
    depths = [value / 2 for value in PROPERTIES["bracket-depth"](NESTED)]
    assert cell.values[3] == pytest.approx(tuple(depths[: len(cell.columns)]), abs=1e-4), "the counter, along the text"
    assert isinstance(text, Coloured)
    assert all(-1 <= piece.value <= 1 for pieces in text.texts.values() for piece in pieces)
    arrays = {array.name: array for array in found.arrays()}
    assert arrays["scores"].values.shape == (5, 10)
    assert "layers.0.cell:3" in arrays["activations"].labels["shown unit"]
    with pytest.raises(InputError, match="digit"):
        units((counting(), BRACKETS), NESTED, properties=["digit"])


def test_gates_held_open_and_closed_are_seen_to_be_saturated() -> None:
    """The forget gates of all units but the counter are closed, everything else is open."""
    found = gates((counting(width=5, unit=3), BRACKETS), "(a)b")
    assert found.gates == ("layers.0.gate.input", "layers.0.gate.forget", "layers.0.gate.output")
    np.testing.assert_allclose(found.openness, [[1.0] * 4, [0.2] * 4, [1.0] * 4])
    np.testing.assert_allclose(found.left, [[0.0] * 4, [0.8] * 4, [0.0] * 4])
    np.testing.assert_allclose(found.right, [[1.0] * 4, [0.2] * 4, [1.0] * 4])
    assert found.left_of_unit[1].tolist() == [1, 1, 1, 0, 1]
    table, _, along, points = found.exhibits()
    assert isinstance(along, Lines)
    shares = {series.name: series.y for series in along.series}
    assert shares["layers.0.gate.forget · below 0.1"] == pytest.approx((0.8,) * 4)
    assert shares["layers.0.gate.forget · above 0.9"] == pytest.approx((0.2,) * 4)
    assert len(shares) == 6
    assert isinstance(table, Table)
    assert table.rows[1][-2:] == (4, 1)
    assert isinstance(points, Points)
    assert len(points.points) == 15


def test_a_gate_that_moves_with_the_text_is_seen_where_it_moves() -> None:
    made = recurrence("gru", 1, LETTERS)
    logit = float(np.log(0.95 / 0.05))
    with torch.no_grad():
        weight = made.get_parameter("layers.0.input_weight")  # gates: reset or update first; both alike here
        a, b = LETTERS.encode("ab").tolist()
        weight[:2, a], weight[:2, b] = logit, -logit
    found = gates((made, LETTERS), "ab ab ")
    for row in range(2):
        np.testing.assert_allclose(found.openness[row], [0.95, 0.05, 0.5, 0.95, 0.05, 0.5])
        assert found.left[row].tolist() == [0, 1, 0, 0, 1, 0]
        assert found.right[row].tolist() == [1, 0, 0, 1, 0, 0]
        assert found.right_of_unit[row].tolist() == [pytest.approx(1 / 3)]


def test_a_model_without_gates_is_refused() -> None:
    with pytest.raises(InputError, match="rnn has no gates"):
        gates((identity(), LETTERS), "ab")
