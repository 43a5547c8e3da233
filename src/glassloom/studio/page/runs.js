// Every run: what it is, how far it is, how it learns. Sorted, filtered, chosen for a comparison.
import { ask, repeat, tell } from "/api.js";
import { sparkline } from "/chart.js";
import { empty, fill, h, say } from "/dom.js";
import { ago, percent, whole } from "/format.js";
import { UNIT, loss, unitNote } from "/unit.js";

const COLUMNS = [
  ["name", "Run", (run) => run.name.toLowerCase()],
  ["model", "Model", (run) => run.model],
  ["corpus", "Text", (run) => run.corpus],
  ["curve", "Learning", null],
  ["best", "Best loss", (run) => lossesOf(run).best],
  ["newest", "Newest", (run) => lossesOf(run).newest],
  ["step", "Step", (run) => run.live?.step ?? run.step],
  ["state", "State", (run) => run.state],
  ["changed", "Changed", (run) => -run.changed],
];
const NUMBERS = ["best", "newest", "step"];
const STATES = [["", "All"], ["running", "Training"], ["finished", "Finished"], ["interrupted", "Stopped"]];
const POINTS = 48;

// The lowest loss so far and the one measured last, in nats; the same wherever they stand.
export function lossesOf(run) {
  const found = [run.live?.best_nats, run.valid_nats_per_token].filter((nats) => Number.isFinite(nats));
  return { best: found.length ? Math.min(...found) : null, newest: run.live?.valid_nats ?? run.newest_nats ?? null };
}

export const scoredOn = (run) => (run.memorises ? "training text" : "held-out text");

// A loss on the text that was learnt is no loss on another: whoever sees the figure is told.
export const mark = (run) => run.memorises && h("span", { class: "tag", title: "Nothing was held out: this is its loss on the very text that it was trained on." }, "on training text");

export const address = (page, name) => `#/${page}?run=${encodeURIComponent(name)}`;

// How it stands, in a word and a colour; of a training its share of the budget.
export function stateOf(run) {
  const share = run.state === "running" && run.live?.progress !== undefined ? ` ${percent(run.live.progress)}` : "";
  const words = { running: "training", interrupted: "stopped" };
  return h("span", { class: `state ${run.state}` }, h("i", { class: "dot" }), (words[run.state] ?? run.state) + share);
}

// Trainings begun here that have no run yet, or that ended without one.
export function startingNote(training) {
  if (training.running) return h("p", { class: "starting", dir: "auto" }, h("span", { class: "spinner" }), `${training.name} is being prepared: the text is read, baselines are counted …`);
  return training.code === 0 ? null : h("p", { class: "trouble", role: "alert", dir: "auto" }, `${training.name} ended: ${training.said || "interrupted"}`);
}

export async function show(place, asked, signal) {
  const chosen = new Set();
  const curves = new Map();
  const lines = new Map();
  let known = null;
  let sorting = { by: "changed", up: true };
  let state = "";

  const filter = h("input", { type: "search", placeholder: "Filter by name, model or text", "aria-label": "Filter the runs", on: { input: () => draw() } });
  const states = h("select", { "aria-label": "State", on: { change: () => { state = states.value; draw(); } } }, STATES.map(([value, text]) => h("option", { value }, text)));
  const body = h("tbody");
  const heads = COLUMNS.map(([key, title, by]) =>
    h("th", { scope: "col", class: `${NUMBERS.includes(key) ? "number" : ""} at-${key}`, data: { key } }, by ? h("button", { type: "button", on: { click: () => sort(key) } }, title) : title));
  const table = h("table", { class: "runs" }, h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "pick" }, h("span", { class: "unseen" }, "Compare")), heads)), body);
  const notes = h("div");
  const count = h("p", { class: "about", "aria-live": "polite" });
  const bar = h("div", { class: "chosen", hidden: true });
  const listed = h("div", { class: "listed" });
  place.append(listed);

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.dataset.seen = entry.isIntersecting ? "yes" : "";
    readCurves().catch(() => {});
  }, { rootMargin: "200px" });
  signal.addEventListener("abort", () => seen.disconnect());

  function sort(key) {
    sorting = { by: key, up: sorting.by === key ? !sorting.up : true };
    draw();
  }

  function choose(name, on) {
    on ? chosen.add(name) : chosen.delete(name);
    const query = [...chosen].map((each) => `run=${encodeURIComponent(each)}`).join("&");
    bar.hidden = !chosen.size;
    fill(bar, h("span", {}, `${chosen.size} chosen`), h("a", { class: "button primary", href: `#/compare?${query}` }, "Compare"),
      h("a", { class: "button", href: `#/write?${query}` }, "Let them write"),
      h("button", { type: "button", class: "quiet", on: { click: () => { chosen.clear(); bar.hidden = true; draw(); } } }, "Clear"));
  }

  function line(run) {
    let row = lines.get(run.name);
    if (!row) {
      const cells = Object.fromEntries(COLUMNS.map(([key]) => [key, h("td", { class: `${NUMBERS.includes(key) ? "number" : ""} at-${key}` })]));
      const box = h("input", { type: "checkbox", "aria-label": `Choose ${run.name}`, on: { change: () => choose(run.name, box.checked) } });
      cells.name.append(h("a", { href: `#/run?name=${encodeURIComponent(run.name)}` }, h("bdi", {}, run.name)));
      row = { cells, box, node: h("tr", { data: { name: run.name } }, h("td", { class: "pick" }, box), Object.values(cells)), told: "" };
      lines.set(run.name, row);
      seen.observe(row.node);
    }
    row.box.checked = chosen.has(run.name);
    const told = JSON.stringify([run, ago(run.changed)]);
    if (row.told === told) return row.node;
    row.told = told;
    fill(row.cells.model, run.model ?? "–");
    fill(row.cells.corpus, h("bdi", {}, run.corpus ?? "–"));
    fill(row.cells.best, loss(lossesOf(run).best), mark(run));
    fill(row.cells.newest, loss(lossesOf(run).newest));
    fill(row.cells.step, whole(run.live?.step ?? run.step));
    fill(row.cells.state, stateOf(run));
    fill(row.cells.changed, ago(run.changed));
    return row.node;
  }

  function draw() {
    if (!known) return;
    if (!known.runs.length && !known.trainings.some((one) => one.running)) {
      if (!listed.querySelector(".empty")) {
        fill(listed, h("h1", {}, "Runs"), notes, empty("Nothing has been trained yet", "Give a text, choose a model and a time. After a minute it writes in the manner of your text, and you can look inside it.",
          h("a", { class: "button primary", href: "#/train" }, "Train the first model"),
          h("span", { class: "or" }, "or, in a terminal: ", h("code", {}, "glassloom train novel.txt --minutes 5"))));
      }
    } else if (!table.isConnected) {
      fill(listed, h("div", { class: "head" }, h("h1", {}, "Runs"), h("a", { class: "button primary", href: "#/train" }, "Train a model")), count,
        unitNote(), h("div", { class: "tools" }, filter, states), notes, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" }, table), bar);
    }
    const there = new Set(known.runs.map((run) => run.name));
    fill(notes, known.trainings.filter((one) => !there.has(one.name)).map(startingNote));
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const by = COLUMNS.find(([key]) => key === sorting.by)[2];
    const shown = known.runs
      .filter((run) => (!state || run.state === state) && words.every((word) => `${run.name} ${run.model} ${run.corpus}`.toLowerCase().includes(word)))
      .sort((a, b) => {
        const [x, y] = [by(a) ?? null, by(b) ?? null];
        if (x === null || y === null) return (x === null) - (y === null);
        return (x < y ? -1 : x > y ? 1 : 0) * (sorting.up ? 1 : -1);
      });
    const nodes = shown.map(line);
    if (nodes.length !== body.children.length || nodes.some((node, at) => body.children[at] !== node)) body.replaceChildren(...nodes);
    for (const head of heads) head.dataset.key === sorting.by ? head.setAttribute("aria-sort", sorting.up ? "ascending" : "descending") : head.removeAttribute("aria-sort");
    const training = known.runs.filter((run) => run.state === "running").length;
    count.textContent = `${shown.length === known.runs.length ? known.runs.length : `${shown.length} of ${known.runs.length}`} in ${known.folder}${training ? `, ${training} training` : ""}. Loss is in ${UNIT} on held-out text, of marked runs on their training text; lower is better. The best is the lowest so far, of a finished run over the whole held-out text; the newest was measured last, on the way.`;
  }

  // Curves of the lines in sight only, a few at a time, and again only where they have changed.
  let reading = false;
  async function readCurves() {
    if (reading || signal.aborted) return;
    reading = true;
    try {
      for (let round = 0; round < 12; round += 1) {
        const states = new Map(known.runs.map((run) => [run.name, run.state]));
        const wanted = [...lines.entries()]
          .filter(([name, row]) => row.node.dataset.seen && row.node.isConnected && (!curves.get(name)?.whole || states.get(name) === "running" || curves.get(name).changed !== known.runs.find((run) => run.name === name)?.changed))
          .map(([name]) => name).slice(0, 25);
        if (!wanted.length) return;
        const found = await ask("/api/curves", { run: wanted, have: wanted.map((name) => String(curves.get(name)?.version ?? "")), points: POINTS }, signal);
        let unfinished = false;
        for (const name of wanted) {
          const curve = found.curves[name];
          if (curve) {
            curves.set(name, curve);
            fill(lines.get(name).cells.curve, sparkline(curve, { live: states.get(name) === "running" }));
            unfinished ||= !curve.whole;
          }
          if (curves.has(name)) curves.get(name).changed = known.runs.find((run) => run.name === name)?.changed;
        }
        if (!unfinished && wanted.length < 25) return;
      }
    } finally {
      reading = false;
    }
  }

  await repeat(async () => {
    known = await ask("/api/runs", {}, signal);
    draw();
    await readCurves();
  }, () => (known?.runs.some((run) => run.state === "running") || known?.trainings.some((one) => one.running) ? 1500 : 4000), signal);
}

// Interrupts a training that was begun from the page.
export async function stop(name) {
  await tell("/api/stop", { name });
  say(`${name} finishes its step, saves, and stops.`);
}
