"""The examination: every probe in turn, exact ones first, then a few steps of the loop, then trials."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from glassloom.doctor.additions import of_models
from glassloom.doctor.attention import attention_findings
from glassloom.doctor.batches import Alignment, alignment, batch_findings, made
from glassloom.doctor.finding import Diagnosis, Finding
from glassloom.doctor.forward import axes_findings, leak_findings
from glassloom.doctor.generation import generation_findings
from glassloom.doctor.guarded import guarded
from glassloom.doctor.language import SYMBOLS, tokens_of, walk
from glassloom.doctor.lossy import loss_part_findings
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened, opened, told
from glassloom.doctor.order import order_findings
from glassloom.doctor.outputs import domain_of, finite_findings, initial_findings, width_findings
from glassloom.doctor.parameters import missed_findings, sharing_findings
from glassloom.doctor.ranking import ranked
from glassloom.doctor.reached import unreached_findings
from glassloom.doctor.repair import repaired
from glassloom.doctor.repeats import repeats
from glassloom.doctor.running import rows_for, running_findings, step_text
from glassloom.doctor.scoring import Domain
from glassloom.doctor.sensitivity import sensitivity_findings
from glassloom.doctor.subject import Subject
from glassloom.doctor.trials import Trials

Watcher = Callable[[str, tuple[Finding, ...]], None]
"""Told what is done next, and what has been found so far."""
SECONDS = 20.0
"""How long the whole may take, roughly, of this thread's own time: trials are shortened to fit."""
REPAIR_SECONDS = 6.0
"""How much longer the first finding's mend may take to be tried."""


def examine(
    build_model: Callable[..., nn.Module],
    *,
    compute_loss: Callable[..., Any] | None = None,
    build_optimizer: Callable[..., Any] | None = None,
    train_step: Callable[..., Any] | None = None,
    make_batch: Callable[..., Any] | None = None,
    generate: Callable[..., Any] | None = None,
    text: str | None = None,
    vocabulary: int | None = None,
    time_first: bool = False,
    settings: dict[str, Any] | None = None,
    seed: int = 0,
    trials: bool = True,
    watch: Watcher | None = None,
) -> Diagnosis:
    """Find out why a model does not learn: `build_model(vocabulary)` makes it, the other functions are its loop.

    Takes the very functions that a file for `glassloom doctor` may define. They are run in this process; random states,
    folder, threads, default type and device are afterwards as they were. `text`, one token a character, takes the place
    of a language with known answers, but for the trials of learning rates; without `trials` only exact probes are made.
    Raises InputError where no logits come out at all.

    >>> from torch import nn
    >>> def build(vocab_size):
    ...     return nn.Sequential(nn.Embedding(vocab_size, 8), nn.Linear(8, vocab_size), nn.Softmax(-1))
    >>> examine(build).names
    ('softmax-before-loss', 'no-past')
    """
    size = vocabulary or SYMBOLS
    ids = walk(size, 4000, seed)
    if text is not None:
        ids, size = tokens_of(text)
    subject = Subject(
        build_model,
        size,
        ids,
        compute_loss,
        build_optimizer,
        train_step,
        make_batch,
        generate,
        time_first,
        seed,
        settings or {},
        own_text=text is not None,
    )
    with guarded(threads=1):  # passes are small: two threads mostly wait for each other, and burn what they wait
        return examined(subject, watch or (lambda doing, found: None), trials)


def examined(subject: Subject, watch: Watcher, trials: bool) -> Diagnosis:
    """The diagnosis of a subject, in a process that is guarded already."""
    begun = time.thread_time()
    examination = Examination(subject, watch)
    opened_as = opened(subject)
    examination.model_probes(opened_as)
    left = SECONDS - (time.thread_time() - begun)
    examination.loop_probes(max(left, 1.0) if trials else 0.0)
    found = ranked(examination.found)
    if trials:
        found = examination.with_repair(found, begun + SECONDS + REPAIR_SECONDS)
    return Diagnosis(found, {"not_measured": examination.failed})


class Examination:
    """What has been found so far, probe by probe; a probe that fails is noted and passed over."""

    def __init__(self, subject: Subject, watch: Watcher) -> None:
        self.subject, self.watch = subject, watch
        self.found: list[Finding] = []
        self.failed: list[str] = []
        self.opened: Opened
        self.domain: Domain = "logits"
        self.length = 0

    def probe(self, doing: str, measure: Callable[[], Any], default: Any = None) -> Any:
        """Run one probe; a list that it returns are findings."""
        self.watch(doing, ranked(self.found))
        try:
            result = measure()
        except Exception as error:
            self.failed.append(f"{doing}: {told(error)}")
            return default
        if isinstance(result, list):
            self.found.extend(result)
        return result

    def names(self) -> set[str]:
        """The names found so far."""
        return {found.name for found in self.found}

    def model_probes(self, start: Opened) -> None:
        """Everything about the model alone, without training."""
        from dataclasses import replace

        self.opened = start
        self.probe("size of the vocabulary", lambda: width_findings(self.opened))
        self.probe("numbers that are finite", lambda: finite_findings(self.opened))
        repeated = self.probe("two passes over the same tokens", lambda: repeats(self.opened), ([], False))
        self.found.extend(repeated[0])
        if repeated[1]:
            self.opened = replace(self.opened, passer=self.opened.passer.with_(rebuild=True))
        axes = self.probe("the axes of the output", lambda: axes_findings(self.opened), ([], False))
        self.found.extend(axes[0])
        if axes[1]:
            layout = replace(self.opened.passer.layout, remixed=True)
            self.opened = replace(self.opened, passer=self.opened.passer.with_(layout=layout))
        self.probe("which token moves which prediction", lambda: leak_findings(self.opened))
        self.probe("the order of the past", lambda: order_findings(self.opened))
        self.probe("the reach into the past", lambda: sensitivity_findings(self.opened))
        self.probe("attention before training", lambda: attention_findings(self.opened))
        self.probe("layers that are one", lambda: sharing_findings(self.opened))
        self.probe("gradients of all parameters", lambda: unreached_findings(self.opened))
        self.probe("parameters of the optimiser", lambda: missed_findings(self.opened))
        for name, check in of_models().items():
            self.probe(f"{name}, which a package adds", partial(check.of, name, self.subject, self.opened.tokens(1)))

    def loop_probes(self, seconds: float) -> None:
        """The loss, the batches, a few steps, trials, and what is generated."""
        opened = self.opened
        domain = self.domain = self.probe("what the outputs are", lambda: domain_of(opened), "logits")
        length = self.length = min(opened.long, 16)
        aligned: Alignment = self.probe("batches", lambda: alignment(opened, length), Alignment(1, works=False))
        pairs = self.probe("their batches", lambda: self.their_batches(length), ())
        self.probe("the loss before training", lambda: initial_findings(opened, domain, list(pairs)))
        shift = 0
        scored = self.probe("the loss", lambda: loss_part_findings(opened, domain, aligned, length), ([], 0))
        self.found.extend(scored[0])
        shift = scored[1]
        already = self.names() & {"targets-misaligned", "targets-not-shifted"}
        if not already:
            self.probe("targets", lambda: batch_findings(aligned, shift))
        if opened.passer.layout.last_only:
            self.found.append(only_last(opened))
        for found in running_findings(opened, domain, length, seconds, self.names(), self.probe):
            self.found.append(found)
        self.probe("generation", lambda: generation_findings(opened, domain))

    def with_repair(self, found: tuple[Finding, ...], until: float) -> tuple[Finding, ...]:
        """The findings, the first with what its mend gains; `until` is a moment of this thread's own time."""
        if not found:
            return found
        rows = rows_for(self.opened, self.length)
        trials = Trials(self.opened, step_text(self.opened), rows, self.length, self.domain, 1.0)
        until = min(until, time.thread_time() + REPAIR_SECONDS)
        first = self.probe("the first finding, mended", lambda: repaired(found[0], trials, until), found[0])
        return (first, *found[1:])

    def their_batches(self, length: int) -> tuple[tuple[Tensor, Tensor], ...]:
        """Batches of their own make, as `batch time`, where they make any."""
        if self.subject.make_batch is None:
            return ()
        inputs, targets = made(self.subject, self.subject.text, max(self.opened.batch, 2), length, 0)
        if self.subject.time_first:
            inputs, targets = inputs.t(), targets.t()
        return ((inputs, targets),)


def only_last(opened: Opened) -> Finding:
    """loss-ignores-positions, where there are logits of the last position only."""
    evidence = {"positions": opened.time, "positions_with_logits": 1}
    return finding("loss-ignores-positions", evidence, "The model gives logits of the last position only.")
