// Chosen runs side by side: their curves on the same axes, and a table of what they reached and where they differ.
import { ask, repeat } from "/api.js";
import { colour, lineChart } from "/chart.js";
import { empty, field, fill, h, segments } from "/dom.js";
import { duration, whole } from "/format.js";
import { AXES, axisOptions } from "/run.js";
import { lossesOf, scoredOn, stateOf } from "/runs.js";
import { UNIT, bits, loss, unitNote } from "/unit.js";

const MOST = 30;

export async function show(place, asked, signal) {
  const { runs } = await ask("/api/runs", {}, signal);
  const usable = runs.filter((run) => run.state !== "damaged");
  place.append(h("h1", {}, "Compare"));
  if (usable.length < 2) {
    place.append(empty("There is nothing to compare yet", "Train two models on the same text and see their curves on the same axes.", h("a", { class: "button primary", href: "#/train" }, "Train a model")));
    return;
  }
  const there = new Map(usable.map((run) => [run.name, run]));
  let chosen = asked.getAll("run").filter((name) => there.has(name)).slice(0, MOST);
  if (!chosen.length) chosen = [...usable].sort((a, b) => b.changed - a.changed).slice(0, 4).map((run) => run.name);
  let over = "step";
  let log = false;
  let training = false;
  let smooth = 0;
  let known = usable;
  const curves = new Map();
  const details = new Map();
  const chart = lineChart({ height: 400 });
  const chips = h("div", { class: "chips" });
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The runs side by side" });
  const report = h("a", { class: "button", target: "_blank", rel: "noopener" }, "Full report");
  const check = (label, act) => h("label", { class: "check" }, h("input", { type: "checkbox", on: { change: (event) => { act(event.target.checked); draw(); } } }), label);
  const smoothing = h("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: "0", on: { input: () => { smooth = Number(smoothing.value); draw(); } } });
  place.append(h("div", { class: "field" }, h("span", { class: "label" }, "Runs"), chips),
    h("div", { class: "tools" }, segments("Along the axis", AXES, over, (value) => { over = value; draw(); }), check("Logarithmic loss", (on) => { log = on; }), check("Training loss too", (on) => { training = on; }), field("Smoothing", smoothing)),
    chart.node, h("p", { class: "note" }, `Loss on held-out text (of runs that hold nothing out, on their training text) in ${UNIT}, lower is better; dashed: on the training text. Runs on different texts or tokenizers cannot be ranked by it.`), unitNote(),
    h("h2", {}, "Side by side"), table, h("p", { class: "actions" }, report));

  function drawChosen() {
    history.replaceState(null, "", `#/compare?${chosen.map((name) => `run=${encodeURIComponent(name)}`).join("&")}`);
    const left = usable.filter((run) => !chosen.includes(run.name));
    const picker = h("select", { "aria-label": "Add a run", on: { change: () => { if (picker.value) { chosen.push(picker.value); change(); } } } }, h("option", { value: "" }, "Add a run …"), left.map((run) => h("option", { value: run.name }, run.name)));
    fill(chips, chosen.map((name, at) => h("span", { class: "chip" }, h("i", { class: "dot", style: { background: colour(at) } }), h("bdi", {}, name),
      h("button", { type: "button", "aria-label": `Remove ${name}`, on: { click: () => { chosen = chosen.filter((one) => one !== name); change(); } } }, "×"))), left.length && chosen.length < MOST ? picker : null);
    report.href = `/report?${chosen.map((name) => `run=${encodeURIComponent(name)}`).join("&")}`;
    report.hidden = !chosen.length;
  }

  function draw() {
    const series = chosen.filter((name) => curves.has(name)).flatMap((name) => {
      const curve = curves.get(name);
      const own = { colour: colour(chosen.indexOf(name)), live: known.find((run) => run.name === name)?.state === "running" };
      const valid = { ...own, name, x: curve.valid[over], y: curve.valid.nats.map(bits) };
      const train = { ...own, name: `${name} · training`, x: curve.train[over], y: curve.train.nats.map(bits), dashed: true };
      return training || !valid.x.length ? [valid, train].filter((one) => one.x.length) : [valid];
    });
    chart.show(series, { ...axisOptions(over), yTitle: UNIT, log, smooth, title: "Learning curves", waiting: chosen.length ? "Reading the curves …" : "Add a run above." });
  }

  // Only the settings in which the runs differ.
  function drawTable() {
    const shown = chosen.map((name) => ({ name, run: known.find((one) => one.name === name), facts: details.get(name) })).filter((one) => one.run);
    const settings = [...new Set(shown.flatMap(({ facts }) => Object.keys(facts?.settings ?? {})))]
      .filter((key) => new Set(shown.filter(({ facts }) => facts).map(({ facts }) => JSON.stringify(facts.settings[key] ?? null))).size > 1);
    const best = Math.min(...shown.map(({ run }) => lossesOf(run).best ?? Infinity));
    const sameText = new Set(shown.map(({ run, facts }) => `${facts?.corpus?.sha256} ${facts?.corpus?.tokenizer} ${run.memorises}`)).size === 1;
    const rows = [
      ["Model", ({ run }) => run.model],
      ["Text", ({ run }) => h("bdi", {}, run.corpus ?? "–")],
      ["State", ({ run }) => stateOf(run)],
      ["Scored on", ({ run }) => scoredOn(run)],
      ["Best loss, bits a token", ({ run }) => (sameText && lossesOf(run).best === best ? h("strong", {}, loss(best)) : loss(lossesOf(run).best))],
      ["Newest loss", ({ run }) => loss(lossesOf(run).newest)],
      ["Bits a character", ({ facts }) => facts?.result?.best?.bits_per_character?.toFixed(3) ?? "–"],
      ["Step", ({ run }) => whole(run.live?.step ?? run.step)],
      ["Trained for", ({ run, facts }) => duration(facts?.result?.seconds ?? run.live?.seconds)],
    ];
    const differing = settings.map((key) => [key, ({ facts }) => String(facts?.settings?.[key] ?? "–")]);
    const side = (lines) => h("table", { class: "beside" }, h("thead", {}, h("tr", {}, h("td"), shown.map(({ name }) => h("th", { scope: "col" }, h("i", { class: "dot", style: { background: colour(chosen.indexOf(name)) } }), h("a", { href: `#/run?name=${encodeURIComponent(name)}` }, h("bdi", {}, name)))))),
      h("tbody", {}, lines.map(([title, cell]) => h("tr", {}, h("th", { scope: "row" }, title), shown.map((one) => h("td", {}, cell(one)))))));
    const open = table.querySelector("details")?.open ?? settings.length <= 6;
    fill(table, side(rows), settings.length > 0 && h("details", { open }, h("summary", {}, `${settings.length} settings in which they differ`), side(differing)));
  }

  let stale = "";
  async function read() {
    known = (await ask("/api/runs", {}, signal)).runs;
    for (let round = 0; round < 30; round += 1) {
      if (!chosen.length) break;
      const found = (await ask("/api/curves", { run: chosen, have: chosen.map((name) => String(curves.get(name)?.version ?? "")), points: 400 }, signal)).curves;
      for (const [name, curve] of Object.entries(found)) curves.set(name, curve);
      draw();
      if (Object.values(found).every((curve) => curve.whole)) break;
    }
    const now = JSON.stringify(chosen.map((name) => known.find((run) => run.name === name)));
    if (now === stale) return;
    stale = now;
    await Promise.all(chosen.filter((name) => known.find((run) => run.name === name)?.state !== "running" || !details.has(name)).map(async (name) => {
      try {
        details.set(name, await ask("/api/run", { name }, signal));
      } catch (error) {
        if (signal.aborted) throw error;
      }
    }));
    drawTable();
  }

  function change() {
    stale = "";
    drawChosen();
    draw();
    read().catch(() => {});
  }

  drawChosen();
  await repeat(read, () => (known.some((run) => run.state === "running") ? 1500 : 5000), signal);
}
