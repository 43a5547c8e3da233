"""The text that a run was trained on, found again."""

from glassloom.data import Corpus, load_corpus, reopen_corpus
from glassloom.errors import GlassloomError, RunError
from glassloom.runs.run import Run


def own_corpus(run: Run, *, otherwise: str = "give the text with --corpus") -> Corpus:
    """The text of a run, read with its tokenizer: from the cache as it was prepared; read again where it is not there.

    `otherwise` says what to do where that is impossible.

    Raises:
        RunError: the text is no longer where it was, or is another one now.
    """
    facts = run.corpus
    if not facts["source"]:
        raise RunError(
            f"Run {run.name} was trained elsewhere and has no text of its own",
            "a text",
            f"{otherwise}; or train it on as a run of its own: glassloom train CORPUS --from {run.name}",
        )
    kept = reopen_corpus(facts)
    if kept is not None and kept.knows_spellings:
        return kept
    try:
        corpus = load_corpus(facts["source"], run.config.data, tokenizer=run.tokenizer)
    except GlassloomError as error:
        if kept is not None:
            return kept
        raise RunError(
            f"The text of run {run.name} cannot be read again: {error.what}",
            f"{facts['source']}, as it was",
            otherwise,
        ) from None
    if corpus.sha256 != facts["sha256"]:
        if kept is not None:
            return kept
        raise RunError(
            f"The text of run {run.name} ({facts['source']}) is another one now",
            f"SHA-256 {facts['sha256'][:12]}, not {corpus.sha256[:12]}",
            otherwise,
        )
    return corpus
