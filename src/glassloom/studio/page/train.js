// A training begun from the page: a text, a model, a time.
import { ask, tellMuch } from "/api.js";
import { field, fill, h, segments, trouble } from "/dom.js";
import { bytes, whole } from "/format.js";

const MODELS = [
  ["", "Choose for me", "What learns most in the time given."],
  ["rnn", "RNN", "The simple recurrent network: one state, no gates."],
  ["gru", "GRU", "Two gates decide what is kept. Quick, and strong on small texts."],
  ["lstm", "LSTM", "Three gates and a cell that remembers long."],
  ["transformer", "Transformer", "Attention: each token looks at all before it."],
];
const TERMINAL = "Choose a shorter text, or train on the file in a terminal, which has no such limits: glassloom train FILE.";

// A name that no run has yet.
function freeName(stem, taken) {
  const base = stem.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 56) || "run";
  if (!taken.has(base)) return base;
  let number = 2;
  while (taken.has(`${base}-${number}`)) number += 1;
  return `${base}-${number}`;
}

export async function show(place, asked, signal) {
  const [{ runs }, { corpora, limits }] = await Promise.all([ask("/api/runs", {}, signal), ask("/api/corpora", {}, signal)]);
  const taken = new Set(runs.map((run) => run.name));
  let source = "paste";
  let uploaded = null;
  let named = false;

  const text = h("textarea", { rows: 10, dir: "auto", placeholder: "Paste a text: a book, poems, letters, code …", on: { input: () => measure() } });
  const file = h("input", { type: "file", on: { change: () => read() } });
  const listed = h("select", { on: { change: () => measure() } }, corpora.map((one) => h("option", { value: one.name }, `${one.name}: ${one.what}${one.bytes ? ` (${bytes(one.bytes)})` : ""}`)));
  const size = h("p", { class: "note", "aria-live": "polite" });
  const given = h("div");
  const name = h("input", { type: "text", maxlength: 64, autocomplete: "off", spellcheck: "false", on: { input: () => { named = true; } } });
  const minutes = h("input", { type: "number", min: 0.1, max: 1440, step: "any", value: "2" });
  const models = MODELS.map(([value, title, about], at) =>
    h("label", { class: "card" }, h("input", { type: "radio", name: "model", value, checked: at === 0, on: { change: () => suggest() } }), h("strong", {}, title), h("span", {}, about)));
  const model = () => models.map((one) => one.querySelector("input")).find((one) => one.checked).value;
  const start = h("button", { type: "submit", class: "button primary" }, "Start training");
  const wrong = h("div");

  const tooLarge = (size) => `The text has ${bytes(size)}; the page takes ${bytes(limits.bytes)}. ${TERMINAL}`;

  function suggest() {
    if (named) return;
    const stem = source === "listed" ? listed.value : source === "upload" && uploaded ? uploaded.name.replace(/\.[^.]*$/, "") : "text";
    name.value = freeName(`${stem}-${model() || "model"}`, taken);
  }

  function measure() {
    const content = source === "paste" ? text.value : source === "upload" ? uploaded?.text : null;
    const few = content && content.length < 2000;
    size.textContent = content ? `${whole(content.length)} characters${few ? ". It learns little from so few: some ten thousand are a good beginning" : ""}.` : source === "listed" ? "It is on this machine; nothing is downloaded." : "";
    suggest();
  }

  async function read() {
    fill(wrong);
    uploaded = null;
    const chosen = file.files[0];
    if (chosen && chosen.size > limits.bytes) fill(wrong, trouble(tooLarge(chosen.size)));
    else if (chosen) {
      try {
        uploaded = { name: chosen.name, text: new TextDecoder("utf-8", { fatal: true }).decode(await chosen.arrayBuffer()) };
      } catch {
        fill(wrong, trouble("The file is not text in UTF-8. Save it as UTF-8, or train on it in a terminal, where --encoding names another."));
      }
    }
    measure();
  }

  function showSource(value) {
    source = value;
    fill(given, { paste: field("The text", text), upload: field("A text file, UTF-8", file), listed: field("A text that has a name", listed, "Formal languages have a known entropy, so one sees how near a model comes.") }[value]);
    measure();
  }

  async function begin(event) {
    event.preventDefault();
    fill(wrong);
    start.disabled = true;
    const body = { name: name.value.trim(), model: model() || null, minutes: Number(minutes.value) };
    body[source === "listed" ? "corpus" : "text"] = source === "listed" ? listed.value : source === "upload" ? uploaded?.text ?? "" : text.value;
    const length = new Blob([body.text ?? ""]).size;
    if (length > 1e6) fill(size, `Sending ${bytes(length)} …`);
    try {
      if (length > limits.bytes) throw new Error(tooLarge(length));
      const { training } = await tellMuch("/api/train", body, limits.seconds, TERMINAL, signal);
      location.hash = `#/run?name=${encodeURIComponent(training.name)}`;
    } catch (error) {
      measure();
      fill(wrong, trouble(error));
      wrong.scrollIntoView({ block: "nearest" });
      start.disabled = false;
    }
  }

  place.append(h("h1", {}, "Train a model"), h("p", { class: "about" }, "It runs on this machine, as glassloom train does in a terminal. You can stop it at any time; what it has learnt stays."),
    h("form", { class: "train", on: { submit: begin } },
      h("section", {}, h("h2", {}, "Which text?"), segments("Where the text comes from", [["paste", "Paste"], ["upload", "Upload"], ["listed", "From the list"]], source, showSource), given, size),
      h("section", {}, h("h2", {}, "Which model?"), h("div", { class: "cards", role: "radiogroup", "aria-label": "Model" }, models)),
      h("section", {}, h("h2", {}, "How long?"), h("div", { class: "row" }, field("Minutes", minutes, "Training time; reading the text and scoring come on top."), field("Name of the run", name, "Letters, digits, dots, hyphens."))),
      wrong, h("p", { class: "actions" }, start)));
  showSource("paste");
}
