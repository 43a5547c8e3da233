"""The names of findings that only a run's history can give: what was recorded while it trained, beside the model.

`non-finite`, `softmax-before-loss` and the others of `glassloom.doctor.names` keep their names here, too.
"""

from glassloom.doctor.finding import Evidence, Finding, Severity
from glassloom.doctor.names import NAMES, Entry, entry

RUN_NAMES: dict[str, Entry] = {
    "loss-above-uniform": entry(
        "The loss is above that of a uniform guess",
        "The training loss ended above ln V, which a model that knows nothing reaches. It is confidently wrong, "
        "mostly because steps that were too long have thrown the weights far off.",
        "Lower --lr, set --clip-norm 1 and add some --warmup; go on from the last good checkpoint with --from.",
    ),
    "loss-never-moved": entry(
        "The loss never moved",
        "From the first step to the last the training loss gained less than a twentieth of ln V, and it is still where "
        "mere guesses are. The updates are far too small, or they do not lead down.",
        "Raise --lr by factors of ten until the loss falls in the first hundred steps; see that --warmup is shorter "
        "than the budget.",
    ),
    "below-entropy-floor": entry(
        "The loss is below the entropy of its source",
        "The strings were drawn from a source of known entropy, and no model that does not know them can need fewer "
        "nats. Either the answer reaches the model, or the measure leaves something out.",
        "Look for held-out strings among those trained on, for a model that sees the token it is to predict, and for "
        "a mean that divides by more tokens than were scored.",
    ),
    "out-of-memory": entry(
        "Memory ran out",
        "Training ended because not even one row of a batch fitted into memory. What was learned until then is kept.",
        "Lower --width, --layers or --sequence-length, and go on with --resume where only the batch is changed.",
    ),
    "loss-rose-again": entry(
        "The loss rose again and stayed up",
        "Training lost what it had learned: the training loss ended well above its own lowest stretch, and the "
        "validation loss went with it. One or more steps were too long for the place where the weights then were.",
        "Lower --lr, set --clip-norm 1, let the rate decay (--schedule cosine), or give more --warmup.",
        "serious",
    ),
    "worse-than-unigram": entry(
        "The loss is worse than counting symbols",
        "How often each symbol occurs predicts the held-out text better than this model, and the loss no longer falls. "
        "The input does not help it: something is wired wrongly, or the rate is far off.",
        "Look at the model's own findings first; then try --lr ten times lower and ten times higher, and leave out "
        "settings that change the output or the initialisation (--output, --initialization).",
        "serious",
    ),
    "memorising": entry(
        "The training text is learned by heart",
        "After several passes the training loss lies far below the validation loss: the model knows its text better "
        "than any other. Where the validation loss has risen since, the best checkpoint is an earlier one.",
        "Stop earlier (--patience 3), set --dropout 0.2 or --weight-decay, take a smaller --width, or a longer text; "
        "where learning by heart is the aim, say so with --split all.",
        "serious",
    ),
    "sawtooth-at-borders": entry(
        "The loss jumps where the text begins anew",
        "Each time the batches come back to the front of their stretch of text, the training loss leaps up and then "
        "falls until the next border. What the model knows depends on where in the text it stands: the stretches are "
        "unlike, and the latest displaces the others.",
        "Draw windows from random places (--batching windows), or read more rows at once (--batch-size), so that every "
        "step sees all parts of the text.",
        "serious",
    ),
    "learning-rate-at-zero": entry(
        "The learning rate was near zero for a large part of the run",
        "The schedule had brought the rate below a thousandth of its highest while the loss was still falling. From "
        "there on the updates changed nothing, and the time was spent for nothing.",
        "Use --schedule cosine, which reaches --lr-final at the end of the budget only; for the step schedule raise "
        "--step-every or --step-factor, for plateau --plateau-patience.",
        "serious",
    ),
    "valid-far-above-train": entry(
        "Held-out text is another thing than the training text",
        "The validation loss lies far above the training loss although the text was not read twice, so nothing can "
        "have been learned by heart. The two splits are unlike, or they are read in another way than in training.",
        "Compare the two with glassloom view RUN surprise; give a --split of like parts, and read a list of strings as "
        "such (--batching padded), so that their beginning and end are trained, too.",
        "note",
    ),
    "always-clipped": entry(
        "The gradient was clipped at every step",
        "Nearly every update was scaled down to the limit, so the limit and not the gradient says how long a step is. "
        "Under Adam or Muon that is mostly harmless; under SGD it is a hidden learning rate.",
        "Raise --clip-norm to about the median norm that was measured, and then choose --lr.",
        "note",
    ),
    "updates-too-large": entry(
        "The updates are large beside the weights",
        "A single update changed a layer by more than its own norm; about a thousandth is customary. Such a step "
        "overwrites whatever the layer held.",
        "Lower --lr, or add --warmup where only the first updates are too large.",
        "note",
    ),
    "updates-too-small": entry(
        "The updates are tiny beside the weights",
        "No update changes any layer by more than a millionth of its norm; about a thousandth is customary. At that "
        "pace a hundred thousand steps hardly move the model.",
        "Raise --lr; see that --weight-decay and --epsilon are what was meant.",
        "serious",
    ),
    "worse-than-bigram": entry(
        "The loss is worse than counting pairs",
        "How often each symbol follows each other one still predicts the held-out text better than this model. It has "
        "not yet learned to use even the token before.",
        "Train longer (--minutes, --epochs), and see that a text of this size is enough for this --width.",
        "note",
    ),
    "still-falling": entry(
        "The loss was still falling when training ended",
        "The training loss fell steeply to the very end. More of the same training would go on to lower it.",
        "Give a larger budget and go on: --resume with more --minutes, --steps or --epochs.",
        "note",
    ),
}
"""The catalogue of histories, in the order in which they explain: what stands further up is the likelier cause."""


def run_finding(
    name: str, evidence: Evidence, told: str = "", fix: str = "", severity: Severity | None = None
) -> Finding:
    """A finding of a run's history under its name, as `glassloom.doctor.names.finding` makes them.

    >>> run_finding("still-falling", {"fell_nats": 0.2}).severity
    'note'
    """
    entry = RUN_NAMES.get(name) or NAMES[name]
    explanation = f"{entry.means} {told}" if told else entry.means
    return Finding(name, severity or entry.severity, evidence, explanation, f"{fix} {entry.fix}" if fix else entry.fix)
