// Matrices: reads the value under the pointer, opens one large with every label, saves the figure.
"use strict";

const LETTERS = 30; // of a label, at most
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");

function hideTip() {
  tip.classList.remove("shown");
}

function showTip(event, lines) {
  tip.replaceChildren(
    ...lines.map(([key, value]) => {
      const line = document.createElement("div");
      const name = document.createElement("span");
      const content = document.createElement("bdi");
      name.textContent = key;
      content.textContent = value;
      line.append(name, content);
      return line;
    }),
  );
  (event.target.closest("dialog") ?? document.body).append(tip); // a dialog lies above everything outside it
  tip.classList.add("shown");
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + 14 + width < document.documentElement.clientWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX + 14 : event.clientX - 14 - width)}px`;
  tip.style.top = `${Math.max(4, event.clientY + 14 + height < window.innerHeight ? event.clientY + 14 : event.clientY - 14 - height)}px`;
}

// The cell under the pointer, told beside it and framed.
function readable(svg, matrix, data) {
  const rows = data.labels[matrix.rows];
  const columns = data.labels[matrix.columns];
  const edge = svg.querySelector(".edge");
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(edge.getAttribute(name)));
  const cell = element("rect", { width: width / columns.length, height: height / rows.length, class: "cell" });
  svg.addEventListener("pointermove", (event) => {
    const box = edge.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns.length);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows.length);
    if (column < 0 || row < 0 || column >= columns.length || row >= rows.length) {
      cell.remove();
      hideTip();
      return;
    }
    cell.setAttribute("x", x + (column * width) / columns.length);
    cell.setAttribute("y", y + (row * height) / rows.length);
    svg.append(cell);
    const value = matrix.values[row * columns.length + column];
    showTip(event, [
      ["", matrix.title],
      [data.row_axis, rows[row]],
      [data.column_axis, columns[column]],
      ["value", value === null ? "–" : String(value).replaceAll("-", "−")],
    ]);
  });
  svg.addEventListener("pointerleave", () => {
    cell.remove();
    hideTip();
  });
}

// One matrix with every label, as large as its labels need.
function large(small, matrix, data) {
  const rows = data.labels[matrix.rows];
  const columns = data.labels[matrix.columns];
  const letters = (labels) => Math.min(LETTERS, Math.max(...labels.map((label) => [...label].length)));
  const short = (label) => {
    const signs = [...label]; // names differ at both ends
    return signs.length > LETTERS ? `${signs.slice(0, 15).join("")}…${signs.slice(-14).join("")}` : label;
  };
  const cell = Math.min(40, Math.max(16, 640 / columns.length));
  const upright = letters(columns) <= 2;
  const left = letters(rows) * 7 + 34;
  const below = upright ? 22 : letters(columns) * 6 + 16;
  const width = cell * columns.length;
  const height = cell * rows.length;
  const svg = element("svg", { width: left + width + 8, height: height + below + 34, role: "img", "aria-label": matrix.title });
  const box = { x: left, y: 4, width, height };
  for (const image of small.querySelectorAll("image")) {
    const copy = image.cloneNode();
    for (const [name, value] of Object.entries(box)) copy.setAttribute(name, value);
    svg.append(copy);
  }
  svg.append(element("rect", { ...box, class: "edge", fill: "none" }));
  const size = { "font-size": 12 };
  rows.forEach((label, row) => {
    svg.append(element("text", { x: left - 5, y: 4 + (row + 0.5) * cell + 4, "text-anchor": "end", ...size }, short(label)));
  });
  columns.forEach((label, column) => {
    const x = left + (column + 0.5) * cell + (upright ? 0 : 4);
    const y = height + (upright ? 18 : 15);
    const turned = upright ? { "text-anchor": "middle" } : { "text-anchor": "end", transform: `rotate(-60 ${x} ${y})` };
    svg.append(element("text", { x, y, ...turned, ...size }, short(label)));
  });
  const middle = 4 + height / 2;
  const axis = { "text-anchor": "middle", class: "axis", ...size };
  svg.append(element("text", { x: 12, y: middle, transform: `rotate(-90 12 ${middle})`, ...axis }, data.row_axis));
  svg.append(element("text", { x: left + width / 2, y: height + below + 26, ...axis }, data.column_axis));
  readable(svg, matrix, data);
  return svg;
}

function openLarge(buttons, place, data) {
  const dialog = document.createElement("dialog");
  dialog.className = "matrix-dialog";
  const bar = document.createElement("div");
  const title = document.createElement("h3");
  const scroll = document.createElement("div");
  bar.className = "bar";
  scroll.className = "scroll";
  const show = (step) => {
    place = (place + step + buttons.length) % buttons.length;
    title.textContent = data.matrices[place].title;
    scroll.replaceChildren(large(buttons[place], data.matrices[place], data));
  };
  const tools = document.createElement("span");
  for (const [name, act] of [["Previous", () => show(-1)], ["Next", () => show(1)], ["Close", () => dialog.close()]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", act);
    tools.append(button);
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") show(event.key === "ArrowLeft" ? -1 : 1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    hideTip();
    dialog.remove();
    buttons[place].focus();
  });
  bar.append(title, tools);
  dialog.append(bar, scroll);
  document.body.append(dialog);
  show(0);
  dialog.showModal();
}

// The matrices of a figure in one SVG, in the colours for light paper, which are written into it.
function together(figure) {
  const parts = [...figure.querySelectorAll(".matrix svg")];
  const width = Math.max(...parts.map((part) => part.viewBox.baseVal.width));
  const height = Math.max(...parts.map((part) => part.viewBox.baseVal.height));
  const columns = [8, 7, 6, 5, 4].find((number) => parts.length % number === 0) ?? Math.min(6, parts.length);
  const perLine = Math.min(columns, parts.length);
  const wide = Math.max(perLine * (width + 10) + 10, 380);
  const title = linesOf(figure.querySelector("h3 bdi").textContent, wide);
  const head = TITLE_LINE * title.length + 8;
  const [low, high, axes] = [...figure.querySelectorAll(".scale > span")].map((one) => one.textContent.replace(/\s+/g, " ").trim());
  const foot = linesOf(`${low} to ${high}. ${axes.replace(" A click opens one.", "")}`, wide * 1.3);
  const below = head + Math.ceil(parts.length / perLine) * (height + 10) + 10;
  const size = { width: wide, height: below + 34 + 16 * foot.length };
  const whole = element("svg", { xmlns: SVG, ...size, "font-family": "Georgia, serif" });
  whole.append(element("rect", { width: "100%", height: "100%", fill: "#fffdf8" }), ...titleOf(title, 10));
  const scale = figure.querySelector(".scale image.in-light").cloneNode();
  for (const [name, value] of Object.entries({ x: 10, y: below, height: 10, width: 120 })) scale.setAttribute(name, value);
  whole.append(scale);
  foot.forEach((line, place) => whole.append(element("text", { x: 10, y: below + 28 + 16 * place, "font-size": 12, fill: "#6e675c" }, line)));
  parts.forEach((part, place) => {
    const copy = part.cloneNode(true);
    for (const extra of copy.querySelectorAll(".in-dark, .cell")) extra.remove();
    copy.setAttribute("x", 10 + (place % perLine) * (width + 10));
    copy.setAttribute("y", head + 10 + Math.floor(place / perLine) * (height + 10));
    whole.append(copy);
  });
  return { whole, size };
}

function saveMatrices(figure, kind) {
  const { whole, size } = together(figure);
  savePicture(new XMLSerializer().serializeToString(whole), figure.dataset.name, kind, size);
}

// 64 matrices are some megabytes of CSV: it is written when it is asked for, from the values that the page has anyway
function cellsAsCsv(data) {
  const lines = [["matrix", data.row_axis, data.column_axis, "value"]];
  for (const { title, rows, columns, values } of data.matrices) {
    const [down, across] = [data.labels[rows], data.labels[columns]];
    values.forEach((value, place) => {
      lines.push([title, down[Math.floor(place / across.length)], across[place % across.length], value]);
    });
  }
  return asCsv(lines);
}

function drawMatrices(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const frames = [...figure.querySelectorAll(".matrix")];
  frames.forEach((frame, place) => {
    readable(frame.querySelector("svg"), data.matrices[place], data);
    if (frame.matches("button")) frame.addEventListener("click", () => openLarge(frames, place, data));
  });
  for (const button of figure.querySelectorAll(".save button")) {
    button.hidden = false;
    const { kind } = button.dataset;
    button.addEventListener("click", () => (kind === "csv" ? downloadText(cellsAsCsv(data), `${figure.dataset.name}.csv`, "text/csv") : saveMatrices(figure, kind)));
  }
  figure.dataset.drawn = "yes";
}
