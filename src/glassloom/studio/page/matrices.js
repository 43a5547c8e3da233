// Matrices on canvases: a rectangle a cell, labels where there is room, the value under the pointer in words.
import { h } from "/dom.js";
import { minus } from "/format.js";

const STEPS = 16;
const FEW = 2;

// The colours of the report's shades, as this page's theme has them now.
function palette() {
  const probe = h("span");
  document.body.append(probe);
  const found = {};
  for (let step = -STEPS; step <= STEPS; step += 1) {
    probe.className = `shade-${step < 0 ? "b" : "a"}${Math.abs(step)}`;
    found[step] = getComputedStyle(probe).backgroundColor;
  }
  probe.remove();
  return found;
}

function stepOf(value, { low, high }) {
  const parts = low < 0 && high > 0;
  const share = parts ? value / high : high > low ? (value - low) / (high - low) : 0;
  return Math.round(STEPS * Math.min(1, Math.max(parts ? -1 : 0, share)));
}

const cut = (label, letters) => ([...label].length > letters ? `${[...label].slice(0, letters - 1).join("")}…` : label);
const visible = (label) => (label.trim() ? label : label.replaceAll(" ", "␣").replaceAll("\n", "⏎"));

function layout(matrix, large, room) {
  const letters = (labels) => Math.min(14, Math.max(1, ...labels.map((label) => [...label].length)));
  if (!large) {
    const cell = Math.max(1, Math.min(12, Math.floor(room / matrix.columns.length)));
    return { left: 0, below: 0, cell, tall: cell };
  }
  const left = letters(matrix.rows) * 7.2 + 12;
  const cell = Math.max(9, Math.min(34, (room - left) / matrix.columns.length));
  return { left, below: letters(matrix.columns) * 6.2 + 16, cell, tall: Math.max(14, Math.min(cell, 34)) };
}

function paint(canvas, matrix, exhibit, colours, { large, room }) {
  const place = layout(matrix, large, room);
  const width = place.left + place.cell * matrix.columns.length;
  const height = place.tall * matrix.rows.length + place.below;
  const sharp = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.ceil(width * sharp), Math.ceil(height * sharp)];
  [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  matrix.values.forEach((row, y) => row.forEach((value, x) => {
    if (value === null) return;
    pen.fillStyle = colours[stepOf(value, exhibit)];
    pen.fillRect(place.left + x * place.cell, y * place.tall, place.cell + 0.3, place.tall + 0.3);
  }));
  if (!large) return place;
  pen.fillStyle = getComputedStyle(canvas).color;
  pen.font = "12px ui-monospace, Menlo, Consolas, monospace";
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  const every = (size) => Math.ceil(13 / size); // labels that would lie over each other are left out
  matrix.rows.forEach((label, y) => y % every(place.tall) === 0 && pen.fillText(cut(visible(label), 14), place.left - 6, (y + 0.5) * place.tall));
  matrix.columns.forEach((label, x) => {
    if (x % every(place.cell)) return;
    pen.save();
    pen.translate(place.left + (x + 0.5) * place.cell, place.tall * matrix.rows.length + 8);
    pen.rotate(-Math.PI / 3);
    pen.fillText(cut(visible(label), 14), 0, 0);
    pen.restore();
  });
  return place;
}

function readable(canvas, matrix, exhibit, place, told) {
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left - place.left) / place.cell);
    const y = Math.floor((event.clientY - box.top) / place.tall);
    const value = matrix.values[y]?.[x];
    if (value === undefined) return;
    told.replaceChildren(`${matrix.title}: ${exhibit.row_axis} `, h("bdi", {}, visible(matrix.rows[y])), `, ${exhibit.column_axis} `, h("bdi", {}, visible(matrix.columns[x])), `: ${value === null ? "–" : minus(String(value))}`);
  });
}

function openLarge(exhibit, at, opener) {
  const told = h("p", { class: "told" });
  const title = h("h3");
  const holder = h("div", { class: "scroll" });
  const close = h("button", { type: "button", class: "quiet", on: { click: () => dialog.close() } }, "Close");
  const turn = (step, name) => h("button", { type: "button", class: "quiet", on: { click: () => show(at + step) } }, name);
  const dialog = h("dialog", { class: "matrix-dialog" }, h("div", { class: "head" }, title, h("span", {}, turn(-1, "Previous"), turn(1, "Next"), close)), holder, told);
  function show(next) {
    at = (next + exhibit.matrices.length) % exhibit.matrices.length;
    const matrix = exhibit.matrices[at];
    const canvas = h("canvas", { role: "img", "aria-label": matrix.title });
    title.textContent = matrix.title;
    holder.replaceChildren(canvas);
    readable(canvas, matrix, exhibit, paint(canvas, matrix, exhibit, palette(), { large: true, room: 720 }), told);
  }
  dialog.addEventListener("close", () => { dialog.remove(); opener.focus(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  show(at);
}

export function drawMatrices(place, exhibit) {
  const large = exhibit.matrices.length <= FEW;
  const told = h("p", { class: "told" }, large ? "Point at a cell." : "Point at a cell; a click opens one large.");
  const grid = h("div", { class: large ? "scroll" : "many" });
  place.append(grid, told);
  const colours = palette();
  const drawn = exhibit.matrices.map((matrix, at) => {
    const canvas = h("canvas", { role: "img", "aria-label": matrix.title });
    const holder = large ? h("div", { class: "matrix" }, h("h4", {}, matrix.title), canvas)
      : h("button", { type: "button", class: "matrix", "aria-label": `Open ${matrix.title}`, on: { click: () => openLarge(exhibit, at, holder) } }, canvas, h("span", {}, matrix.title));
    grid.append(holder);
    const how = { large, room: large ? Math.max(260, grid.clientWidth - 10) : 150 };
    readable(canvas, matrix, exhibit, paint(canvas, matrix, exhibit, colours, how), told);
    return { canvas, matrix, how };
  });
  const again = () => {
    if (!place.isConnected) return stop();
    const now = palette();
    for (const { canvas, matrix, how } of drawn) paint(canvas, matrix, exhibit, now, how);
  };
  const theme = new MutationObserver(again);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stop = () => { theme.disconnect(); system.removeEventListener("change", again); };
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  system.addEventListener("change", again);
}
