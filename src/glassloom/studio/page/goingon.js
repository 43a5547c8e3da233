// Going on with a run that has stopped or finished: how much more, and a button.
import { tell } from "/api.js";
import { field, fill, h, say, trouble } from "/dom.js";
import { short } from "/format.js";

const WORDS = { minutes: "minutes", steps: "steps", train_tokens: "tokens", epochs: "epochs" };

// `offer` is called whenever the run has changed; `button` stands among the others, `node` is what it opens.
export function goingOn(name, signal) {
  const amount = h("input", { type: "number", min: 0, step: "any", required: true });
  const label = h("span");
  const about = h("p", { class: "note" });
  const wrong = h("div");
  const start = h("button", { type: "submit", class: "button primary" }, "Go on");
  const node = h("form", { class: "further", hidden: true, on: { submit: begin } }, h("div", { class: "row" }, field(label, amount), h("div", { class: "actions" }, start)), about, wrong);
  const button = h("button", { type: "button", class: "button", hidden: true, "aria-expanded": "false", on: { click: () => show(node.hidden) } }, "Continue training");
  let kind = "";

  function show(on) {
    node.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (on) amount.focus();
  }

  async function begin(event) {
    event.preventDefault();
    fill(wrong);
    start.disabled = true;
    try {
      await tell("/api/continue", { name, more: Number(amount.value) }, signal);
      show(false);
      say(`${name} goes on.`);
    } catch (error) {
      if (!signal.aborted) fill(wrong, trouble(error));
    }
    start.disabled = false;
  }

  function offer(run, facts, training) {
    const budget = facts?.budget;
    const can = ["interrupted", "finished"].includes(run.state) && Boolean(budget) && !training?.running;
    button.hidden = !can;
    if (!can) return show(false);
    const left = budget.amount - budget.used;
    if (kind !== `${budget.name} ${budget.used}`) {
      kind = `${budget.name} ${budget.used}`;
      const more = left > 0 ? left : budget.amount;
      amount.value = String(budget.name === "minutes" || budget.name === "epochs" ? +more.toPrecision(2) : Math.round(more));
      amount.step = budget.name === "minutes" || budget.name === "epochs" ? "any" : "1";
    }
    const word = WORDS[budget.name];
    label.textContent = `${word[0].toUpperCase()}${word.slice(1)} more`;
    about.textContent = `It was given ${short(budget.amount)} ${word} and has used ${short(budget.used)}. It goes on from its newest checkpoint, with the same text and settings, as glassloom train --resume does.`;
  }

  return { node, button, offer };
}
