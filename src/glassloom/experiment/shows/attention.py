"""Attention of a transformer: the matrices over a text that it wrote itself, and what its heads do."""

from glassloom.exhibits import Exhibit, Text, Texts
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, FromZero, RunName, Temperature, Which
from glassloom.experiment.shows.keeping import Measured, checkpoint_of, keep, title_of
from glassloom.generation import DecodingSettings, encode_prompt, generate
from glassloom.runs import Run
from glassloom.views.attention import attention as attention_of
from glassloom.views.attention import attention_exhibits
from glassloom.views.head_claims import claims, claims_exhibits
from glassloom.views.heads import heads_exhibits, score_heads


def attention(
    experiment: Experiment,
    *,
    run: RunName,
    prompt: str = "Hello there,",
    length: Count = 24,
    temperature: Temperature = 0.6,
    seed: FromZero = 0,
    checkpoint: Which = "best",
) -> list[Exhibit]:
    """Every layer and head over a prompt and the model's own continuation of it (temperature 0: the most probable)."""

    def measure(there: dict[str, Run]) -> Measured:
        found = there[run]
        model, tokenizer = found.model(checkpoint_of(found, checkpoint)), found.tokenizer
        decoding = DecodingSettings(length=length, greedy=temperature == 0, temperature=temperature or 1.0, seed=seed)
        [sample] = generate(model, tokenizer, prompt, decoding, skip_unknown=True)
        ids = [*encode_prompt(tokenizer, prompt, skip_unknown=True), *sample.ids]
        how = "the most probable tokens" if temperature == 0 else f"temperature {temperature:g}, seed {seed}"
        text = Texts(
            name="text",
            title="The text that is looked at",
            caption=f"{length} tokens after the prompt, {how}.",
            texts=(Text(label=title_of(run, found), prompt=prompt, text=sample.text),),
        )
        return [text, *attention_exhibits(attention_of((model, tokenizer), ids))], {}

    arguments = [prompt, length, temperature, seed, checkpoint]
    return keep(experiment, "attention", [run], {"arguments": arguments}, measure)


def attention_heads(
    experiment: Experiment,
    *,
    run: RunName,
    windows: Count = 8,
    tokens: Count = 128,
    delimiter: str = "!",
    checkpoint: Which = "best",
) -> list[Exhibit]:
    """Heads sorted by what they do on held-out text, and what was said of them scored.

    `windows` windows of so many tokens (or as many as the model's context holds), evenly spread.
    """

    def measure(there: dict[str, Run]) -> Measured:
        found, valid = there[run], experiment.corpus(run).valid
        model, tokenizer = found.model(checkpoint_of(found, checkpoint)), found.tokenizer
        size = min(tokens, model.context or tokens, valid.tokens)
        starts = [(valid.tokens - size) * number // max(1, windows - 1) for number in range(windows)]
        texts = [attention_of((model, tokenizer), valid.ids[start : start + size].tolist()) for start in starts]
        scored = score_heads(texts, tokenizer)
        kinds = [each.kind for each in scored]
        figures = {f"heads {kind} {run}": float(kinds.count(kind)) for kind in kinds}
        exhibits = [*heads_exhibits(scored, size * windows), *claims_exhibits(claims(texts, tokenizer, delimiter))]
        return exhibits, figures

    arguments = [windows, tokens, delimiter, checkpoint]
    return keep(experiment, "attention-heads", [run], {"arguments": arguments}, measure)
