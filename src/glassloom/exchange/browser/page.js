// The page: what the reader asks for goes to the model, and what it answers is shown.
import { Model } from "./model.js";
import { Picture, sharesOf } from "./pictures.js";
import { describe } from "./readout.js";
import { TokenText } from "./texts.js";

const find = (name) => document.getElementById(name);
const data = JSON.parse(find("model").textContent);
const { settings, unit } = data;
const attends = settings.name === "transformer";
const uniform = Math.log2(data.vocabulary);
const KEPT = 2 ** 24; // numbers of the inside that are kept, 64 MB of them; the oldest go first
const model = new Model(find("engine").textContent, data, find("weights").textContent);
const text = new TokenText(find("text"), chosen);
const picture = new Picture(find("picture"), pointed, picked);
let reads = false; // whether it reads the reader's text, or goes on with it
let given = 0; // ids that were read before the text: .start
let kept = 0, forgotten = 0; // numbers of the inside, and tokens whose inside has gone
let coloured = 0; // tokens that have their colour
let frame = 0;

const number = (name) => (find(name).value === "" ? undefined : find(name).valueAsNumber);

// -- asking

function orders() {
  const temperature = number("temperature");
  return {
    text: find("prompt").value, skip: find("skip").checked, look: true, greedy: temperature === 0,
    temperature: temperature || 1, topK: number("top-k"), topP: number("top-p"), minP: number("min-p"),
    seed: number("seed") ?? 0, length: reads ? 0 : (number("length") ?? 400), pace: Number(find("pace").value),
  };
}

function say(sentence, refused = false) {
  find("status").textContent = sentence;
  find("status").classList.toggle("refused", refused);
}

function busy(is) {
  find("write").disabled = is && !reads;
  find("stop").disabled = !is;
  text.element.setAttribute("aria-busy", is);
}

async function go() {
  const faulty = [...document.querySelectorAll("#choices input")].find((input) => !input.checkValidity());
  if (faulty) {
    find("more").open = true;
    faulty.reportValidity();
    return;
  }
  const order = orders();
  text.clear();
  [given, kept, forgotten, coloured] = [data.tokenizer.marks?.includes(".start") ? 1 : 0, 0, 0, 0];
  if (!order.text && !given) given = 1; // what stands for an absent prompt
  chosen(-1);
  busy(true);
  say(reads ? "Reading …" : "Writing …");
  try {
    const answer = await model.work(order, came);
    if (answer.stopped) return;
    say([report(answer.seconds), answer.note].filter(Boolean).join(" "));
    if (!reads && find("another").checked) find("seed").value = order.seed + 1;
  } catch (error) {
    say(error.message + (error.message.includes("never saw") ? " Change it, or have that left out." : ""), true);
    if (error.message.includes("never saw")) find("more").open = true;
  }
  busy(false);
}

function stop() {
  model.stop();
  busy(false);
  say(report());
}

/** Tokens that came. */
function came(tokens) {
  for (const token of tokens) if (token.rest) text.addRest(token.rest);
  const whole = tokens.filter((token) => !token.rest);
  text.add(whole);
  for (const token of whole) kept += sizeOf(token);
  for (; kept > KEPT && forgotten < text.tokens.length; forgotten += 1) {
    kept -= sizeOf(text.tokens[forgotten]);
    text.tokens[forgotten].inside = null;
  }
  later();
}

function sizeOf(token) {
  return (token.inside?.hidden ?? token.inside?.attention ?? []).reduce((total, values) => total + values.length, 0);
}

/** What it cost, and how long it took. */
function report(seconds) {
  const scored = text.tokens.filter((token) => token.bits !== undefined && token.written === (reads ? undefined : true));
  if (!scored.length) return reads && text.element.textContent ? `One ${unit} alone says nothing: go on.` : "";
  const bits = scored.reduce((total, token) => total + token.bits, 0);
  const characters = [...scored.map((token) => token.text).join("")].length;
  const cost = `${(bits / Math.max(characters, 1)).toFixed(2)} bits a character`;
  if (reads) return `${counted(scored.length)} of your text cost the model ${cost}.`;
  const ended = data.tokenizer.marks?.includes(".end") && scored.at(-1).label === ".end" ? " Here the model ended." : "";
  const speed = seconds ? ` in ${seconds.toFixed(1)} s, ${Math.round(characters / seconds)} characters a second` : "";
  return `${counted(scored.length)}${speed}; ${cost}.${ended}`;
}

const counted = (count) => `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;

// -- showing

/** Draw once for all that came since the last picture. */
function later() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    colour(coloured);
    look();
  });
}

const amounts = {
  none: () => () => null,
  surprise: () => (token) => (token.bits === undefined ? null : token.bits / uniform),
  inside: () => (attends ? attentionAmount() : unitAmount()),
};

/** A unit's value, scaled by its greatest. */
function unitAmount() {
  const layer = Number(find("layer").value), of = number("unit") ?? 0;
  const value = (token) => token.inside?.hidden[layer][of] ?? null;
  const limit = text.tokens.reduce((greatest, token) => Math.max(greatest, Math.abs(value(token) ?? 0)), 1e-9);
  return (token) => value(token) / limit;
}

/** What the chosen token takes from each; the newest where none is chosen. */
function attentionAmount() {
  const found = sharesNow(text.chosen < 0 ? text.tokens.length - 1 : text.chosen);
  return (_, place) => found?.shares[place + given - found.first] ?? null;
}

function sharesNow(place) {
  return sharesOf(text.tokens[place], Number(find("layer").value), Number(find("head").value), settings.heads);
}

function colour(from = 0) {
  const by = find("colour").value;
  text.colour(amounts[by](), by === "inside" ? 0 : from);
  coloured = text.tokens.length;
  find("colour-scale").hidden = by === "none";
  const high = { surprise: `${uniform.toFixed(1)} bits`, inside: attends ? "100%" : "its most" };
  find("colour-high").textContent = high[by] ?? "";
  find("colour-low").textContent = by === "inside" && !attends ? "minus that" : "0";
  find("colour-scale").classList.toggle("both", by === "inside" && !attends);
}

function look() {
  const layer = Number(find("layer").value), around = find("around");
  const follows = around.scrollWidth - around.scrollLeft - around.clientWidth < 40;
  if (attends) picture.attention(text.tokens, given, layer, Number(find("head").value), settings.heads, text.chosen);
  else picture.units(text.tokens, layer, number("unit") ?? 0);
  if (follows) around.scrollLeft = around.scrollWidth;
  find("inside").hidden = !text.tokens.length;
}

/** A token was chosen. */
function chosen(place) {
  describe(find("readout"), text.tokens[place], unit);
  if (attends) later();
  if (attends && find("colour").value === "inside") coloured = 0;
}

const labelAt = (place) => (place < 0 ? "what stands before the text" : `‘${text.tokens[place]?.label ?? ""}’`);

function pointed(cell) {
  const told = find("cell");
  if (!cell || cell.value === null) told.textContent = " ";
  else if (attends) {
    const share = `${(100 * cell.value).toFixed(1)}%`;
    told.textContent = `At ${labelAt(cell.row)} it takes ${share} from ${labelAt(cell.column - given)}.`;
  } else told.textContent = `Unit ${cell.row} after ${labelAt(cell.column)}: ${cell.value.toFixed(2)}`;
}

/** A row of the picture was clicked: a unit to colour the text by, or a token. */
function picked(cell) {
  if (!cell) return;
  find("colour").value = "inside";
  if (attends) text.select(cell.row);
  else find("unit").value = cell.row;
  again();
}

function again() {
  coloured = 0;
  later();
}

// -- the controls

function setMode(reading) {
  reads = reading;
  find("writes").setAttribute("aria-pressed", !reads);
  find("reads").setAttribute("aria-pressed", reads);
  document.querySelectorAll("[data-mode]").forEach((part) => {
    part.hidden = part.dataset.mode !== (reads ? "reads" : "writes");
  });
  stop();
  if (reads) go();
}

function fill(name, count, label) {
  for (let place = 0; place < count; place += 1) find(name).append(new Option(`${label} ${place + 1}`, place));
}

function setUp() {
  const sublayers = settings.attention_sublayers ?? 1;
  const layers = attends ? settings.layers * sublayers : (settings.widths?.length ?? settings.layers);
  fill("layer", layers, sublayers > 1 ? "sublayer" : "layer");
  find("layer").value = layers - 1;
  if (attends) fill("head", settings.heads, "head");
  limitUnit();
  find("head-choice").hidden = !attends;
  find("unit-choice").hidden = attends;
  find("colour").options[1].textContent = attends ? "what a head looks at" : "a hidden unit";
  let waiting = 0;
  find("prompt").addEventListener("input", () => {
    clearTimeout(waiting);
    if (reads) waiting = setTimeout(go, 150);
  });
  find("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) go();
  });
  find("write").addEventListener("click", go);
  find("stop").addEventListener("click", stop);
  find("writes").addEventListener("click", () => setMode(false));
  find("reads").addEventListener("click", () => setMode(true));
  find("skip").addEventListener("change", () => reads && go());
  find("temperature").addEventListener("input", temperature);
  find("copy").addEventListener("click", copy);
  for (const name of ["colour", "head"]) find(name).addEventListener("change", again);
  find("layer").addEventListener("change", () => {
    limitUnit();
    again();
  });
  find("unit").addEventListener("input", () => {
    find("colour").value = "inside";
    again();
  });
  temperature();
}

function limitUnit() {
  find("unit").max = (settings.widths?.[Number(find("layer").value)] ?? settings.width) - 1;
}

function temperature() {
  const value = number("temperature");
  const meaning = value === 0 ? "always the most probable" : value < 0.95 ? "bolder than it is" : value > 1.05 ? "wilder" : "as the model has it";
  find("temperature-value").textContent = `${value.toFixed(2)}, ${meaning}`;
}

async function copy() {
  try {
    await navigator.clipboard.writeText(text.plain());
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(text.element); // a page opened from a file may not be allowed to
    say("Marked; copy it with the keyboard.");
  }
}

// -- light and dark

const THEMES = { "": "as the system", light: "light", dark: "dark" };

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  find("theme").querySelector("span").textContent = THEMES[name];
  later();
}

find("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);

/** For the browser's console: await glassloom.logits([0, 1]), glassloom.read("To be"), glassloom.write("To be"). */
window.glassloom = {
  logits: async (ids) => (await model.ask("logits", { ids })).logits,
  encode: async (words, skip = false) => (await model.ask("encode", { text: words, skip })).ids,
  read: (words, more) => collected({ text: words, length: 0, ...more }),
  write: (words, more) => collected({ text: words, length: 200, ...more }),
};

async function collected(order) {
  const tokens = [];
  const answer = await model.work(order, (some) => tokens.push(...some));
  return { ...answer, tokens };
}

setUp();
setTheme("");
model.ready.then(
  () => {
    document.documentElement.dataset.ready = "yes";
    say("");
    find("write").disabled = false;
    go();
  },
  (error) => say(error.message, true),
);
