"""Findings that follow from which token moves which prediction."""

from glassloom.doctor.dependence import Dependence, dependence, leaks_in_blocks, remixed, sound
from glassloom.doctor.finding import Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened


def axes_findings(opened: Opened) -> tuple[list[Finding], bool]:
    """time-batch-swapped, and whether the output must be re-read because a reshape mixed its axes."""
    layout = opened.passer.layout
    if layout.swapped:
        evidence = {"tokens": [opened.batch, opened.time], "logits": [opened.time, opened.batch]}
        words = f"Tokens of ({opened.batch}, {opened.time}) gave logits of ({opened.time}, {opened.batch}, ...)."
        return [finding("time-batch-swapped", evidence, words)], False
    if layout.last_only or opened.square_only or opened.batch < 2:
        return [], False
    table = dependence(opened, opened.passer.with_(jitter=0.1))
    if not table.finite or sound(table) or not sound(remixed(table)):
        return [], False
    found = {
        "change_by_other_rows": table.counts(table.across()),
        "change_by_other_rows_once_undone": 0.0,
        "largest_change": table.largest,
    }
    words = (
        "As the logits stand, another row's tokens move them; read in the order time, batch, every row depends on its "
        "own past alone."
    )
    return [finding("time-batch-swapped", found, words)], True


def leak_findings(opened: Opened) -> list[Finding]:
    """batch-leak, future-leak, no-past, input-ignored: on a new model, a shaken one, and one in training mode."""
    plain = opened.passer
    tables = [dependence(opened, plain), dependence(opened, plain.with_(jitter=0.3, seed=1), 1)]
    if not all(table.finite for table in tables):
        return []
    findings = leaks(opened, tables, "in eval mode")
    if not findings:
        training = dependence(opened, plain.with_(training=True), 2)
        findings = leaks(opened, [training], "in training mode") if training.finite else []
    if not findings:
        findings = block_leaks(opened)
    if opened.passer.layout.last_only:
        findings = [found for found in findings if found.name != "future-leak"]
    return findings + missing(opened, tables)


def leaks(opened: Opened, tables: list[Dependence], mode: str) -> list[Finding]:
    """batch-leak and future-leak; the second is left out where one operation lets both in."""
    rows = max(table.counts(table.across()) for table in tables)
    future = max(table.counts(table.own("after")) for table in tables)
    later_rows = max(table.counts(table.across("after")) for table in tables)
    largest = max(table.largest for table in tables)
    findings = []
    if rows and opened.batch > 1:
        evidence = {"change_by_other_rows": rows, "largest_change": largest, "mode": mode}
        words = f"Replacing one token of another row moved this row's logits by up to {rows:.3g} {mode}."
        findings.append(finding("batch-leak", evidence, words))
    if future and not (findings and later_rows):
        evidence = {"change_by_the_future": future, "largest_change": largest, "mode": mode}
        words = f"Replacing a later token of the same row moved a prediction by up to {future:.3g} {mode}."
        findings.append(finding("future-leak", evidence, words))
    return findings


def block_leaks(opened: Opened) -> list[Finding]:
    """The same on the longest window, where whole futures and rows are replaced."""
    if opened.square_only:
        return []
    found = leaks_in_blocks(opened, opened.passer.with_(jitter=0.3))
    if found["rows"]:
        words = f"In a window of {opened.long} tokens another row's content moved the logits by {found['rows']:.3g}."
        return [finding("batch-leak", {"change_by_other_rows": found["rows"], "length": opened.long}, words)]
    if found["future"]:
        words = f"In a window of {opened.long} tokens the later ones moved earlier logits by {found['future']:.3g}."
        return [finding("future-leak", {"change_by_the_future": found["future"], "length": opened.long}, words)]
    return []


def missing(opened: Opened, tables: list[Dependence]) -> list[Finding]:
    """no-past and input-ignored: no effect at all, in a new model and in a shaken one."""
    if all(table.largest <= table.tolerance for table in tables):
        evidence = {"largest_change": max(table.largest for table in tables), "largest_logit": tables[0].size}
        return [finding("input-ignored", evidence, "Replacing any token changed no logit.")]
    past = max(table.counts(table.own("before")) for table in tables)
    own = max(table.counts(table.own("at")) for table in tables)
    if opened.time < 2 or past or not own:
        return []
    evidence = {"change_by_the_past": past, "change_by_the_current_token": own}
    words = f"Replacing earlier tokens of the row changed nothing; replacing the current one moved logits by {own:.3g}."
    return [finding("no-past", evidence, words)]
