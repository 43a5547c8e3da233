// One run: its curve as it grows, how it ended, what it wrote on the way, and every setting.
import { ask, repeat } from "/api.js";
import { colour, lineChart } from "/chart.js";
import { fill, h, say, segments, trouble } from "/dom.js";
import { bytes, duration, short, whole } from "/format.js";
import { goingOn } from "/goingon.js";
import { address, lossesOf, mark, scoredOn, startingNote, stateOf, stop } from "/runs.js";
import { UNIT, bits, loss, unitNote } from "/unit.js";

export const AXES = [["step", "Step"], ["seconds", "Time"], ["epoch", "Epoch"], ["tokens", "Tokens"]];
export const axisOptions = (over) => ({ xTitle: { step: "step", seconds: "time", epoch: "epoch", tokens: "tokens" }[over], xFormat: over === "seconds" ? duration : short });

export async function show(place, asked, signal) {
  const name = asked.get("name") ?? asked.get("run") ?? "";
  const chart = lineChart({ height: 340 });
  const head = h("div", { class: "head" });
  const notes = h("div");
  const numbers = h("dl", { class: "numbers" });
  const more = h("div");
  let over = "step";
  let log = false;
  let curve = null;
  let run = null;
  let facts = null;
  let described = "";
  const tools = h("div", { class: "tools" }, segments("Along the axis", AXES, over, (value) => { over = value; drawChart(); }),
    h("label", { class: "check" }, h("input", { type: "checkbox", on: { change: (event) => { log = event.target.checked; drawChart(); } } }), "Logarithmic loss"));
  const axesNote = h("p", { class: "note" });
  const further = goingOn(name, signal);
  const learning = h("section", { "aria-labelledby": "h-learning" }, h("h2", { id: "h-learning" }, "How it learns"), tools, chart.node,
    axesNote, unitNote());
  place.append(h("p", { class: "crumb" }, h("a", { href: "#/" }, "Runs"), " / ", h("bdi", {}, name)), head, further.node, notes, numbers, learning, more);

  let drawn = "";
  function drawHead(training) {
    further.offer(run, facts, training);
    const now = JSON.stringify([run.state, run.live?.progress, run.model, run.corpus, training?.running, training?.stopping]);
    if (now === drawn) return; // what is pressed or has the focus stays
    drawn = now;
    const going = run.state === "running";
    const button = training?.running ? h("button", {
      type: "button", class: "button", disabled: training.stopping,
      on: { click: async (event) => { event.target.disabled = true; await stop(name).catch((error) => say(error.message)); } },
    }, training.stopping ? "Stopping …" : "Stop training") : null;
    fill(head, h("div", {}, h("h1", {}, h("bdi", {}, name)), h("p", { class: "about" }, stateOf(run), ` · ${run.model ?? "?"} on `, h("bdi", {}, run.corpus ?? "?"))),
      h("div", { class: "actions" }, button, run.state === "damaged" ? null : [further.button,
        h("a", { class: `button ${going ? "" : "primary"}`, href: address("write", name) }, "Let it write"),
        h("a", { class: "button", href: address("look", name) }, "Look inside"),
        h("a", { class: "button", href: address("compare", name) }, "Compare"),
        h("a", { class: "button", href: `/report?run=${encodeURIComponent(name)}`, target: "_blank", rel: "noopener" }, "Report")]));
  }

  function drawNumbers() {
    const losses = lossesOf(run);
    axesNote.textContent = `Solid: loss on ${run.memorises ? "the training text, as nothing was held out" : "held-out text"}. Dashed: on the training text, since the point before. Thin lines: what simple methods reach on the same ${run.memorises ? "text" : "held-out text"}. In ${UNIT}, lower is better.`;
    const best = facts?.result?.best;
    const live = run.live ?? curve?.last ?? {};
    const shown = [
      [["Best loss on ", scoredOn(run)], loss(losses.best), UNIT],
      ["Newest loss", loss(losses.newest), UNIT],
      ["Bits a character", best?.bits_per_character ? best.bits_per_character.toFixed(3) : "–", "at best"],
      ["Step", whole(live.step ?? run.step), ""],
      ["Trained for", duration(facts?.result?.seconds ?? live.seconds), ""],
      ["On disk", bytes(run.bytes), ""],
    ];
    fill(numbers, shown.map(([title, value, unit]) => h("div", {}, h("dt", {}, title), h("dd", {}, value, unit && value !== "–" && h("small", {}, ` ${unit}`)))));
  }

  function drawChart() {
    if (!curve) return;
    const live = run?.state === "running";
    const baselines = Object.entries(facts?.corpus?.baselines ?? {}).map(([title, each]) => ({ name: title, y: bits(each.nats_per_token) }));
    chart.show([
      { name: run?.state === "damaged" ? "validation" : scoredOn(run ?? {}), x: curve.valid[over], y: curve.valid.nats.map(bits), colour: colour(0), live },
      { name: "while training", x: curve.train[over], y: curve.train.nats.map(bits), colour: colour(0), dashed: true, live: live && !curve.valid.step.length },
    ], { ...axisOptions(over), yTitle: UNIT, log, marks: baselines, title: `Learning curves of ${name}`, waiting: live ? "The first steps are on their way …" : undefined });
  }

  function drawMore() {
    const samples = facts.samples.map((one) => h("article", { class: "sample" }, h("h3", {}, `After step ${whole(one.step)}`),
      h("blockquote", { dir: "auto" }, h("span", { class: "prompt" }, one.prompt), one.text)));
    const settings = Object.entries(facts.settings).filter(([, value]) => value !== null && value !== "")
      .map(([key, value]) => [h("dt", {}, key), h("dd", {}, String(value))]);
    const checkpoints = facts.checkpoints.map((one) => h("tr", {}, h("td", { class: "number" }, whole(one.step)), h("td", { class: "number" }, loss(one.valid_nats)), h("td", { class: "number" }, duration(one.seconds))));
    const command = facts.environment?.command;
    fill(more,
      facts.problem && h("p", { class: "trouble", role: "alert", dir: "auto" }, facts.problem),
      facts.result?.reason && h("p", { class: "note" }, `It ended: ${facts.result.reason}.`),
      samples.length > 0 && h("section", {}, h("h2", {}, "What it wrote on the way"), h("div", { class: "samples" }, samples)),
      h("section", {}, h("h2", {}, "How it was made"),
        command && [h("p", {}, "The command, to repeat it", facts.state === "interrupted" ? h("span", {}, "; with ", h("code", {}, "--resume"), " and its name it goes on, as by the button above:") : ":"), h("pre", { class: "command" }, command)],
        checkpoints.length > 0 && h("details", {}, h("summary", {}, `${checkpoints.length} checkpoints`), h("table", {}, h("thead", {}, h("tr", {}, ["Step", "Loss, bits a token", "After"].map((title) => h("th", { scope: "col", class: "number" }, title)))), h("tbody", {}, checkpoints))),
        h("details", {}, h("summary", {}, "Every setting"), h("dl", { class: "settings" }, settings))));
  }

  await repeat(async () => {
    const found = await ask("/api/runs", {}, signal);
    run = found.runs.find((one) => one.name === name);
    const training = found.trainings.find((one) => one.name === name);
    fill(notes, !run && training ? startingNote(training) : null);
    learning.hidden = !run;
    if (!run) {
      for (const node of [numbers, more]) fill(node); // what was told of it before it was deleted
      [curve, facts, described, drawn] = [null, null, "", ""];
      if (!training) fill(notes, trouble(`There is no run ${name} here (any more).`));
      fill(head, h("h1", {}, h("bdi", {}, name)), training?.running && h("div", { class: "actions" }, h("button", { type: "button", class: "button", on: { click: () => stop(name).catch((error) => say(error.message)) } }, "Stop")));
      return;
    }
    drawHead(training);
    const now = `${run.changed} ${run.state}`;
    if (now !== described && run.state === "damaged") {
      described = now;
      for (const node of [numbers, more]) fill(node);
      const why = await ask("/api/run", { name }, signal).then(() => "A part of it cannot be read.", (error) => error.message);
      if (!signal.aborted) fill(more, trouble(why), h("p", { class: "note" }, "What it measured can still be seen here, if that is whole; nothing can be asked of it. All other runs are as they were."));
    } else if (now !== described) {
      facts = await ask("/api/run", { name }, signal);
      described = now;
      drawMore();
      further.offer(run, facts, training);
    }
    const { curves } = await ask("/api/curves", { run: name, have: String(curve?.version ?? ""), points: 600 }, signal);
    curve = curves[name] ?? curve;
    if (run.state !== "damaged") drawNumbers();
    drawChart();
  }, () => (!run || run.state === "running" || (curve && !curve.whole) ? 1000 : 4000), signal);
}
