// What a view found, drawn: the exhibits that `report` made ready. Charts are Vega's, from the report's own specifications.
import { fill, h, trouble } from "/dom.js";
import { drawMatrices } from "/matrices.js";

const EMBED = { mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

let loading = null;

// Vega is large, and asked for by the first chart only.
function vega() {
  loading ??= new Promise((done, failed) => {
    const script = h("script", { src: "/vega.js" });
    script.addEventListener("load", () => done(window.vegaEmbed));
    script.addEventListener("error", () => failed(new Error("The charts' script cannot be loaded.")));
    document.head.append(script);
  });
  return loading;
}

async function chart(place, exhibit) {
  const canvas = h("div", { class: "chart" }, h("p", { class: "waiting" }, "Drawing …"));
  place.append(canvas);
  const embed = await vega();
  const width = Math.max(240, canvas.clientWidth);
  const spec = JSON.parse(JSON.stringify(exhibit.spec).replaceAll("floor(width /", `floor(${width - 110} /`));
  spec.width = "container";
  spec.autosize = { type: "fit-x", contains: "padding" };
  if (width < 480) {
    spec.height = Math.min(spec.height ?? 300, 300);
    spec.config.legend = { ...spec.config.legend, layout: { top: { direction: "vertical", anchor: "start", margin: 4 } } };
  }
  spec.config.axisX = { ...spec.config.axisX, tickCount: width < 480 ? 4 : 7 };
  fill(canvas);
  await embed(canvas, spec, EMBED);
}

function compared(one, other) {
  if (one === "" || other === "") return (one === "") - (other === "");
  const difference = Number(one) - Number(other);
  return Number.isNaN(difference) ? one.localeCompare(other, "en", { numeric: true }) : difference;
}

function table(place, exhibit) {
  const body = h("tbody", {}, exhibit.rows.map((row) => h("tr", { class: row.bold ? "best" : "" }, row.cells.map((cell) =>
    h("td", { class: cell.number ? "number" : "", data: { value: cell.value } }, h("bdi", {}, cell.text))))));
  const heads = exhibit.columns.map(([title, numeric], column) => h("th", { scope: "col", class: numeric ? "number" : "" },
    h("button", { type: "button", on: { click: (event) => sort(event.currentTarget.parentElement, column) } }, title)));
  function sort(head, column) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const key = (line) => line.cells[column].dataset.value;
    const lines = [...body.rows].sort((a, b) => (up || key(a) === "" || key(b) === "" ? compared(key(a), key(b)) : compared(key(b), key(a))));
    body.append(...lines);
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
  }
  place.append(h("div", { class: "scroll long", tabindex: "0", role: "region", "aria-label": exhibit.title }, h("table", {}, h("thead", {}, h("tr", {}, heads)), body)));
}

function coloured(place, exhibit) {
  for (const { label, spans } of exhibit.texts) {
    if (exhibit.texts.length > 1) place.append(h("h4", { dir: "auto" }, label));
    const tip = h("p", { class: "told", dir: "auto" }, "Point at a token.");
    const text = h("blockquote", { class: "coloured", dir: "auto", tabindex: "0" }, spans.map(([piece, shade, note]) => h("span", { class: shade, title: note || null }, piece)));
    text.addEventListener("pointerover", (event) => { if (event.target.title) tip.textContent = event.target.title; });
    place.append(text, tip);
  }
  place.append(h("p", { class: "scale" }, exhibit.low, h("span", { class: "steps", "aria-hidden": "true" }, exhibit.scale.map((shade) => h("span", { class: shade }))), `${exhibit.high} ${exhibit.unit}`));
}

function quoted(prompt, pieces) {
  return h("blockquote", { dir: "auto" }, prompt && h("span", { class: "prompt" }, prompt), pieces.map(([text, marked]) => (marked ? h("mark", {}, text) : text)));
}

function texts(place, exhibit) {
  for (const group of exhibit.groups) {
    place.append(h("div", { class: "samples" },
      group.truth !== null && h("article", { class: "sample truth" }, h("h4", {}, "What really stands there"), quoted(group.prompt, [[group.truth, false]])),
      group.texts.map((one) => h("article", { class: "sample" }, one.label && h("h4", { dir: "auto" }, one.label), quoted(group.prompt, one.pieces), one.note && h("p", { class: "note", dir: "auto" }, one.note)))));
  }
}

const DRAWN = {
  prose: (place, exhibit) => place.append(...exhibit.paragraphs.map((one) => h("p", { dir: "auto" }, one))),
  table, coloured, texts, chart, matrices: drawMatrices,
  undrawn: (place) => place.append(h("p", { class: "note" }, "There is no value that could be drawn.")),
};

// Draws one exhibit into its place: title, content, caption, and the same in words.
export async function drawExhibit(place, exhibit) {
  if (exhibit.title) place.append(h("h3", { dir: "auto" }, exhibit.title));
  try {
    await DRAWN[exhibit.kind](place, exhibit);
  } catch (error) {
    place.append(trouble(error));
  }
  if (exhibit.caption) place.append(h("p", { class: "note", dir: "auto" }, exhibit.caption));
  if (exhibit.words?.length) place.append(h("details", { class: "words" }, h("summary", {}, "In words"), h("ul", {}, exhibit.words.slice(0, 60).map((line) => h("li", { dir: "auto" }, line)))));
  place.dataset.drawn = "yes";
}
