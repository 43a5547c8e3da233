"""Every name that a finding can have: what it means in two sentences, where to look in the code, and what to change."""

from dataclasses import dataclass

from glassloom.doctor.finding import Evidence, Finding, Severity


@dataclass(frozen=True)
class Entry:
    """One name of the catalogue; `means` is two sentences, `fix` says where to look and what to change."""

    title: str
    severity: Severity
    means: str
    fix: str


def entry(title: str, means: str, fix: str, severity: Severity = "fatal") -> Entry:
    """An entry, in the order in which it reads."""
    return Entry(title, severity, means, fix)


NAMES: dict[str, Entry] = {
    "softmax-before-loss": entry(
        "The outputs are probabilities already",
        "The model's outputs are probabilities, and the loss applies softmax to them again. So the loss can hardly "
        "fall below ln(e + V - 1) - 1 however sure the model is, and its gradients nearly vanish.",
        "At the end of forward, return the last linear layer's output without softmax; keep softmax for sampling.",
    ),
    "future-leak": entry(
        "Predictions see the future",
        "Changing a later token changes an earlier prediction of the same row. In training the model copies its answer "
        "from the input, so the loss looks wonderful and generated text is poor.",
        "Where positions are mixed: give attention a causal mask (true above the diagonal, at every layer), pad "
        "convolutions on the left only, and use no bidirectional layer and no statistic over the time axis.",
    ),
    "batch-leak": entry(
        "Rows of a batch see each other",
        "Changing one row changes the predictions of another. A row's prediction then depends on its neighbours, and "
        "is different when it stands alone.",
        "Check the axes of every layer that mixes (batch_first of nn.RNN, nn.GRU, nn.LSTM and nn.MultiheadAttention, "
        "the axis of softmax and of any mean), and normalise over the width, never over the batch.",
    ),
    "time-batch-swapped": entry(
        "Time and batch are swapped in the output",
        "The logits come as time by batch, or a reshape has mixed the two axes. Each is then paired with a target of "
        "another row or place.",
        "Use transpose(0, 1) where the axes change order, and return (batch, time, vocab); view and reshape move no "
        "axis.",
    ),
    "no-past": entry(
        "A prediction depends on the current token only",
        "Earlier tokens make no difference to any prediction. The model can learn bigrams at best.",
        "See that the recurrent state is passed from step to step and used, that attention runs over the time axis, "
        "and that its mask lets earlier positions in.",
    ),
    "input-ignored": entry(
        "The predictions depend on no token",
        "Whatever tokens go in, the same logits come out. The model can learn how often each symbol occurs, no more.",
        "Follow the tokens through forward: something overwrites them, multiplies by zero, or is saturated.",
    ),
    "no-position": entry(
        "The order of the past makes no difference",
        "When the past tokens are shuffled, the prediction stays exactly the same. The model sees a bag of tokens.",
        "Add position embeddings to the token embeddings (learned, sinusoidal) or use rotary positions or ALiBi.",
    ),
    "eval-randomness": entry(
        "In eval mode two passes differ",
        "The same tokens give other logits each time although the model is in eval mode. Validation losses and "
        "generated text are then disturbed by noise that belongs to training.",
        "Use nn.Dropout as a submodule, or pass training=self.training to F.dropout; draw no random numbers in eval "
        "mode.",
        "serious",
    ),
    "state-leaks-across-calls": entry(
        "One call changes the next",
        "The second pass over the same tokens differs from the first because the model keeps something from call to "
        "call. Predictions then depend on what was computed before them.",
        "Begin each call of forward with a fresh state, or take the state as an argument and return it; store none on "
        "self.",
    ),
    "bad-initial-loss": entry(
        "The loss before training is far above ln V",
        "A new model should know nothing and be unsure, which costs ln V nats a token. This one is confidently wrong, "
        "and the first part of training goes into unlearning that.",
        "Initialise the embedding and the output layer with a small standard deviation (0.02, or 1/sqrt(width)), and "
        "scale no logits up.",
        "serious",
    ),
    "vocabulary-mismatch": entry(
        "The last axis is not the vocabulary",
        "The logits' last axis has another size than the vocabulary. Some tokens can never be predicted, or outputs "
        "exist that mean nothing.",
        "Make the output layer nn.Linear(width, vocab_size), with the same vocab_size as the embedding.",
    ),
    "unreached-parameters": entry(
        "No gradient arrives at some parameters",
        "These parameters are registered and the loss does not depend on them, or a gradient is cut off on its way. "
        "They stay as they were initialised.",
        "See that forward uses them, and remove detach, no_grad, .data, argmax and new tensors made from values "
        "(torch.tensor(x)) between them and the loss.",
        "serious",
    ),
    "optimizer-misses-parameters": entry(
        "The optimiser does not know some parameters",
        "The loss depends on these tensors, and the optimiser never changes them. They stay as they were initialised.",
        "Pass all of model.parameters() to the optimiser, after the whole model is built; register tensors with "
        "nn.Parameter and layers with nn.ModuleList, not with a plain list or dict.",
        "serious",
    ),
    "layers-share-weights": entry(
        "Layers that ought to be distinct are one",
        "A container of layers holds the same object several times. The model has fewer parameters than it seems to "
        "have.",
        "Build each layer anew, nn.ModuleList([Layer() for _ in range(n)]), instead of [layer] * n.",
        "serious",
    ),
    "gradients-not-zeroed": entry(
        "A step's gradient contains earlier steps'",
        "The gradients of earlier steps are still there when a step adds its own. The update follows the sum of all "
        "batches so far instead of the present one.",
        "Call optimizer.zero_grad() in each step, before loss.backward().",
    ),
    "vanishing-gradient": entry(
        "The past is forgotten more than tenfold a step",
        "From one step back to the next the prediction's sensitivity to the input falls more than tenfold. What lies "
        "more than a few steps back can neither be used nor learned.",
        "Look at the recurrent weights' scale and at what multiplies the state: initialise them orthogonally or with "
        "1/sqrt(width), use no saturating function twice, or take a GRU or LSTM.",
    ),
    "exploding-gradient": entry(
        "The sensitivity to the past grows with distance",
        "The further back an input lies, the more it moves the prediction. Gradients grow with the length and soon are "
        "useless or not finite.",
        "Look at the recurrent weights' scale: initialise them orthogonally or with 1/sqrt(width), and clip gradients.",
    ),
    "saturated-attention": entry(
        "Attention is nearly one-hot before training",
        "Each query puts nearly all its weight on one key although nothing has been learned. The gradient through the "
        "softmax nearly vanishes, so that this can hardly change.",
        "Divide the scores by sqrt(width of a head), and initialise the query and key weights smaller.",
        "serious",
    ),
    "learning-rate-too-high": entry(
        "The learning rate is too high",
        "The loop as it is does not learn a single batch, and with a lower rate alone it does. Its steps overshoot.",
        "Lower the optimiser's lr to the one that was tried.",
    ),
    "learning-rate-too-low": entry(
        "The learning rate is too low",
        "The loop as it is hardly moves, and with a higher rate alone it learns. It would take far too many steps.",
        "Raise the optimiser's lr to the one that was tried.",
    ),
    "no-progress": entry(
        "The step does not descend",
        "No learning rate makes the loop learn. The update does not go down the gradient of the loss.",
        "In the training step the order is zero_grad, forward, loss, backward, step; the loss is minimised, not its "
        "negative; and the optimiser holds this model's parameters.",
    ),
    "targets-not-shifted": entry(
        "The targets are the inputs",
        "Each position's target is the very token that stands there. The model learns to copy instead of to predict.",
        "In make_batch, take inputs tokens[i : i + n] and targets tokens[i + 1 : i + n + 1].",
    ),
    "targets-misaligned": entry(
        "The targets are not the next tokens",
        "The targets are shifted against the inputs by something other than one. The model learns to answer another "
        "question.",
        "In make_batch, take inputs tokens[i : i + n] and targets tokens[i + 1 : i + n + 1], row by row.",
    ),
    "loss-ignores-positions": entry(
        "Some positions do not count",
        "The logits of some positions do not enter the loss. What the model would learn there is thrown away.",
        "Compute the loss over all positions and rows, and slice neither axis of the logits.",
        "serious",
    ),
    "loss-misreads-axes": entry(
        "The loss pairs logits and targets wrongly",
        "The loss of a prediction is computed with the target of another position or over the wrong axis. Perfect "
        "logits do not give a small loss.",
        "Use F.cross_entropy(logits.reshape(-1, V), targets.reshape(-1)), both in the order batch, time.",
    ),
    "loss-not-a-mean": entry(
        "The loss grows with the batch",
        "The loss scales with the batch size or the length. So does the gradient, and a learning rate fits one size "
        "only.",
        'Use reduction="mean", or divide by the number of targets that count.',
        "serious",
    ),
    "padding-counted": entry(
        "Padding enters the loss",
        "Targets that are only padding are counted. The model is trained to predict padding, and the loss looks better "
        "than it is.",
        "Pass ignore_index to the cross-entropy (make_batch fills such targets with that number), or mask them.",
        "serious",
    ),
    "state-not-detached": entry(
        "The carried state drags all earlier steps along",
        "The state that is carried from step to step keeps its graph, so that each step goes back through all before "
        "it. Time and memory grow with the number of steps.",
        "Detach the state before the next step: state = state.detach(), both parts of an LSTM's.",
    ),
    "state-reset-each-window": entry(
        "The carried state makes no difference",
        "A state ought to go from window to window, and the predictions are the same without it. Nothing is "
        "remembered across windows.",
        "Pass the state that the last window ended with to the next, and overwrite it nowhere in forward.",
        "serious",
    ),
    "generation-mismatch": entry(
        "generate does not follow the model",
        "Greedy generation gives other tokens than the arg-max of the model's own predictions. What is written is not "
        "what was learned.",
        "In generate: eval mode, the logits of the last position, the whole past (or the carried state), and the new "
        "token appended at the end.",
        "serious",
    ),
    "non-finite": entry(
        "NaN or infinity",
        "Outputs, loss or gradients are not finite. Nothing can be learned from there on.",
        "Look for the logarithm or division of zero, rows that are masked wholly before a softmax, and overflow.",
    ),
}
"""The catalogue, exactly these names."""


def finding(name: str, evidence: Evidence, told: str = "", fix: str = "", severity: Severity | None = None) -> Finding:
    """A finding under its name: `told` adds what was measured to what the name means, `fix` stands before the usual.

    >>> finding("no-past", {"largest_change": 0.0}).severity
    'fatal'
    """
    entry = NAMES[name]
    explanation = f"{entry.means} {told}" if told else entry.means
    return Finding(name, severity or entry.severity, evidence, explanation, f"{fix} {entry.fix}" if fix else entry.fix)
