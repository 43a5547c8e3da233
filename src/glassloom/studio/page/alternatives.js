// What else might stand at a place of a text: a menu of tokens with their probabilities, of which one can be taken.
import { fill, h, segments } from "/dom.js";
import { percent } from "/format.js";

// How a token was chosen, in words; none where it was drawn with the model's own probabilities.
export function chosenBy(how) {
  if (!how) return "";
  const parts = [
    how.temperature !== 1 && `temperature ${how.temperature}`, how.top_k && `top-k ${how.top_k}`,
    how.top_p && how.top_p < 1 && `top-p ${how.top_p}`,
  ];
  return parts.filter(Boolean).join(", ");
}

// `ask(place)` answers with the server's alternatives; `pieces(place)` names the tokens of the same character.
export function alternativesMenu({ ask, take, pieces, howOf, back, look }) {
  const node = h("div", { class: "menu", role: "dialog", "aria-label": "What else might stand here", hidden: true });
  let opened = null;

  async function open(place, anchor) {
    const found = await ask(place);
    if (!found) return;
    opened = place;
    const own = found.taken?.[0];
    const how = found.rest_drawn === null ? "" : chosenBy(howOf(place));
    const shares = (share, drawn) => [h("span", {}, percent(share)), how && h("span", { class: "drawn" }, drawn === null ? "" : percent(drawn))];
    const line = ([id, label, share, drawn, text]) => h("button", { type: "button", class: id === own ? "own" : "", data: { id: String(id) }, on: { click: () => take(place, id, share) } },
      h("bdi", { class: "label" }, label, text && h("small", {}, ` ${text}`)), h("i", { class: "bar", style: { "--share": share.toFixed(4) } }), shares(share, drawn));
    const taken = found.taken && [found.taken[0], found.taken[1], found.taken[2], found.taken[4], found.taken[5]];
    const listed = found.alternatives.some(([id]) => id === own);
    const together = pieces(place);
    const group = (label, ...shown) => h("p", { class: "columns" }, h("span", {}, label), ...shown);
    node.classList.toggle("both", Boolean(how));
    fill(node,
      together.length > 1 && segments("Piece of the character", together.map(({ place: at, label }) => [at, label]), place, (at) => { look(at); open(at, anchor); }),
      h("p", {}, "What might stand here, as the model has it (temperature 1)", how && `, and as it was drawn (${how})`, "."),
      how && group("", h("span", {}, "model"), h("span", { class: "drawn" }, "drawn")),
      found.alternatives.map(line),
      taken && !listed && [h("p", {}, `It took the ${found.taken[3].toLocaleString("en")}. most probable`), line(taken)],
      group("All others together", shares(found.rest, found.rest_drawn)));
    node.hidden = false;
    const at = anchor.getBoundingClientRect();
    const frame = node.parentElement.getBoundingClientRect();
    node.style.left = `${Math.max(0, Math.min(at.left - frame.left, frame.width - node.offsetWidth))}px`;
    node.style.top = `${at.bottom - frame.top + 6}px`;
    (node.querySelector(".own") ?? node.querySelector("button[data-id]")).focus();
  }

  function close(returns = false) {
    if (node.hidden) return;
    node.hidden = true;
    if (returns) back(opened);
  }

  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(true);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !document.activeElement.dataset.id) return;
    event.preventDefault();
    const buttons = [...node.querySelectorAll("button[data-id]")];
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  return { node, open, close };
}
