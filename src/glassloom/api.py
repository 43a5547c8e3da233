"""The same from Python: what each command does, as a function that returns plain data.

>>> import glassloom
>>> run = glassloom.train("shakespeare", model="gru", minutes=2).run  # doctest: +SKIP
>>> glassloom.evaluate(run).figures.bits_per_character  # doctest: +SKIP
>>> print(glassloom.generate(run, "ROMEO:", temperature=0.7)[0].text)  # doctest: +SKIP
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from glassloom.comparison.compare import compare as compare_runs
from glassloom.comparison.compare import report_on
from glassloom.comparison.places import OnEvent, Where
from glassloom.comparison.results import Comparison
from glassloom.config import checked, plain_names
from glassloom.data import Corpus, Tokenizer, load_corpus, load_text
from glassloom.data.baselines import baselines as compute_baselines
from glassloom.data.languages import Language
from glassloom.data.settings import DataSettings
from glassloom.errors import GlassloomError, RunError, SettingError, nearest
from glassloom.exchange import export_run
from glassloom.generation import DecodingSettings, Stream
from glassloom.models.gradients import LENGTHS, GradientCheck, check_gradients
from glassloom.notebook import Samples, comparison_watcher, watcher
from glassloom.report import check_form, write_form, write_run_report
from glassloom.report import write_report as write_comparison
from glassloom.runs import Run, checkpoint_of, list_runs, load_run, matching_runs, own_corpus
from glassloom.storage import bytes_in
from glassloom.training import Evaluation, Event, TrainingResult, evaluate_split, evaluate_together, open_model
from glassloom.training import train as start_training
from glassloom.training.evaluation import How
from glassloom.training.machine import prepare_machine
from glassloom.training.resolve import settings_from
from glassloom.training.session import never
from glassloom.views.catalogue import entry_of, look
from glassloom.views.labelled import View
from glassloom.views.subject import Subject

RunLike: TypeAlias = str | Path | Run | TrainingResult
"""What stands for a run: a name, a path, the run itself, a training's result."""
PROTOCOLS = ("fair", "streams", "windows")


def train(
    corpus: Any,
    model: str | None = None,
    *,
    name: str | None = None,
    runs: str | Path = "runs",
    resume: bool = False,
    replace: bool = False,
    start_from: str | Path | None = None,
    fast: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: Callable[[], bool] = never,
    **settings: Any,
) -> TrainingResult:
    """Train a model on a text; `settings` are those of the command line, with underscores.

    Without a model and its settings one is chosen for the time given; `fast` takes a small one, for seconds.

    `corpus` is a path, a listed name, `-`, a Corpus, a Language, or text itself: a string with a line break in
    it, a list of strings, or any other iterable of strings. In a notebook a live curve watches, unless `on_event` does.

    >>> run = train("novel.txt", model="lstm", width=512, minutes=10, name="novel").run  # doctest: +SKIP

    Raises:
        GlassloomError: see `glassloom.training.train`.
    """
    given = plain_names({"model": model, **settings} if model else settings)
    origin = load_run(start_from, runs) if start_from else None
    text = as_corpus(corpus, settings_from(given, origin).data, origin.tokenizer if origin else None)
    return start_training(
        text, given, root=runs, name=name, resume=resume, replace=replace,
        start_from=start_from, fast=fast, command="glassloom.train", on_event=on_event or watcher(), stop=stop,
    )  # fmt: skip


def as_corpus(source: Any, settings: DataSettings, tokenizer: Tokenizer | None = None) -> Any:
    """Text given as such becomes a Corpus; names and paths stay what they are."""
    if isinstance(source, (Corpus, Path, Language)) or (
        isinstance(source, str) and "\n" not in source and len(source) < 256
    ):
        return source
    return text_of(source, settings, tokenizer)


def text_of(source: Any, settings: DataSettings, tokenizer: Tokenizer | None = None) -> Corpus:
    """The corpus of a path, a listed name, or text given as such: a string with a line break, or several strings."""
    if isinstance(source, Corpus):
        return source
    if isinstance(source, (Path, Language)) or (isinstance(source, str) and "\n" not in source):
        return load_corpus(source, settings, tokenizer=tokenizer)
    if isinstance(source, Iterable):
        return load_text(source, settings, tokenizer=tokenizer)
    kind = type(source).__name__
    raise SettingError(f"A corpus cannot be of type {kind}", "a path, a name, or text", "give one of these")


def text_settings(given: Mapping[str, Any]) -> DataSettings:
    """The settings of the text among settings of all kinds, by their plain names."""
    settings: DataSettings = checked(DataSettings, {n: v for n, v in given.items() if n in DataSettings.model_fields})
    return settings


def opened(run: RunLike, root: str | Path = "runs") -> Run:
    """The run that a name, a path, a Run or a training's result stands for."""
    if isinstance(run, TrainingResult):
        return run.run
    return run if isinstance(run, Run) else load_run(run, root)


@dataclass(frozen=True)
class Score(Evaluation):
    """An evaluation beside the baselines of the same text, and of an average beside each of its runs."""

    baselines: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: tuple[dict[str, Any], ...] = ()
    """Of an average of several runs: name, model, weight, nats per token and protocol of each."""

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), "runs": list(self.runs), "baselines": self.baselines}


def evaluate(
    run: RunLike | Sequence[RunLike],
    split: str = "valid",
    *,
    weights: Sequence[float] | str | None = None,
    corpus: Any = None,
    protocol: str = "fair",
    windows: int | None = None,
    tokens: int = 0,
    batch_size: int | None = None,
    sequence_length: int | None = None,
    step: int | None = None,
    skip_unknown: bool = False,
    root: str | Path = "runs",
) -> Score:
    """Score a run on a split of its own text (or of another one), beside the baselines.

    Baselines are given for the whole of a held-out split of the run's own text: only there are they counted on what
    the model was trained on, and measured on the same tokens. `skip_unknown` leaves out of another text the symbols
    that the run's tokenizer lacks, with a notice, instead of refusing it. Of several runs the probabilities are
    averaged, with equal weights, or with `weights`: one number a run, or "valid" for those that are best there.

    >>> evaluate("novel", "test").figures.bits_per_character  # doctest: +SKIP
    1.93

    Raises:
        InputError: an unknown run, split or protocol; a text that cannot be read with the run's tokenizer.
    """
    several = [run] if isinstance(run, RunLike) else list(run)
    if not several or (step is not None and len(several) > 1):
        raise SettingError(f"step {step} of {len(several)} runs", "one run, or no step", "drop --step or --with")
    runs = [opened(one, root) for one in several]
    run = runs[0]
    if protocol not in PROTOCOLS:
        raise SettingError(f"There is no protocol {protocol}", ", ".join(PROTOCOLS), nearest(protocol, PROTOCOLS))
    for name, value in (("windows", windows), ("batch_size", batch_size), ("sequence_length", sequence_length)):
        if value is not None and value < 1:
            raise SettingError(f"{name} cannot be {value}", "at least 1", f"change --{name.replace('_', '-')}")
    if tokens < 0:
        raise SettingError(f"tokens cannot be {tokens}", "at least 1, or 0 for all", "change --tokens")
    train = run.config.train
    text = corpus if isinstance(corpus, Corpus) else run_corpus(run, corpus, skip_unknown=skip_unknown)
    how: How = {
        "protocol": "windows" if windows else protocol,
        "tokens": tokens,
        "batch_size": batch_size or train.batch_size,
        "sequence_length": windows or sequence_length or train.sequence_length or 1,
    }
    parts: tuple[dict[str, Any], ...] = ()
    if len(runs) > 1 or weights is not None:
        found, parts = evaluate_together(runs, text, split, weights=weights, **how)
    else:
        model, precision = open_model(run, checkpoint_of(run, step))
        found = evaluate_split(model, text, split, autocast=precision, **how)
    comparable = split != "train" and not tokens and text.sha256 == run.corpus["sha256"]
    known = compute_baselines(text, split) if comparable else {}
    baselines = {name: baseline.as_dict() for name, baseline in known.items()}
    return Score(found.split, found.protocol, found.tokens, found.figures, found.spelling_nats, baselines, parts)


def run_corpus(
    run: Run, source: Any = None, *, skip_unknown: bool = False, otherwise: str = "give the text with --corpus"
) -> Corpus:
    """The text of a run, or another one (a path, a name, text) read with the run's tokenizer.

    The run's own is taken from the cache as it was prepared; where it is not there any more it is read again.
    `otherwise` says what to do where that is impossible.

    Raises:
        RunError: the run's own text is no longer where it was, or is another one now.
        TokenizerError: another text has symbols that the tokenizer lacks, and they are not skipped.
    """
    if source is None:
        return own_corpus(run, otherwise=otherwise)
    settings = run.config.data.model_copy(update={"skip_unknown": skip_unknown})
    return text_of(source, settings, run.tokenizer)


def stream(
    run: RunLike,
    prompt: str,
    settings: Mapping[str, Any],
    *,
    skip_unknown: bool = False,
    step: int | None = None,
    root: str | Path = "runs",
) -> Stream:
    """Begin to continue a prompt; the text comes piece by piece."""
    run = opened(run, root)
    decoding: DecodingSettings = checked(DecodingSettings, settings)
    prepare_machine(run.config.train)
    return Stream(run.model(checkpoint_of(run, step)), run.tokenizer, prompt, decoding, skip_unknown)


def generate(
    run: RunLike,
    prompt: str = "",
    *,
    skip_unknown: bool = False,
    step: int | None = None,
    root: str | Path = "runs",
    **settings: Any,
) -> Samples:
    """Let a run continue a prompt: a list of samples. `settings` are those of `DecodingSettings`.

    >>> print(generate("novel", "Once upon", temperature=0.7, length=100)[0].text)  # doctest: +SKIP

    Raises:
        InputError: an unknown run or setting, or a prompt with symbols that the model never saw.
    """
    return Samples(stream(run, prompt, settings, skip_unknown=skip_unknown, step=step, root=root).finish())


def describe_corpus(source: Any, given: Mapping[str, Any], *, with_baselines: bool = True) -> dict[str, Any]:
    """Sizes, SHA-256, vocabulary, baselines and, for a language, entropy."""
    settings = text_settings(plain_names(given))
    corpus = as_corpus(source, settings)
    if not isinstance(corpus, Corpus):
        corpus = load_corpus(source, settings)
    known = compute_baselines(corpus) if with_baselines else {}
    return {**corpus.describe(), "baselines": {name: baseline.as_dict() for name, baseline in known.items()}}


def describe_runs(root: str | Path = "runs") -> list[dict[str, Any]]:
    """What `describe_run` says of every run."""
    return [describe_run(run, root) for run in list_runs(root)]


def describe_run(run: Run, root: str | Path = "runs") -> dict[str, Any]:
    """Name, state, model, text, step, validation loss and size of a run; a damaged one is described as such."""
    facts: dict[str, Any] = dict.fromkeys(("model", "corpus", "step", "valid_nats_per_token"))
    facts |= {"name": str(run.path.relative_to(root)), "path": str(run.path), "state": "damaged"}
    with suppress(GlassloomError, KeyError, TypeError):
        facts |= {"model": run.config.architecture, "corpus": run.corpus["name"], "state": run.state()}
        newest = run.checkpoints()[0]
        result = run.result() or {}
        facts["step"] = newest.step
        facts["valid_nats_per_token"] = result.get("best", {}).get("nats_per_token", newest.progress()["best_nats"])
    facts["bytes"] = bytes_in(run.path)
    return facts


def compare(
    corpus: Any,
    models: Sequence[str] = ("rnn", "gru", "lstm", "transformer"),
    *,
    out: str | Path = "runs/comparison",
    vary: Sequence[str] | Mapping[str, Sequence[Any]] = (),
    seeds: int = 1,
    match: str | None = None,
    jobs: int | None = None,
    on: str | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
    replace: bool = False,
    title: str | None = None,
    command: str = "glassloom.compare",
    on_event: OnEvent | None = None,
    stop: Callable[[], bool] = never,
    **settings: Any,
) -> Comparison:
    """Give several models or settings the same budget, and write the page about them into `out`.

    `vary` maps settings to their values (`{"lr": [1e-4, 1e-3]}`); every combination is trained. What is finished in
    `out` is not trained again, unless `replace` asks for it. `jobs`, `on`, `cpus`, `gpus`: where (docs/cluster.md).

    >>> compare("novel.txt", ["gru", "lstm"], vary={"lr": [1e-3, 1e-2]}, minutes=1).rows  # doctest: +SKIP

    Raises:
        InputError: an unknown model or setting, a text that cannot be used.
    """
    settings = plain_names(settings)
    text = as_corpus(corpus, text_settings(settings))
    found = compare_runs(
        text, models, settings, out, vary=vary, seeds=seeds, match=match, where=Where(on, jobs, cpus, gpus),
        replace=replace, title=title, command=command, on_event=on_event or comparison_watcher(), stop=stop,
    )  # fmt: skip
    write_comparison(found, Path(out))
    return found


def write_report(
    runs: Sequence[RunLike],
    out: str | Path | None = None,
    *,
    to: str = "html",
    root: str | Path = "runs",
    command: str = "glassloom.write_report",
) -> Path:
    """Write the page about one or more runs on the same text; one run's goes into its folder.

    A name with `*`, `?` or `[` stands for every run that fits it. `to` is html, pdf (printed by Chromium), latex or
    markdown; the last two have their figures beside them.

    >>> write_report(["novel", "gru-*"], "novels")  # doctest: +SKIP
    PosixPath('novels/report.html')

    Raises:
        RunError: there is no such run, or the runs were trained on different texts.
        InputError: another form; or a PDF where there is no Chromium to print it.
    """
    if not runs:
        raise RunError("No run was named", "one or more runs", "name them: glassloom report RUN...")
    check_form(to)
    named = [found for run in runs for found in (matching_runs(run, root) if isinstance(run, str) else [run])]
    opened_runs = list({run.path.resolve(): run for run in (opened(run, root) for run in named)}.values())
    held_out = [run for run in opened_runs if not run.config.data.memorises]
    text = run_corpus(
        (held_out or opened_runs)[0], otherwise="put the text back as it was, for the page shows how it goes on"
    )
    found = report_on(opened_runs, text, command)
    alone = out is None and len(opened_runs) == 1
    folder = opened_runs[0].path if alone else Path(root) / "report" if out is None else Path(out)
    if alone and to == "html":
        return write_run_report(found, opened_runs[0].report)
    return write_form(found, folder, to)


def export(
    run: RunLike, to: str = "html", *, out: str | Path | None = None, step: int | None = None, root: str | Path = "runs"
) -> Path:
    """Take a run's model out, in a format of `glassloom.exchange`: `html` is a page in which it runs (docs/page.md).

    >>> export("novel", to="html", out="novel.html")  # doctest: +SKIP
    PosixPath('novel.html')

    Raises:
        InputError: an unknown run or format, or a model that the format has no room for.
    """
    run = opened(run, root)
    return export_run(run, to, checkpoint_of(run, step), out)


def view(
    run: RunLike,
    view: str,
    text: str | None = None,
    *,
    beside: Sequence[RunLike] = (),
    step: int | None = None,
    root: str | Path = "runs",
    **options: Any,
) -> View:
    """Look inside a run: the numbers of a view (`glassloom.views.catalogue`), with named axes and labels.

    Without a text, held-out text of the run stands in. `options` are the view's own; runs `beside` are looked at alike,
    where the view takes several.

    >>> found = view("novel", "surprise", "Once upon a time")  # doctest: +SKIP
    >>> found.mean_bits, found.to_csv()  # doctest: +SKIP

    Raises:
        InputError: an unknown run, view or option; a text that the run's tokenizer cannot read.
    """
    entry_of(view)

    def looked_at(one: RunLike) -> Subject:
        found = opened(one, root)
        prepare_machine(found.config.train)
        return Subject(found.model(checkpoint_of(found, step)), found.tokenizer, found.name, found)

    several = {"beside": [looked_at(one) for one in beside]} if beside else {}
    return look(looked_at(run), view, text, **several, **options)


def gradcheck(model: str | None = None, lengths: Sequence[int] = LENGTHS) -> GradientCheck:
    """Analytic against numerical gradients, one row for each parameter tensor; of all architectures if none is named.

    >>> max(row.relative_error for row in gradcheck("rnn", lengths=[3]).rows) < 1e-6
    True
    """
    return check_gradients([model] if model else [], lengths)
