// Views: one question asked of a run and a text, shown as the report shows it.
import { ask, fetchFile, tell } from "/api.js";
import { empty, field, fill, h, trouble } from "/dom.js";
import { drawExhibit } from "/exhibits.js";
import { minus } from "/format.js";
import { unitNote } from "/unit.js";

const FORMS = ["html", "svg", "png", "csv", "json"];
const OPTIONS = {
  top: ["How many", "number", "Alternatives, units, neighbours."],
  at: ["At token", "number", "Counted from 1."],
  context: ["How far back", "number", "In tokens."],
  at_least: ["Stretches from", "number", "Characters or words."],
  length: ["Length", "number", "In tokens."],
  most: ["Tokens shown", "number", ""],
  seed: ["Seed", "number", ""],
  temperature: ["Temperature", "decimal", "0 takes the most probable."],
  properties: ["Property", "list", "bracket-depth, quotes, vowel or a regular expression, /[A-Z]\\w+/ or capitals=[A-Z]\\w+; several with commas."],
  kinds: ["Parts", "list", "head, attention, feedforward, layer, gate or unit."],
  by: ["Switched off by", "text", "mean or zero."],
  other: ["The other text", "long", "Values are put from this one into it; as many tokens."],
  changes: ["Held values", "list", "layers.0.hidden:3=off, or =1.0; several with commas."],
};
const TITLES = { "gradient-flow": "Gradient flow", ablate: "Ablation", steer: "Steering", patch: "Patching" };

const titleOf = (name) => TITLES[name] ?? name[0].toUpperCase() + name.slice(1);

// What stands between commas; those within a regular expression part nothing.
const listOf = (text) => (text.match(/\s*\/(?:[^/\\]|\\.)*\/|[^,]+/g) ?? []).map((one) => one.trim()).filter(Boolean);

function said(value) {
  if (value === null) return "none";
  if (Array.isArray(value)) return value.map(said).join(", ") || "none";
  if (typeof value === "object") return Object.entries(value).map(([name, part]) => `${name} ${said(part)}`).join("; ") || "none";
  return typeof value === "number" ? minus(Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(4))) : String(value);
}

export async function show(place, asked, signal) {
  const [{ runs }, { views }] = await Promise.all([ask("/api/runs", {}, signal), ask("/api/views", {}, signal)]);
  const usable = runs.filter((run) => run.state !== "damaged" && run.step !== null).sort((a, b) => b.changed - a.changed);
  place.append(h("h1", {}, "Look inside"));
  if (!usable.length) {
    place.append(empty("There is no model to look into yet", "Every architecture can be asked the same questions: what surprises it, where it looks, what it remembers.", h("a", { class: "button primary", href: "#/train" }, "Train a model")));
    return;
  }
  let view = views.find((one) => one.name === asked.get("view")) ?? views[0];
  let inputs = {};
  let asking = new AbortController();
  const run = h("select", { on: { change: () => keep() } }, usable.map((one) => h("option", { value: one.name, selected: one.name === asked.get("run") }, `${one.name} (${one.model})`)));
  const beside = h("select", {}, h("option", { value: "" }, "no other run"), usable.map((one) => h("option", { value: one.name }, one.name)));
  const text = h("textarea", { rows: 3, dir: "auto", value: asked.get("text") ?? "", placeholder: "Leave it empty to look at held-out text of the run." });
  const list = h("nav", { class: "views", "aria-label": "Views" });
  const more = h("div", { class: "row" });
  const options = h("details", { class: "options" }, h("summary", {}, "Options"), more);
  const answer = h("div", { class: "answer", "aria-live": "polite", "aria-busy": "false" });
  const go = h("button", { type: "submit", class: "button primary" }, "Look");
  const about = h("p", { class: "about" });
  const textField = field("Text", text);
  const besideField = field("Beside", beside, "On the same axes.");

  function keep() {
    const query = new URLSearchParams({ run: run.value, view: view.name });
    history.replaceState(null, "", `#/look?${query}`);
  }

  function choose(next, look = true) {
    view = next;
    keep();
    fill(list, views.map((one) => h("button", { type: "button", "aria-current": one === view ? "true" : null, on: { click: () => choose(one) } }, h("strong", {}, titleOf(one.name)), h("span", {}, one.about))));
    const here = list.querySelector("[aria-current]");
    list.scrollLeft = here.offsetLeft - (list.clientWidth - here.offsetWidth) / 2; // where the list is a strip
    about.textContent = `${titleOf(view.name)}: ${view.about}.`;
    textField.hidden = view.text === "none";
    besideField.hidden = !view.several;
    inputs = Object.fromEntries(view.options.filter((name) => name in OPTIONS).map((name) => {
      const [, kind] = OPTIONS[name];
      return [name, kind === "long" ? h("textarea", { rows: 2, dir: "auto" }) : h("input", { type: kind === "number" || kind === "decimal" ? "number" : "text", step: kind === "decimal" ? "any" : "1", min: kind === "number" ? 0 : null, placeholder: view.required.includes(name) ? "" : "default" })];
    }));
    fill(more, Object.entries(inputs).map(([name, input]) => field(OPTIONS[name][0], input, OPTIONS[name][2])), besideField);
    fill(answer);
    if (view.required.length) options.open = true;
    if (look && !view.required.length) start();
  }

  function body() {
    const given = {};
    for (const [name, input] of Object.entries(inputs)) {
      if (input.value.trim() === "") continue;
      const kind = OPTIONS[name][1];
      given[name] = kind === "number" || kind === "decimal" ? Number(input.value) : kind === "list" ? listOf(input.value) : input.value;
    }
    return { run: run.value, view: view.name, text: view.text === "none" ? null : text.value || null, options: given, beside: view.several && beside.value ? [beside.value] : [] };
  }

  async function start(event) {
    event?.preventDefault();
    asking.abort();
    asking = new AbortController();
    const own = asking;
    signal.addEventListener("abort", () => own.abort(), { once: true });
    answer.setAttribute("aria-busy", "true");
    fill(answer, h("p", { class: "waiting" }, h("span", { class: "spinner" }), "Looking …"));
    const given = body();
    try {
      const found = await tell("/api/look", given, own.signal);
      if (own.signal.aborted) return;
      const facts = Object.entries(found.facts);
      const saved = h("p", { class: "saved" }, "Save as ", FORMS.map((form) => h("button", { type: "button", class: "quiet", on: { click: () => save(given, form) } }, form.toUpperCase())));
      fill(answer, facts.length > 0 && h("dl", { class: "found" }, facts.map(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, h("bdi", {}, said(value)))])), found.exhibits.map((one) => h("section", { class: "exhibit", id: `exhibit-${one.name}` })), saved);
      const places = answer.querySelectorAll(".exhibit");
      for (const [at, one] of found.exhibits.entries()) await drawExhibit(places[at], one);
    } catch (error) {
      if (!own.signal.aborted) fill(answer, trouble(error));
    } finally {
      if (!own.signal.aborted) answer.setAttribute("aria-busy", "false");
    }
  }

  async function save(given, form) {
    try {
      const { content, name } = await fetchFile("/api/file", { ...given, form });
      const link = h("a", { href: URL.createObjectURL(content), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      answer.append(trouble(error));
    }
  }

  place.append(h("div", { class: "looking" }, list,
    h("div", {}, about, h("form", { on: { submit: start } }, h("div", { class: "row" }, field("Run", run)), textField, options, h("p", { class: "actions" }, go)), unitNote(), answer)));
  // What the browser finds wrong must be in sight, else it refuses without a word.
  options.addEventListener("invalid", () => { options.open = true; }, { capture: true, signal });
  choose(view);
}
