"""What views say of the same text and the same parts agrees: losses, names, and how the text was read."""

import numpy as np
import pytest
import torch

from glassloom.errors import InputError
from glassloom.exhibits import Bars, Matrices
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.report.writing import written
from glassloom.views import attribution as attribution_view
from glassloom.views import units as units_view
from glassloom.views.ablation import ablate
from glassloom.views.attended import attended
from glassloom.views.attribution import attribution
from glassloom.views.flows import flows
from glassloom.views.patching import patch
from glassloom.views.probabilities import probabilities
from glassloom.views.subject import looking, recorded_over
from glassloom.views.surprise import surprise
from glassloom.views.units import units
from models_by_hand import LETTERS, looking_back

TEXT = "ab !abcab ca\nab!ac ba"
CONTEXT = 6


def model(name: str, **settings: object) -> LanguageModel:
    more = {"heads": 2, "context": CONTEXT, **settings} if name == "transformer" else settings
    made = build(architecture(name).Settings(**{"width": 8, "layers": 2, **more}), LETTERS.size,
                 torch.Generator().manual_seed(1)).double()  # fmt: skip
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3.0)  # so that it matters what a window leaves out
    return made


@pytest.mark.parametrize("positions", ["rotary", "learned", "none", ""])
def test_a_text_longer_than_the_context_costs_the_same_in_every_view(positions: str) -> None:
    made = model("transformer", positions=positions) if positions else model("gru")
    told = surprise((made, LETTERS), TEXT)
    lens = probabilities((made, LETTERS), TEXT)
    off = ablate((made, LETTERS), TEXT, kinds=["layer"])
    np.testing.assert_allclose(lens.next_bits[-1][:-1], told.bits[1:], rtol=1e-12)
    np.testing.assert_allclose(lens.next_bits[-2][:-1], told.bits[1:], rtol=1e-12, err_msg="the last layer's lens")
    assert off.plain == pytest.approx(told.mean_bits, rel=1e-12)
    how = f"in windows of {CONTEXT} tokens, each {CONTEXT // 2} further on, as evaluate does (fair)"
    expected = how if positions else "in one pass"
    assert [found.facts()["read"] for found in (told, lens, off)] == [expected] * 3
    assert f"read {expected}" in lens.exhibits()[0].caption
    assert f"read {expected}" in off.exhibits()[0].caption


def test_in_one_pass_a_long_text_would_cost_otherwise() -> None:
    """So that the test above says something."""
    made = model("transformer", positions="rotary")
    with looking(made):
        logits, _ = made(torch.tensor([LETTERS.encode(TEXT).tolist()]))
    logs = logits[0, :-1].log_softmax(-1)
    bits = -logs.gather(1, torch.tensor(LETTERS.encode(TEXT).tolist()[1:])[:, None])[:, 0] / np.log(2)
    assert abs(float(bits.mean()) - surprise((made, LETTERS), TEXT).mean_bits) > 1e-3


def test_each_place_of_a_window_is_seen_as_the_window_alone_shows_it() -> None:
    """Ids 0 to 7 with a context of 6: 0 to 5, then windows with a stride of 3, then the last input by its own."""
    made, ids = model("transformer", positions="learned"), LETTERS.encode(TEXT).tolist()[:10]
    windows = [(0, 6, 0), (3, 9, 6), (4, 10, 9)]
    with looking(made):
        found = recorded_over(made, ids, lambda name: name == "layers.1.residual")["layers.1.residual"][0]
        for begin, end, first in windows:
            alone = recorded_over(made, ids[begin:end], lambda name: name == "layers.1.residual")["layers.1.residual"]
            torch.testing.assert_close(found[first:end], alone[0, first - begin :], rtol=1e-12, atol=1e-12)
    assert found.shape == (10, 8)
    seen = units((made, LETTERS), ids, properties=["letter"])
    last = seen.units.index("layers.1.residual:7")
    np.testing.assert_allclose(seen.activations[last], found[:, 7].numpy())
    assert "in windows of 6" in seen.facts()["read"]


def test_views_that_read_in_one_pass_say_so() -> None:
    made = model("transformer", positions="rotary")
    assert attended((made, LETTERS), TEXT).facts()["read"] == "in one pass"
    assert attribution((made, LETTERS), TEXT).facts()["read"] == "in one pass"
    assert flows((made, LETTERS), TEXT).facts()["transformer"]["read"] == "in one pass"
    assert patch((made, LETTERS), "ab!a", other="ab!b").facts()["read"] == "in one pass"
    assert "in one pass" in attended((made, LETTERS), TEXT).exhibits()[-1].caption


def test_the_head_that_attention_names_is_the_one_that_ablation_and_steering_name() -> None:
    made = looking_back(8, heads=2)
    first = attended((made, LETTERS), "abababab").heads[0]
    assert (first.kind, first.head.title(1)) == ("previous token", "layer 0 head 0")
    costliest = ablate((made, LETTERS), "abababab", kinds=["head"], by="zero").parts[0]
    assert costliest.name == f"layers.{first.head.layer}.attention.{first.head.sublayer}.mixed:{first.head.head}"


def test_a_share_above_one_is_explained_and_nothing_is_minus_nothing() -> None:
    found = patch((looking_back(8), LETTERS), "a!ab!", other="a!ac!")
    [exhibit] = found.exhibits()
    assert isinstance(exhibit, Matrices)
    assert "Above 1: more than comes back" in exhibit.caption
    first, other = (f"{odds:.2f}".replace("-", "−") for odds in found.log_odds)
    assert f"as on the other text ({other} nats); 1: as on the first ({first})" in exhibit.caption
    assert other.startswith("−")
    cells = [value for row in exhibit.matrices[0].values for value in row if value is not None]
    assert not [value for value in cells if str(value) == "-0.0"]
    assert (written(-0.0), written(0.0), written(-1e-9)) == ("0", "0", "−1e−09")


def test_a_text_that_is_too_long_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model("gru")
    monkeypatch.setattr(attribution_view, "MOST_TOKENS", len(TEXT) - 1)
    with pytest.raises(InputError, match=rf"{len(TEXT)} tokens.*--at"):
        attribution((made, LETTERS), TEXT)
    assert attribution((made, LETTERS), TEXT, at=len(TEXT)).places == (len(TEXT) - 1,)
    assert len(attribution((made, LETTERS), TEXT[:-1]).places) == len(TEXT) - 2
    monkeypatch.setattr(units_view, "MOST_VALUES", 16 * len(TEXT) - 1)
    with pytest.raises(InputError, match=f"16 units over {len(TEXT)} tokens.*at most {len(TEXT) - 1} tokens"):
        units((made, LETTERS), TEXT)
    assert len(units((made, LETTERS), TEXT[:-1]).labels) == len(TEXT) - 1


def test_a_whole_layer_has_a_name_that_fits_a_figure() -> None:
    bars = ablate((model("transformer"), LETTERS), TEXT, kinds=["layer"]).exhibits()[0]
    assert isinstance(bars, Bars)
    assert {bar.label for bar in bars.bars} == {"layers.0", "layers.1"}


def test_kinds_that_were_left_out_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassloom.views.ablation.MOST_UNITS", 15)
    found = ablate((model("gru"), LETTERS), TEXT)
    assert found.facts()["not tried"] == {"unit": 16}
    expected = "Its 16 parts of the kind unit were not tried, as they are more than 15: --kind unit tries them."
    assert all(expected in exhibit.caption for exhibit in found.exhibits())
