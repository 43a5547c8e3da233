// Which page is shown: the address after # names it. Each page is a module with `show(place, asked, signal)`.
import { fill, trouble } from "/dom.js";
import { startTheme } from "/theme.js";

const PAGES = {
  "": () => import("/runs.js"),
  run: () => import("/run.js"),
  train: () => import("/train.js"),
  write: () => import("/write.js"),
  look: () => import("/look.js"),
  compare: () => import("/compare.js"),
};
const TITLES = { "": "Runs", run: "Run", train: "Train", write: "Playground", look: "Look inside", compare: "Compare" };

let leaving = new AbortController();

async function show() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  if (location.hash === "#main") return document.querySelector("#main").focus();
  leaving.abort(); // what the page before still asked for ends here
  leaving = new AbortController();
  const { signal } = leaving;
  const name = Object.hasOwn(PAGES, path) ? path : "";
  for (const link of document.querySelectorAll("header nav a")) {
    const here = link.dataset.page === (name || "runs") || (name === "run" && link.dataset.page === "runs");
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[name]} · Glassloom studio`;
  const place = document.querySelector("#main");
  try {
    const page = await PAGES[name]();
    if (signal.aborted) return;
    fill(place);
    window.scrollTo(0, 0);
    await page.show(place, new URLSearchParams(query ?? ""), signal);
  } catch (error) {
    if (!signal.aborted && error.name !== "AbortError") place.append(trouble(error));
  }
}

startTheme();
window.addEventListener("hashchange", show);
show();
