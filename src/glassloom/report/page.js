// The page's own script: starts the figures, sorts the tables, switches the theme. The page reads well without it.
"use strict";

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

// What is wider than its frame says so, for a screen may show no bar to scroll it by.
function hinted(scroll) {
  const hint = document.createElement("p");
  hint.className = "scroll-hint";
  scroll.after(hint);
  const tell = () => {
    const left = scroll.scrollWidth - scroll.clientWidth - Math.abs(scroll.scrollLeft);
    hint.hidden = scroll.hidden || scroll.scrollWidth <= scroll.clientWidth + 1;
    hint.textContent = left > 1 ? "More to the right: scroll sideways, or with the arrow keys once it is focused. →" : "← More to the left.";
  };
  scroll.addEventListener("scroll", tell, { passive: true });
  new ResizeObserver(tell).observe(scroll);
  for (const inner of scroll.children) new ResizeObserver(tell).observe(inner);
  tell();
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

function startTheme() {
  const button = document.querySelector("#theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    setTheme(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
  });
  setTheme(remembered() in THEMES ? remembered() : "");
}

function start() {
  startTheme();
  for (const table of document.querySelectorAll("table.sortable")) sortable(table);
  for (const scroll of document.querySelectorAll(".scroll[tabindex]")) hinted(scroll);
  for (const figure of document.querySelectorAll("figure[data-kind=matrices]")) drawMatrices(figure);
  for (const figure of document.querySelectorAll("figure[data-kind=coloured]")) startColoured(figure);
  for (const figure of document.querySelectorAll("figure[data-kind=chart]")) {
    const chart = new Chart(figure);
    if (figure.querySelector(".controls")) new Curves(chart);
  }
  for (const place of document.querySelectorAll(".packed")) startPacked(place);
  const filter = document.querySelector("#filter");
  if (filter) new Filter(filter);
  for (const chart of Chart.of.values()) chart.draw();
}

start();
