"""A model from elsewhere as a run: the same logits as transformers has, all that runs can do, and what is refused."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import glassloom
from commands import Commands
from foreign import RMS, model_of, their_warnings, tokens_of
from glassloom.data.tokenizers import BpeTokenizer, CharTokenizer
from glassloom.errors import InputError, Notice, RunError
from glassloom.exchange.foreign_tokenizers import foreign_tokenizer
from glassloom.exchange.tokenizing import tokenizer_files
from glassloom.runs import Run
from histories import seal
from trainings import small

TEXT = "The cat sat on the mat. The dog ate the cat's hat, and that was that.\n" * 40
LETTERS = CharTokenizer("".join(sorted(set(TEXT))))
VOCABULARY = LETTERS.size
SHARED = {"vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
SHARED |= {"num_attention_heads": 4, "max_position_embeddings": 64, "bos_token_id": None, "eos_token_id": None}
FOREIGN: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64}),
    "gpt2, gelu, wide, untied": (
        "GPT2",
        {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64, "n_inner": 20,
         "activation_function": "gelu", "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
    ),
    "llama, shared keys": ("Llama", {**SHARED, "num_key_value_heads": 2, "rms_norm_eps": 1e-3}),
    "llama, another base, biases, tied": (
        "Llama",
        {**SHARED, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True,
         "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    ),
    "mistral, a window": ("Mistral", {**SHARED, "sliding_window": 8, "num_key_value_heads": 1}),
    "qwen2": ("Qwen2", {**SHARED, "num_key_value_heads": 2}),
    "starcoder2": ("Starcoder2", {**SHARED, "num_key_value_heads": 2, "sliding_window": None}),
}  # fmt: skip


def made(kind: str, given: dict[str, Any], folder: Path, **saving: Any) -> Any:
    """A model of transformers with weights that matter everywhere, saved with a tokenizer of characters."""
    with their_warnings():
        import transformers

        torch.manual_seed(1)
        config = getattr(transformers, f"{kind}Config")(**given)
        model = getattr(transformers, "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.2)
        model.save_pretrained(folder, **saving)
    for name, content in tokenizer_files(LETTERS, None).items():
        (folder / name).write_bytes(content)
    return model


@pytest.mark.parametrize("name", FOREIGN)
@torch.no_grad()
def test_a_model_of_transformers_has_the_same_logits_here(name: str, tmp_path: Path) -> None:
    other = made(*FOREIGN[name], tmp_path / "theirs")
    run = glassloom.import_model(tmp_path / "theirs", "mine", runs=tmp_path)
    for time in (9, 60):
        tokens = tokens_of(2, time)
        assert torch.allclose(run.model()(tokens)[0], other(tokens).logits, atol=2e-5, rtol=0)
    text = "The dog sat on "
    ids = other.generate(torch.tensor([run.tokenizer.encode(text).tolist()]), max_new_tokens=40, do_sample=False)
    assert text + glassloom.generate(run, text, length=40, greedy=True)[0].text == run.tokenizer.decode(ids[0].numpy())


@torch.no_grad()
def test_several_files_with_an_index_are_one_model(tmp_path: Path) -> None:
    other = made(*FOREIGN["llama, shared keys"], tmp_path / "theirs", max_shard_size="4KB")
    assert len(list((tmp_path / "theirs").glob("model-*.safetensors"))) > 2
    run = glassloom.import_model(tmp_path / "theirs", "mine", runs=tmp_path)
    tokens = tokens_of(1, 20)
    assert torch.allclose(run.model()(tokens)[0], other(tokens).logits, atol=2e-5, rtol=0)


@torch.no_grad()
def test_the_names_of_gpt2s_first_files_and_half_precision_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    other = made(*FOREIGN["gpt2"], folder)
    weights = load_file(folder / "model.safetensors")
    renamed = {name.removeprefix("transformer."): value.to(torch.bfloat16) for name, value in weights.items()}
    renamed |= {f"h.{layer}.attn.bias": torch.ones(1, 1, 64, 64) for layer in range(2)}
    save_file(renamed, folder / "model.safetensors")
    run = glassloom.import_model(folder, "mine", runs=tmp_path)
    assert next(run.model().parameters()).dtype == torch.float32
    tokens = tokens_of(1, 20)
    assert torch.allclose(run.model()(tokens)[0], other.to(torch.bfloat16).float()(tokens).logits, atol=2e-5, rtol=0)


ROUND: dict[str, tuple[str, dict[str, Any]]] = {
    "the default": ("transformer", {}),
    "learned positions": ("transformer", {"positions": "learned", "norm_bias": False}),
    "sinusoidal, scaled": ("transformer", {"positions": "sinusoidal", "scaled_embedding": True, "tied": True}),
    "rms": ("transformer", {**RMS, "attention_bias": False, "feedforward_bias": False, "tied": True}),
    "rms with biases": ("transformer", {**RMS, "norm_epsilon": 1e-3, "rotary_base": 50.0}),
    "post-norm, as our own class": ("transformer", {"norm": "post"}),
    "lstm": ("lstm", {"initial_state": "trainable"}),
}


@pytest.mark.parametrize("name", ROUND)
def test_there_and_back_again_it_says_and_scores_the_same(name: str, tmp_path: Path) -> None:
    architecture, given = ROUND[name]
    steps = {"context": 24} if architecture == "transformer" else {}
    settings = {**small(architecture, steps=3), **given, **steps}
    run = glassloom.train(TEXT, name="first", runs=tmp_path, **settings).run
    with warnings.catch_warnings(action="ignore", category=Notice):  # of layouts without a window
        folder = glassloom.export(run, "huggingface", out=tmp_path / "model")
    back = glassloom.import_model(folder, "second", runs=tmp_path, corpus=TEXT)
    assert back.tokenizer.sha256 == run.tokenizer.sha256
    tokens = tokens_of(2, 24)
    with torch.no_grad():
        assert torch.allclose(back.model()(tokens)[0], run.model()(tokens)[0], atol=1e-5, rtol=0)
    before, after = (glassloom.evaluate(one, windows=24) for one in (run, back))
    assert after.figures.nats_per_token == pytest.approx(before.figures.nats_per_token, abs=1e-6)
    assert after.tokens == before.tokens
    assert after.baselines == before.baselines
    result = back.result()
    assert result is not None
    assert (result["status"], result["reason"]) == ("finished", "trained elsewhere")
    assert result["best"]["tokens"] > 0


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("imported")
    made(*FOREIGN["llama, shared keys"], folder / "theirs")
    return glassloom.import_model(folder / "theirs", "mine", runs=folder)


def test_views_reports_and_further_training_work_on_it(imported: Run, commands: Commands, tmp_path: Path) -> None:
    shown = glassloom.view(imported, "surprise", "The cat sat")
    assert shown.mean_bits > 0
    assert glassloom.view(imported, "attention", "The cat sat") is not None
    with pytest.raises(RunError, match="was trained elsewhere and has no text of its own"):
        glassloom.evaluate(imported)
    assert glassloom.evaluate(imported, corpus=TEXT).figures.nats_per_token > 0
    more = glassloom.train(
        TEXT, name="more", runs=tmp_path, start_from=imported.path, steps=3, lr=1e-3, threads=1, batch_size=4,
        sequence_length=16,
    )  # fmt: skip
    assert more.run.config.model == imported.config.model
    assert more.best["nats_per_token"] < glassloom.evaluate(imported, corpus=TEXT).figures.nats_per_token
    [row] = commands.done("runs", "--runs", imported.path.parent, "--json").json["runs"]
    assert (row["name"], row["state"], row["model"]) == ("mine", "finished", "transformer")
    assert glassloom.export(more.run, "html", out=tmp_path / "page.html").stat().st_size > 10_000


def test_the_doctor_examines_it_and_it_is_told_what_going_on_means(
    imported: Run, commands: Commands, tmp_path: Path
) -> None:
    shutil.copytree(imported.path, tmp_path / "mine")
    named = ("mine", "--runs", tmp_path)
    assert commands("doctor", *named, "--json").json["verdict"] == "healthy"
    (tmp_path / "text.txt").write_text(TEXT)
    refused = commands.refused("train", tmp_path / "text.txt", "--name", *named, "--resume", "--steps", "4")
    assert "glassloom train CORPUS --from mine --name ANOTHER" in refused
    checkpoint = glassloom.load_run("mine", tmp_path).best()
    weights = load_file(checkpoint.path / "model.safetensors")
    next(iter(weights.values()))[:] = torch.nan
    save_file(weights, checkpoint.path / "model.safetensors")
    seal(checkpoint.path)
    [first, *_] = commands("doctor", *named, "--json").json["findings"]
    assert (first["name"], first["severity"]) == ("non-finite", "fatal")


def test_special_ids_anywhere_and_ids_that_spell_nothing_keep_their_rows(tmp_path: Path) -> None:
    with their_warnings():
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    theirs.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=280, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet,
                                    show_progress=False)
    )  # fmt: skip
    theirs.save(str(tmp_path / "tokenizer.json"))
    found = foreign_tokenizer(tmp_path, 300)
    ours = found.tokenizer
    assert isinstance(ours, BpeTokenizer)
    assert ours.size == 300
    assert list(ours.specials)[:3] == ["<s>", "</s>", f".unused-{theirs.get_vocab_size()}"]
    assert sorted(found.rows) == list(range(300))
    for text in (TEXT[:200], "naïve 日本語 <s> \n\n  x", ""):
        expected = theirs.encode(text.replace("<s>", "< s>")).ids
        got = ours.encode(text.replace("<s>", "< s>")).tolist()
        assert [found.rows[index] for index in got] == expected


def test_characters_in_another_order_take_their_rows_along(tmp_path: Path) -> None:
    other = made(*FOREIGN["gpt2"], tmp_path / "theirs")
    data = json.loads((tmp_path / "theirs" / "tokenizer.json").read_bytes())
    turned = {symbol: VOCABULARY - 1 - place for symbol, place in data["model"]["vocab"].items()}
    data["model"]["vocab"] = turned
    (tmp_path / "theirs" / "tokenizer.json").write_text(json.dumps(data))
    run = glassloom.import_model(tmp_path / "theirs", "mine", runs=tmp_path)
    text = "The cat sat"
    with torch.no_grad():
        expected = other(torch.tensor([[turned[sign] for sign in text]])).logits[0, :, turned["T"]]
        got = run.inside(text)["logits"][:, run.tokenizer.encode("T")[0]]
    assert torch.allclose(torch.as_tensor(got).float(), expected, atol=2e-5, rtol=0)


def without(name: str) -> Callable[[Path], None]:
    """A folder that lacks a file."""
    return lambda folder: (folder / name).unlink()


def configured(**changes: Any) -> Callable[[Path], None]:
    """A folder with another config."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))

    return change


def tokenized(part: str, value: Any) -> Callable[[Path], None]:
    """A folder with another tokenizer."""

    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), part: value}))

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-8])


def index_elsewhere(folder: Path) -> None:
    index = {"weight_map": {"lm_head.weight": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pickle": (pickled, "are pickled (pytorch_model.bin), and could run code"),
    "no weights": (without("model.safetensors"), "holds no weights"),
    "a damaged file": (cut, "cannot be read"),
    "an index that leads elsewhere": (index_elsewhere, "names '../../secret.safetensors'"),
    "no config": (without("config.json"), "has no config.json"),
    "no tokenizer": (without("tokenizer.json"), "has no tokenizer.json"),
    "another architecture": (configured(model_type="mamba"), "stands model_type, which is mamba"),
    "another size": (configured(hidden_size=32, head_dim=8), "do not fit its config.json"),
    "a size beyond all memory": (configured(vocab_size=2**30), "do not fit its config.json"),
    "an absurd size": (configured(num_hidden_layers=-1), "stands num_hidden_layers, which is -1"),
    "too many layers": (configured(num_hidden_layers=201), "layers cannot be 201"),
    "scaled positions": (configured(rope_parameters={"rope_type": "yarn"}), "stands rope_type, which is yarn"),
    "another activation": (configured(hidden_act="gelu"), "stands hidden_act, which is gelu"),
    "heads of another width": (configured(head_dim=8), "stands head_dim, which is 8"),
    "quantised": (configured(quantization_config={"bits": 4}), "stands quantization_config"),
    "layers of two kinds": (configured(layer_types=["full_attention", "sliding_attention"]), "stands layer_types"),
    "another cut of words": (tokenized("pre_tokenizer", {"type": "Metaspace"}), "pre_tokenizer, which is Metaspace"),
    "a normaliser": (tokenized("normalizer", {"type": "NFKC"}), "its normalizer, which is NFKC"),
    "another tokenizer": (tokenized("model", {"type": "Unigram", "vocab": []}), "stands model, which is without"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name(name: str, imported: Run, commands: Commands, tmp_path: Path) -> None:
    spoil, sentence = REFUSED[name]
    folder = Path(shutil.copytree(imported.path.parent / "theirs", tmp_path / "theirs"))
    spoil(folder)
    assert sentence in commands.refused("import", folder, "--name", "mine", "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs" / "mine").exists()


def test_code_that_a_folder_names_is_not_run(imported: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(imported.path.parent / "theirs", tmp_path / "theirs"))
    (folder / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    configured(auto_map={"AutoModelForCausalLM": "modeling.Mine"})(folder)
    with pytest.warns(Notice, match="names code of its own"):
        glassloom.import_model(folder, "mine", runs=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_name_that_is_taken_is_kept_and_the_command_tells_where_the_run_is(
    imported: Run, commands: Commands, tmp_path: Path
) -> None:
    folder, root = imported.path.parent / "theirs", tmp_path / "runs"
    told = commands.done("import", folder, "--name", "mine", "--runs", root, "--json").json
    assert told == {"run": str(root / "mine"), "model": "transformer", "tokenizer": "char"}
    assert "exists already" in commands.refused("import", folder, "--name", "mine", "--runs", root)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    again = ["import", folder, "--name", "mine", "--runs", root, "--replace", "--corpus", tmp_path / "text.txt"]
    commands.done(*again)
    assert glassloom.evaluate("mine", root=root).figures.nats_per_token > 0
    assert "is no folder" in commands.refused("import", tmp_path / "none", "--name", "other", "--runs", root)
    with pytest.raises(InputError, match="cannot be a run's name"):
        glassloom.import_model(folder, "a/b", runs=root)
    assert model_of("gru").vocabulary == 13
