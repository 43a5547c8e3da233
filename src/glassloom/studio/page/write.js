// The playground: one prompt, one or several models side by side, token by token.
import { ask } from "/api.js";
import { empty, field, fill, h, segments, trouble } from "/dom.js";
import { lane } from "/lane.js";
import { unitNote } from "/unit.js";

const MOST = 4;

function remembered(name, otherwise) {
  return sessionStorage.getItem(`glassloom-${name}`) ?? otherwise;
}

// A number with its slider, written out beside it.
function slider(label, name, { min, max, step, value, hint }) {
  const shown = h("output", {}, remembered(name, value));
  const input = h("input", { type: "range", min, max, step, value: remembered(name, value), on: { input: () => {
    shown.textContent = input.value;
    sessionStorage.setItem(`glassloom-${name}`, input.value);
  } } });
  const node = field(label, input, hint);
  node.querySelector("label").append(" ", shown);
  return { node, input };
}

function optional(label, hint, more = {}) {
  const input = h("input", { type: "number", placeholder: "all", ...more });
  return { node: field(label, input, hint), value: () => (input.value === "" ? null : Number(input.value)) };
}

export async function show(place, asked, signal) {
  const { runs } = await ask("/api/runs", {}, signal);
  const usable = runs.filter((run) => run.state !== "damaged" && run.step !== null);
  if (!usable.length) {
    place.append(h("h1", {}, "Playground"), empty("No model can write yet", "Train one first: a minute is enough for a first impression.", h("a", { class: "button primary", href: "#/train" }, "Train a model")));
    return;
  }
  const there = new Set(usable.map((run) => run.name));
  const lanes = new Map();
  const view = { colour: remembered("colour", "surprise") };
  const prompt = h("textarea", { rows: 3, dir: "auto", value: remembered("prompt", ""), placeholder: "Where should it begin? Leave it empty for a text from nowhere.",
    on: { input: () => sessionStorage.setItem("glassloom-prompt", prompt.value) } });
  const heat = slider("Temperature", "temperature", { min: 0.1, max: 2, step: 0.05, value: "0.8", hint: "Low: safe and repetitive. High: daring and faulty." });
  const length = slider("Length", "length", { min: 20, max: 1000, step: 20, value: "300", hint: "In tokens." });
  const topK = optional("Top-k", "Only so many of the most probable.", { min: 1, step: 1 });
  const topP = optional("Top-p", "The fewest that share this probability.", { min: 0.01, max: 1, step: 0.01 });
  const seed = h("input", { type: "number", min: 0, step: 1, value: "0" });
  const chips = h("div", { class: "chips" });
  const board = h("div", { class: "lanes" });
  const wrong = h("div");
  const go = h("button", { type: "submit", class: "button primary" }, "Write");
  const halt = h("button", { type: "button", class: "button", disabled: true, on: { click: () => { for (const one of lanes.values()) one.stop(); } } }, "Stop");
  const another = h("button", { type: "button", class: "button", title: "The same with the next seed", on: { click: () => { seed.value = String(Number(seed.value) + 1); write(); } } }, "Another");

  const settings = () => ({ temperature: Number(heat.input.value), length: Number(length.input.value), seed: Number(seed.value), top_k: topK.value(), top_p: topP.value() });

  function working() {
    const busy = [...lanes.values()].some((one) => one.busy());
    halt.disabled = !busy;
  }

  function add(name) {
    if (lanes.has(name) || lanes.size >= MOST || !there.has(name)) return;
    lanes.set(name, lane(name, { settings, view, signal, changed: working }));
    drawChosen();
  }

  function remove(name) {
    lanes.get(name)?.stop();
    lanes.delete(name);
    drawChosen();
  }

  function drawChosen() {
    sessionStorage.setItem("glassloom-lanes", JSON.stringify([...lanes.keys()]));
    const left = usable.filter((run) => !lanes.has(run.name));
    const picker = h("select", { "aria-label": "Add a model", on: { change: () => add(picker.value) } }, h("option", { value: "" }, lanes.size ? "Add a model …" : "Choose a model …"),
      left.map((run) => h("option", { value: run.name }, `${run.name} (${run.model})`)));
    fill(chips, [...lanes.keys()].map((name) => h("span", { class: "chip" }, h("bdi", {}, name), h("button", { type: "button", "aria-label": `Remove ${name}`, on: { click: () => remove(name) } }, "×"))),
      lanes.size < MOST && left.length ? picker : null);
    board.dataset.count = String(lanes.size);
    for (const node of [...board.children]) if (![...lanes.values()].some((one) => one.node === node)) node.remove();
    for (const one of lanes.values()) if (!one.node.isConnected) board.append(one.node);
    go.disabled = !lanes.size;
    another.disabled = !lanes.size;
  }

  function write(event) {
    event?.preventDefault();
    fill(wrong);
    if (!lanes.size) return fill(wrong, trouble("Choose a model first."));
    for (const one of lanes.values()) one.begin(prompt.value);
  }

  // What the browser finds wrong must be in sight, else it refuses without a word.
  const more = h("details", { class: "field" }, h("summary", {}, "More"), h("div", { class: "row" }, topK.node, topP.node, field("Seed", seed, "The same seed writes the same text.")));
  more.addEventListener("invalid", () => { more.open = true; }, { capture: true, signal });
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) write(event);
  });
  place.append(h("h1", {}, "Playground"),
    h("form", { class: "playground", on: { submit: write } },
      h("div", { class: "field" }, h("span", { class: "label" }, `Models, up to ${MOST} side by side`), chips),
      field("Prompt", prompt),
      h("div", { class: "row knobs" }, heat.node, length.node,
        more),
      h("div", { class: "actions" }, go, halt, another, h("span", { class: "keys" }, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter"), " writes"),
        h("span", { class: "right" }, segments("Colour of the tokens", [["surprise", "Surprise"], ["", "Plain"]], view.colour, (value) => {
          view.colour = value;
          sessionStorage.setItem("glassloom-colour", value);
          for (const one of lanes.values()) one.paint();
        })))),
    h("p", { class: "note" }, "Point at a token: what it owes to the tokens before it lights up, where that is more than an even share. Click it (or press Enter on it): what else might have stood there. Choose that, and the text goes on from it."), unitNote(),
    wrong, board);
  const first = asked.getAll("run").filter((name) => there.has(name));
  const before = JSON.parse(remembered("lanes", "[]")).filter((name) => there.has(name));
  for (const name of (first.length ? first : before.length ? before : [usable.sort((a, b) => b.changed - a.changed)[0].name]).slice(0, MOST)) add(name);
  drawChosen();
  if (asked.has("prompt")) prompt.value = asked.get("prompt");
}
