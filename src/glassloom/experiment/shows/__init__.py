"""What a recipe's page can show: each a function from an experiment to exhibits. A new one is one line in SHOWS."""

from collections.abc import Callable

from glassloom.exhibits import Exhibit
from glassloom.experiment.shows import architectures, chapter, questions, stuck

SHOWS: dict[str, Callable[..., list[Exhibit]]] = {
    "reported-table": architectures.reported_table,
    "reported-curves": architectures.reported_curves,
    "architecture-questions": questions.questions,
    "what-the-report-got-wrong": questions.mistakes,
    "memorising-error": chapter.training_error,
    "memorising-continuations": chapter.continuations,
    "memorising-other-text": chapter.other_text,
    "doubled-softmax": stuck.sweep,
}
"""By the name that a recipe asks for; what else it writes there are the function's keyword arguments."""

__all__ = ["SHOWS"]
