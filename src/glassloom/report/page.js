// The page's own script: draws the figures, sorts the tables, switches the theme. The page reads well without it.
"use strict";

const OPTIONS = {
  mode: "vega-lite",
  renderer: "svg",
  ast: true, // expressions are interpreted, so the page can forbid eval
  actions: false,
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
};

function save(view, name, kind) {
  view.toImageURL(kind, kind === "png" ? 2 : 1).then((address) => download(address, `${name}.${kind}`));
}

// A rotated title of an axis is cut off by a narrow figure: the page gives a figure the width of its column.
async function draw(figure) {
  const chart = figure.querySelector(".chart");
  // the lines of a legend are counted before the width is known, so it is foretold here: the first would be cut off
  const room = `floor(${chart.clientWidth - 110} /`;
  const spec = JSON.parse(figure.querySelector("script").textContent.replaceAll("floor(width /", room));
  spec.width = "container";
  spec.autosize = { type: "fit-x", contains: "padding" };
  const narrow = chart.clientWidth < 480;
  if (narrow) {
    spec.height = Math.min(spec.height, 300);
    const legends = { top: { direction: "vertical", anchor: "start", margin: 4 } }; // below each other
    spec.config.legend = { ...spec.config.legend, layout: legends };
  }
  spec.config.axisX = { ...spec.config.axisX, tickCount: narrow ? 4 : 7 };
  chart.textContent = "";
  const { view } = await window.vegaEmbed(chart, spec, OPTIONS);
  figure.dataset.drawn = "yes";
  for (const button of figure.querySelectorAll(".save button")) {
    button.hidden = false;
    button.addEventListener("click", () => save(view, figure.dataset.name, button.dataset.kind));
  }
}

function order(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? a.localeCompare(b, "en", { numeric: true }) : difference;
}

function sort(table, column, heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const key = (line) => line.cells[column].dataset.value;
  const sorted = [...body.rows].sort((one, other) => {
    const missing = key(one) === "" || key(other) === "";
    return up || missing ? order(key(one), key(other)) : order(key(other), key(one));
  });
  body.append(...sorted);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
}

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => sort(table, column, heading));
  });
}

const THEMES = { "": "as the system", light: "light", dark: "dark" };

function remembered() {
  try {
    return localStorage.getItem("glassloom-theme") ?? "";
  } catch {
    return ""; // a page opened from a file may have no storage
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.querySelector("#theme span").textContent = THEMES[theme] ?? theme;
  try {
    localStorage.setItem("glassloom-theme", theme);
  } catch {
    // then the theme lasts as long as the page
  }
}

const button = document.querySelector("#theme");
button.hidden = false;
button.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
});
setTheme(remembered() in THEMES ? remembered() : "");
for (const table of document.querySelectorAll("table.sortable")) sortable(table);
for (const figure of document.querySelectorAll("figure[data-kind=matrices]")) drawMatrices(figure);
for (const figure of document.querySelectorAll("figure[data-kind=chart]")) {
  draw(figure).catch((error) => {
    figure.querySelector(".chart").textContent = `This figure could not be drawn: ${error.message}`;
  });
}
