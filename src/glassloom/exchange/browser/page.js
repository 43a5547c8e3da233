// The page: what the reader asks for goes to the model, and what it answers is shown.
import { Model } from "./model.js";
import { find, Showing } from "./showing.js";

const data = JSON.parse(find("model").textContent);
const { settings, unit } = data;
const attends = settings.name === "transformer";
const model = new Model(find("engine").textContent, data, find("weights").textContent);
const showing = new Showing(data);
let reads = false; // whether it reads the reader's text, or goes on with it

const number = (name) => (find(name).value === "" ? undefined : find(name).valueAsNumber);
const counted = (count) => `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;

// -- asking

function order() {
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
  showing.text.element.setAttribute("aria-busy", is);
}

async function go() {
  const faulty = [...document.querySelectorAll("#choices input")].find((input) => !input.checkValidity());
  if (faulty) {
    find("more").open = true;
    faulty.reportValidity();
    return;
  }
  const wanted = order();
  showing.clear();
  busy(true);
  say(reads ? "Reading …" : "Writing …");
  try {
    const answer = await model.work(wanted, (tokens, given) => showing.add(tokens, given));
    if (answer.stopped) return;
    showing.finish();
    say([report(answer.seconds), answer.note].filter(Boolean).join(" "));
    if (!reads && find("another").checked) find("seed").value = wanted.seed + 1;
  } catch (error) {
    say(error.message + (error.lacks ? " Change it, or have that left out." : ""), true);
    if (error.lacks) find("more").open = true;
  }
  busy(false);
}

function stop() {
  model.stop();
  busy(false);
  say(report());
}

/** What it cost, and how long it took. What ends a sequence spells nothing: where it came, tokens are counted. */
function report(seconds) {
  const scored = showing.text.tokens.filter((token) => token.bits !== undefined && (reads || token.written));
  if (!scored.length) return reads && showing.text.element.textContent ? `One ${unit} alone says nothing: go on.` : "";
  const bits = scored.reduce((total, token) => total + token.bits, 0);
  const characters = [...scored.map((token) => token.text).join("")].length;
  const ended = data.tokenizer.marks.includes(".end") && scored.at(-1).label === ".end";
  if (ended && scored.length === 1) return `The model ended at once, without a ${unit} of its own; the end cost it ${bits.toFixed(2)} bits.`;
  const words = data.tokenizer.kind === "word"; // an unknown word has no characters to be counted
  const whole = words || ended || !characters;
  const cost = `${(bits / (whole ? scored.length : characters)).toFixed(2)} bits a ${whole ? unit : "character"}`;
  if (reads) return `${counted(scored.length)} of your text cost the model ${cost}.`;
  const pace = characters ? `, ${Math.round(characters / seconds)} characters a second` : "";
  const written = counted(scored.length - ended) + (seconds > 0.1 ? ` in ${seconds.toFixed(1)} s${pace}` : "");
  return `${written}; ${cost}${ended ? ", the end counted as one. Here the model ended by itself" : ""}.`;
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
  for (const name of ["colour", "head"]) find(name).addEventListener("change", () => showing.again());
  find("layer").addEventListener("change", () => {
    limitUnit();
    showing.again();
  });
  find("unit").addEventListener("input", () => {
    find("colour").value = "inside";
    showing.again();
  });
  find("prompt").value = data.prompt;
  temperature();
}

function limitUnit() {
  find("unit").max = (settings.widths?.[Number(find("layer").value)] ?? settings.width) - 1;
}

function temperature() {
  const value = number("temperature");
  let meaning = "as the model has it";
  if (value === 0) meaning = "always the most probable";
  else if (value !== 1) meaning = value < 1 ? "safer" : "wilder";
  find("temperature-value").textContent = `${value.toFixed(2)}, ${meaning}`;
}

async function copy() {
  try {
    await navigator.clipboard.writeText(showing.text.plain());
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(showing.text.element); // a page opened from a file may not be allowed to
    say("Marked; copy it with the keyboard.");
  }
}

// -- light and dark

const THEMES = { "": "as the system", light: "light", dark: "dark" };

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  find("theme").querySelector("span").textContent = THEMES[name];
  showing.later();
}

find("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showing.later());

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
