"""A run offered to lm-evaluation-harness (https://github.com/EleutherAI/lm-evaluation-harness): its tasks, our models.

lm-eval 0.4.13 looks for no plug-ins of others by itself; models are listed in its registry, which takes them from
outside. `register` puts ours there under the name `glassloom`, and `score` asks the harness for its tasks.

    loglikelihood           of a continuation after a context: each token given all that stands before it
    loglikelihood_rolling   of a whole text after a line break, under our protocol `fair`: the very nats of
                            `glassloom evaluate`, whatever the architecture
    generate_until          up to a stop string, greedily unless the task says otherwise
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError, SettingError
from glassloom.generation import DecodingSettings, encode_prompt, generate
from glassloom.generation.decoder import first_tokens
from glassloom.generation.reading import Reader
from glassloom.generation.sample import in_plain_numbers
from glassloom.models.contract import LanguageModel
from glassloom.runs import Run, checkpoint_of, load_run
from glassloom.training.evaluation import WARM, Line, carried, rows_of, total, windows

NAME = "glassloom"
LENGTH = 256
"""Tokens of a text that a task asks for, where it does not say how many."""


class Scorer:
    """A run as the harness asks for it; for one context or text at a time.

    `skip_unknown` leaves out of a task's text what the model never saw, instead of refusing it. The harness counts the
    bytes and words of the whole text all the same.
    """

    def __init__(self, run: Run, step: int | None = None, skip_unknown: bool = False) -> None:
        self.model: LanguageModel = run.model(checkpoint_of(run, step))
        self.tokenizer: Tokenizer = run.tokenizer
        self._skip = skip_unknown

    def ids(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            TokenizerError: it holds what the model never saw.
        """
        if self._skip:
            return in_plain_numbers(self.tokenizer.encode(self.tokenizer.drop_unknown(text)))
        return encode_prompt(self.tokenizer, text)

    def continuation(self, context: str, continuation: str) -> tuple[float, bool]:
        """The log-probability of a continuation, and whether the model would write it greedily.

        Context and continuation are cut into tokens together, and the continuation's are those behind the context's.
        Where a token reaches across because it begins with the context's last spaces, these belong to the continuation,
        as in lm-eval's own models.
        """
        before, whole = self.ids(context), self.ids(context + continuation)
        if whole[: len(before)] != before:
            before = self.ids(context.rstrip())
        read, asked = first_tokens(whole[: len(before)], self.tokenizer), whole[len(before) :]
        reader = Reader(self.model)
        reader.skim(read[:-1])
        reader.look(read[-1:], 0)
        seen = [one for one in reader.look(asked, 1) if one is not None]
        return -sum(one.nats for one in seen), all(one.top[0][0] == one.id for one in seen)

    def rolling(self, text: str) -> float:
        """The log-probability of a whole text; of a model of sequences, from its `.start`."""
        ids = self.ids(text)
        if not ids:
            return 0.0
        before = first_tokens([], self.tokenizer)[-1]
        if ".start" in self.tokenizer.specials:
            return -sum(one.nats for one in Reader(self.model).look([before, *ids], 0) if one is not None)
        line = Line(before, np.asarray(ids))
        if self.model.context is None:
            pieces = carried(self.model, line, rows_of(len(ids), WARM), WARM)
        else:
            pieces = windows(self.model, line, self.model.context, max(1, self.model.context // 2))
        return -total(self.model, pieces, nullcontext())[0]

    def text(self, context: str, asked: Mapping[str, Any]) -> str:
        """What the model writes after a context; `asked` are the harness's words for it."""
        until = asked.get("until") or []
        temperature = float(asked.get("temperature") or 0.0)
        greedy = temperature == 0 or asked.get("do_sample") is False
        settings = DecodingSettings(
            greedy=greedy,
            temperature=temperature or 1.0,
            top_k=asked.get("top_k") or None,
            top_p=asked.get("top_p") or None,
            length=int(asked.get("max_gen_toks") or asked.get("max_tokens") or LENGTH),
            stop=tuple(one for one in ([until] if isinstance(until, str) else until) if one),
        )
        [sample] = generate(self.model, self.tokenizer, context, settings, skip_unknown=self._skip)
        return sample.text


@cache
def model_class() -> type[Any]:
    """Our class for the harness: `model_class()(run="runs/novel")`.

    Raises:
        SettingError: lm-eval is not installed.
    """
    with installed():
        from lm_eval.api.model import LM

    class GlassloomLM(LM):  # type: ignore[misc]
        """A run of Glassloom; `run` is a name under `root`, a path, or the run itself."""

        def __init__(
            self, run: str | Run, root: str = "runs", step: int | None = None, skip_unknown: bool = False, **_: Any
        ) -> None:
            super().__init__()
            self.scorer = Scorer(run if isinstance(run, Run) else load_run(run, root), step, skip_unknown)

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [self.scorer.continuation(*request.args) for request in requests]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            return [self.scorer.rolling(request.args[0]) for request in requests]

        def generate_until(self, requests: list[Any]) -> list[str]:
            return [self.scorer.text(*request.args) for request in requests]

    return GlassloomLM


def register() -> None:
    """Put our class into the harness's registry: `lm_eval.simple_evaluate(model="glassloom", model_args="run=...")`.

    Raises:
        SettingError: lm-eval is not installed.
    """
    ours = model_class()
    from lm_eval.api.registry import get_model, register_model

    try:
        get_model(NAME)
    except ValueError:
        register_model(NAME)(ours)


def score(
    run: Run,
    tasks: Sequence[str],
    *,
    step: int | None = None,
    skip_unknown: bool = False,
    limit: int | None = None,
    shots: int | None = None,
) -> dict[str, Any]:
    """The harness's own results for a run: of each task its figures, versions and numbers of documents.

    A task is one of the harness's names, or a YAML file of one; `limit` takes the first so many documents of each,
    `shots` puts so many examples before each.

    >>> score(load_run("novel"), ["wikitext"], limit=10)["results"]  # doctest: +SKIP

    Raises:
        SettingError: lm-eval is not installed.
        InputError: there is no such task, or its data cannot be had.
    """
    register()
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    files = [Path(task) for task in tasks if task.endswith((".yaml", ".yml"))]
    for file in files:
        if not file.is_file():
            raise InputError(f"There is no file {file}", "a task of lm-eval in YAML", "look at its path")
    folders = [str(folder) for folder in dict.fromkeys(file.parent for file in files)]
    listed = len(files) < len(tasks)  # to read all of lm-eval's own takes seconds
    manager = TaskManager(include_path=folders or None, include_defaults=listed)
    names = [task_of(Path(task)) if Path(task) in files else task for task in tasks]
    if unknown := [name for name in names if name not in manager.all_tasks]:
        raise InputError(
            f"lm-eval has no task {unknown[0]}", "a name that `lm_eval ls tasks` lists, or a YAML file of a task",
            "name another one with --harness",
        )  # fmt: skip
    model = model_class()(run, step=step, skip_unknown=skip_unknown)
    try:
        found = simple_evaluate(
            model=model, tasks=list(names), limit=limit, num_fewshot=shots, task_manager=manager, bootstrap_iters=0,
            log_samples=False, verbosity="ERROR",
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError(
            f"lm-eval could not carry out {', '.join(names)} ({type(error).__name__}: {str(error).splitlines()[0]})",
            "a task whose data is at hand", "see --debug",
        ) from error  # fmt: skip
    assert found is not None  # this is the first of one process
    return {name: found[name] for name in ("results", "versions", "n-shot", "n-samples") if name in found}


def task_of(file: Path) -> str:
    """The name of the task in a YAML file.

    Raises:
        InputError: it has none.
    """
    for line in file.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == "task" and value.strip():
            return value.split("#")[0].strip().strip("'\"")
    raise InputError(f"{file} names no task", "a line such as `task: name`", "give a task of lm-eval")


@contextmanager
def installed() -> Iterator[None]:
    """Say in a sentence that lm-eval is not installed."""
    try:
        yield
    except ImportError as error:
        if error.name and error.name.partition(".")[0] != "lm_eval":
            raise
        raise SettingError(
            "lm-evaluation-harness is not installed", "the extra harness",
            "install it with pip install 'glassloom[harness]', or drop --harness",
        ) from error  # fmt: skip
