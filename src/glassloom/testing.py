"""Whether an addition keeps the contract of its kind: what Glassloom's own are held to, as functions for your tests.

    def test_my_architecture():
        glassloom.testing.check_architecture("mingru", width=12)

Each takes the name that the addition is called by, raises AssertionError with every fault in a line of its own, and
gives what it measured. The models are tiny and the texts short: each takes some seconds at most.
"""

import json
import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from glassloom.config import checked
from glassloom.data.languages import END, LANGUAGES
from glassloom.data.tokenizers import TOKENIZERS, Evidence, Tokenizer, open_tokenizer
from glassloom.data.tokenizers.base import MARKS
from glassloom.doctor.examine import Examination
from glassloom.doctor.guarded import guarded
from glassloom.doctor.language import walk
from glassloom.doctor.opening import opened
from glassloom.doctor.subject import Subject as Examined
from glassloom.models import build, settings_of
from glassloom.models.checks import CHECKS, Measure
from glassloom.models.contract import LanguageModel
from glassloom.shapes import Tokens
from glassloom.views.catalogue import entry_of, look
from glassloom.views.labelled import View
from glassloom.views.subject import Source

VOCABULARY = 11
TEXT = "The cat sat on the mat, and the dog sat by the cat. 1 + 1 = 2.\n"
STRINGS = 4_000


def check_architecture(name: str, without: Collection[str] = (), **settings: Any) -> tuple[Measure, ...]:
    """Hold an architecture with these settings to the contract of every model, and have the doctor look at it.

    Pieces with a carried state equal one pass, rows leave each other alone, the loss starts near ln(vocabulary), one
    batch can be learned, every parameter gets a gradient that equals differences, what is saved comes back, every inner
    value is as declared (`glassloom.models.checks`); the future leaves the past alone, and whatever else the doctor
    asks. `without` names checks, or findings, that do not apply: an activation with a kink has no `differences`.

    >>> [measure.holds for measure in check_architecture("rnn", width=8, layers=1)]
    [True, True, True, True, True, True, True, True, True]
    """
    chosen = checked(settings_of(name), settings)
    faults, measures = [], []
    for check, measure in CHECKS.items():
        if check not in without:
            model = build(chosen, VOCABULARY, torch.Generator().manual_seed(0))
            found = measure(model, tokens_for(check))
            measures.append(found)
            if not found.holds:
                faults.append(
                    f"{check}: {found.claim}: {found.value:.3g}, at most {found.bound:g} {found.detail}".strip()
                )

    def builder(vocabulary: int) -> nn.Module:
        return build(chosen, vocabulary)

    with guarded():
        start = opened(Examined(builder, VOCABULARY, walk(VOCABULARY, 4000, 0)))
        examination = Examination(start.subject, lambda doing, found: None)
        examination.model_probes(start)
    findings = [one for one in examination.found if one.name not in without]
    faults += [f"{one.name}: {one.explanation}" for one in findings]
    faults += [f"not measured: {one}" for one in examination.failed]
    measures.append(Measure("the doctor finds nothing in a new model", float(len(findings)), 0.0))
    faults += list(faults_of_matrices(build(chosen, VOCABULARY)))
    return held(f"The architecture {name}", faults, measures)


def tokens_for(check: str) -> Tokens:
    """Random ids for one check of `glassloom.models.checks`; every row begins with another one."""
    rows, time = {"start": (16, 33), "differences": (2, 8), "overfit": (2, 17)}.get(check, (3, 17))
    drawn = torch.randint(VOCABULARY, (rows, time), generator=torch.Generator().manual_seed(5))
    drawn[:, 0] = torch.arange(rows) % VOCABULARY
    return drawn


def faults_of_matrices(model: LanguageModel) -> Iterable[str]:
    """What is wrong with the hidden matrices that it names for Muon."""
    parameters = dict(model.named_parameters())
    for name, count in model.gate_counts().items():
        if name not in parameters or parameters[name].ndim != 2:
            yield f"gate_counts: {name} is no matrix among its parameters"
        elif parameters[name].shape[0] % count:
            yield f"gate_counts: {name} has {parameters[name].shape[0]} rows, which are not {count} gates"


def check_tokenizer(name: str, text: str = TEXT) -> Tokenizer:
    """Hold a tokenizer, learned from a text, to the contract of every tokenizer.

    Ids lie in the vocabulary and are of its smallest type, every id has a printable label, a text in pieces has the ids
    of the whole, id by id is decoded as at once, plain JSON gives it back, and learning again gives the same.

    >>> check_tokenizer("char").size
    26
    """
    kind, _, size = name.partition(":")
    faults: list[str] = []

    def learned(marks: tuple[str, ...]) -> Tokenizer:
        evidence = Evidence("".join(sorted(set(text))), lambda: [text], int(size) if size else None, marks=marks)
        return TOKENIZERS[kind].learn(evidence)

    for marks in ((), MARKS):
        tokenizer = learned(marks)
        ids = tokenizer.encode(text)
        again = open_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
        pieces = [text[place : place + 7] for place in range(0, len(text), 7)]
        by_pieces = [int(index) for part in tokenizer.encode_chunks(pieces) for index in part]
        streamer, drawn = tokenizer.streamer(), np.random.default_rng(0).integers(tokenizer.size, size=200)
        shown = "".join([*(streamer.push(int(index)) for index in drawn), streamer.flush()])
        labels = tokenizer.labels()
        claims = {
            "its name is that which asks for it": tokenizer.name in (name, kind),
            "every id lies in the vocabulary": bool(len(ids)) and int(ids.max()) < tokenizer.size,
            "ids are of the smallest unsigned type": ids.dtype == tokenizer.dtype,
            "every id has a label that can be printed": len(labels) == tokenizer.size
            and all(label and label.isprintable() for label in labels),
            "every mark has an id": all(mark in tokenizer.specials for mark in marks),
            "JSON gives it back": (again.to_json(), again.size, again.encode(text).tolist())
            == (tokenizer.to_json(), tokenizer.size, ids.tolist()),
            "learning again gives the same": learned(marks).sha256 == tokenizer.sha256,
            "a text in pieces has the ids of the whole": by_pieces == ids.tolist(),
            "id by id is decoded as at once": shown == tokenizer.decode(drawn.tolist()),
            "its own ids are decoded and encoded to themselves": tokenizer.encode(tokenizer.decode(ids)).tolist()
            == ids.tolist(),
        }
        faults += [f"{claim}: not so{' with marks' if marks else ''}" for claim, holds in claims.items() if not holds]
    held(f"The tokenizer {name}", faults, ())
    return tokenizer


def check_language(name: str) -> tuple[Measure, ...]:
    """Hold a language to what is said of every language.

    What follows a prefix has probabilities that sum to 1, what is drawn can be produced, and over strings drawn the
    surprise and the length agree with entropy and mean length, within 5 standard errors (which chance exceeds for one
    sound language in 1.7 million); the seed is fixed.

    >>> [measure.holds for measure in check_language("ndfa")]
    [True, True, True]
    """
    language = LANGUAGES[name]
    strings = language.sample(STRINGS, np.random.default_rng(20))
    faults = [] if strings == language.sample(STRINGS, np.random.default_rng(20)) else ["one seed draws other strings"]
    worst = 0.0
    for string in strings[:100]:
        distributions = list(language.walk(string))
        if len(distributions) != len(string) + 1 or not distributions[-1].get(END, 0) > 0:
            faults.append(f"{string!r} was drawn, and cannot be produced")
            break
        worst = max(worst, *(abs(1 - sum(one.values())) for one in distributions))
    surprise = -np.array([language.log_probability(string) for string in strings])
    lengths = np.array([float(len(string)) for string in strings])
    measures = [Measure("probabilities sum to 1", worst, 1e-9)]
    for what, values, mean in (
        ("surprise and entropy agree", surprise, language.entropy_nats),
        ("lengths and mean length agree", lengths, language.mean_length),
    ):
        error = max(float(values.std()) / math.sqrt(len(values)), 1e-12)
        measures.append(Measure(what, abs(float(values.mean()) - mean) / error, 5.0, "standard errors"))
    faults += [f"{one.claim}: {one.value:.3g} {one.detail}, at most {one.bound:g}" for one in measures if not one.holds]
    return held(f"The language {name}", faults, measures)


def check_view(name: str, text: str = TEXT, source: Source | None = None, **options: Any) -> View:
    """Ask a view of a small model (or of `source`) and see that what it gives can be written as JSON, CSV and a page.

    >>> check_view("gates").view
    'gates'
    """
    if source is None:
        tokenizer = TOKENIZERS["char"].learn(Evidence("".join(sorted(set(text))), lambda: [text]))
        model = build(checked(settings_of("gru"), {"width": 8}), tokenizer.size, torch.Generator().manual_seed(0))
        source = (model, tokenizer)
    found = look(source, name, None if entry_of(name).text == "none" else text, **options)
    if not isinstance(found, View):
        raise AssertionError(f"The view {name} gives {type(found).__name__}, which is no View")
    names = [array.name for array in found.arrays()]
    exhibits = [exhibit.name for exhibit in found.exhibits()]
    told = json.loads(found.to_json())
    claims = {
        f"it calls itself {name}": found.view == name,
        "it has arrays, each by a name of its own": bool(names) and len(set(names)) == len(names),
        "it has exhibits, each by a name of its own": bool(exhibits) and len(set(exhibits)) == len(exhibits),
        "its JSON has every array": list(told["arrays"]) == names,
        "its CSV has a line a value": len(found.to_csv().splitlines())
        == 1 + sum(array.values.size for array in found.arrays()),
    }
    held(f"The view {name}", [f"{claim}: not so" for claim, holds in claims.items() if not holds], ())
    return found


def held(what: str, faults: list[str], measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """The measures; AssertionError with every fault where there are any."""
    if faults:
        raise AssertionError(f"{what} does not keep its contract:\n  " + "\n  ".join(faults))
    return tuple(measures)
