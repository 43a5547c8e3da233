"""What a recipe's page can show: each a function from an experiment to exhibits. A new one is one line in SHOWS."""

from collections.abc import Callable

from glassloom.exhibits import Exhibit
from glassloom.experiment.shows import (
    architectures,
    attention,
    averages,
    chapter,
    drift,
    gradient_flow,
    language_floor,
    languages,
    losses,
    memorised,
    novel,
    questions,
    samples,
    stuck,
)

SHOWS: dict[str, Callable[..., list[Exhibit]]] = {
    "reported-table": architectures.reported_table,
    "reported-curves": architectures.reported_curves,
    "architecture-questions": questions.questions,
    "language-training": languages.training,
    "language-samples": languages.samples,
    "language-layers": languages.layers,
    "language-clipping": languages.clipping,
    "review-repetition": languages.repetition,
    "language-floor": language_floor.floor,
    "language-validity": language_floor.validity_by_length,
    "language-beyond": language_floor.beyond,
    "language-arg-max": language_floor.arg_max,
    "heads-and-corpus": questions.more,
    "losses": losses.losses,
    "results-table": losses.results_table,
    "beside-report": losses.beside_report,
    "what-the-report-got-wrong": questions.mistakes,
    "gradient-flow": gradient_flow.gradient_flow,
    "average-of-runs": averages.average_of_runs,
    "attention": attention.attention,
    "attention-heads": attention.attention_heads,
    "memorised": memorised.memorised,
    "samples": samples.samples,
    "sample-quality": samples.sample_quality,
    "gradient-check": novel.gradient_check,
    "smooth-loss": novel.smooth_loss,
    "synthesis": novel.synthesis,
    "novel-recipes": novel.recipes,
    "drift": drift.drift_over_training,
    "memorising-error": chapter.training_error,
    "memorising-other-text": chapter.other_text,
    "doubled-softmax": stuck.sweep,
}
"""By the name that a recipe asks for; what else it writes there are the function's keyword arguments."""

__all__ = ["SHOWS"]
