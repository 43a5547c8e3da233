// Learning curves as small SVG: many lines on common axes, drawn anew as they grow, read out under the pointer.
import { fill, h, s } from "/dom.js";
import { short } from "/format.js";

export const COLOURS = 12;
export const colour = (place) => `var(--line-${place % COLOURS})`;

// Round numbers from low to high, about so many.
export function ticks(low, high, about) {
  const rough = (high - low) / Math.max(1, about);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(+value.toPrecision(12));
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const each of [1, 2, 3, 5, 7]) {
      const value = each * 10 ** power;
      if (value >= low && value <= high) found.push(+value.toPrecision(3));
    }
  }
  return found.length > 1 ? found : ticks(low, high, 4);
}

// What the vertical axis shows: all but the first moments, which would flatten the rest.
function range(series, marks) {
  const shown = series.flatMap((one) => {
    const late = one.y.slice(Math.floor(one.y.length * 0.06));
    return late.length > 3 ? late : one.y;
  });
  if (!shown.length) return [0, 1];
  let low = Math.min(...shown);
  let high = Math.max(...shown);
  for (const mark of marks) {
    if (mark.y > low - (high - low) * 0.5 && mark.y < high) low = Math.min(low, mark.y);
  }
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

const smoothed = (y, by) => {
  let mean = y[0];
  return by ? y.map((value) => (mean = by * mean + (1 - by) * value)) : y;
};

// The words that a reader hears who does not see the curves.
const inWords = (series) =>
  series.filter((one) => one.y.length)
    .map((one) => `${one.name}: from ${short(one.y[0])} to ${short(one.y.at(-1))}, lowest ${short(Math.min(...one.y))}`)
    .join("; ") || "no values yet";

// A chart that is given series again and again: `chart.show([{ name, x, y, colour, dashed }], { xTitle, log, ... })`.
export function lineChart({ height = 320 } = {}) {
  const canvas = h("div", { class: "plot" });
  const legend = h("div", { class: "legend" });
  const tip = h("div", { class: "tip", role: "status", hidden: true });
  const node = h("figure", { class: "live" }, legend, canvas, tip);
  const hidden = new Set();
  let now = null;

  function draw() {
    if (!now || !canvas.clientWidth) return;
    const { series: all, options } = now;
    const series = all.filter((one) => !hidden.has(one.name)).map((one) => ({ ...one, raw: one.y, y: smoothed(one.y, options.smooth) }));
    const drawn = series.filter((one) => one.x.length);
    const marks = options.marks ?? [];
    const box = { left: 52, right: 14, top: 10, bottom: 40, width: canvas.clientWidth, height };
    const inner = { width: box.width - box.left - box.right, height: box.height - box.top - box.bottom };
    let [low, high] = range(drawn, marks);
    const log = options.log && low > 0;
    if (options.log && !log) low = Math.max(low, 1e-3);
    const xs = drawn.flatMap((one) => [one.x[0], one.x.at(-1)]);
    const left = xs.length ? Math.min(0, ...xs) : 0;
    const right = Math.max(left + 1e-9, ...xs, 0);
    const warp = log ? Math.log : (value) => value;
    const X = (value) => box.left + ((value - left) / (right - left)) * inner.width;
    const Y = (value) => box.top + (1 - (warp(value) - warp(low)) / (warp(high) - warp(low))) * inner.height;
    const inside = (value) => value >= low && value <= high;
    const grid = (log ? logTicks(low, high) : ticks(low, high, 5)).map((value) => [
      s("line", { x1: box.left, x2: box.width - box.right, y1: Y(value), y2: Y(value), class: "grid" }),
      s("text", { x: box.left - 8, y: Y(value) + 4, "text-anchor": "end" }, short(value)),
    ]);
    const along = ticks(left, right, Math.max(2, Math.floor(inner.width / 110))).map((value) =>
      s("text", { x: X(value), y: box.height - box.bottom + 18, "text-anchor": "middle" }, (options.xFormat ?? short)(value)));
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    const lines = drawn.map((one) =>
      s("path", {
        d: one.x.map((x, place) => `${place ? "L" : "M"}${X(x).toFixed(1)} ${Y(Math.max(one.y[place], log ? 1e-9 : -Infinity)).toFixed(1)}`).join(""),
        class: one.dashed ? "line dashed" : "line", stroke: one.colour, "clip-path": `url(#${clip})`,
      }));
    const ends = drawn.filter((one) => one.live && inside(one.y.at(-1))).map((one) =>
      s("circle", { cx: X(one.x.at(-1)), cy: Y(one.y.at(-1)), r: 4, fill: one.colour, class: "pulse" }));
    const marked = marks.filter((mark) => inside(mark.y)).map((mark) => [
      s("line", { x1: box.left, x2: box.width - box.right, y1: Y(mark.y), y2: Y(mark.y), class: "mark" }),
      s("text", { x: box.left + 6, y: Y(mark.y) - 5, class: "mark" }, mark.name),
    ]);
    const cross = s("line", { y1: box.top, y2: box.height - box.bottom, class: "cross", visibility: "hidden" });
    const picture = s("svg", { width: box.width, height: box.height, role: "img", "aria-label": `${options.title ?? "Curves"}. ${inWords(drawn)}.` },
      s("clipPath", { id: clip }, s("rect", { x: box.left, y: box.top, width: inner.width, height: inner.height })),
      grid, along, marked, lines, ends, cross,
      s("text", { x: box.left + inner.width / 2, y: box.height - 4, "text-anchor": "middle", class: "title" }, options.xTitle ?? ""),
      s("text", { x: 12, y: box.top + inner.height / 2, "text-anchor": "middle", class: "title", transform: `rotate(-90 12 ${box.top + inner.height / 2})` }, options.yTitle ?? ""));
    fill(canvas, drawn.length ? picture : h("p", { class: "waiting" }, options.waiting ?? "There are no values yet."));
    picture.addEventListener("pointermove", (event) => {
      const at = left + ((event.clientX - picture.getBoundingClientRect().left - box.left) / inner.width) * (right - left);
      const near = drawn.map((one) => ({ one, place: nearest(one.x, at) })).filter(({ one, place }) => inside(one.y[place]))
        .sort((a, b) => a.one.y[a.place] - b.one.y[b.place]).slice(0, 12);
      if (!near.length || at < left || at > right) return leave();
      cross.setAttribute("x1", X(at));
      cross.setAttribute("x2", X(at));
      cross.setAttribute("visibility", "visible");
      fill(tip, h("strong", {}, `${options.xTitle ?? ""} ${(options.xFormat ?? short)(at)}`),
        options.smooth ? h("div", { class: "heads" }, h("span", {}, options.yTitle ?? ""), h("b", {}, "measured"), h("b", {}, "smoothed")) : null,
        near.map(({ one, place }) => h("div", {}, h("i", { class: "dot", style: { background: one.colour } }), h("bdi", {}, one.name),
          h("b", { class: "raw" }, one.raw[place].toFixed(3)), options.smooth ? h("b", { class: "smoothed" }, one.y[place].toFixed(3)) : null)));
      tip.hidden = false;
      const x = event.clientX - node.getBoundingClientRect().left;
      tip.style.left = `${Math.max(0, Math.min(x + 16, node.clientWidth - tip.offsetWidth))}px`;
      tip.style.top = `${legend.offsetHeight + 12}px`;
    });
    const leave = () => {
      tip.hidden = true;
      cross.setAttribute("visibility", "hidden");
    };
    picture.addEventListener("pointerleave", leave);
  }

  function drawLegend(series) {
    const names = series.map((one) => one.name).join("\n");
    if (legend.dataset.names === names) return;
    legend.dataset.names = names;
    fill(legend, series.length < 2 ? [] : series.map((one) =>
      h("button", {
        type: "button", class: one.dashed ? "dashed" : "", "aria-pressed": String(!hidden.has(one.name)), title: "Show or hide",
        on: { click: (event) => {
          hidden.has(one.name) ? hidden.delete(one.name) : hidden.add(one.name);
          event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(one.name)));
          draw();
        } },
      }, h("i", { class: "stroke", style: { "border-color": one.colour } }), h("bdi", {}, one.name))));
  }

  new ResizeObserver(draw).observe(canvas);
  return {
    node,
    show(series, options = {}) {
      now = { series, options };
      drawLegend(series);
      draw();
    },
  };
}

function nearest(xs, at) {
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    xs[middle] < at ? (low = middle) : (high = middle);
  }
  return at - xs[low] < xs[high] - at ? low : high;
}

// A curve in a line of a table: the held-out loss over the training loss.
export function sparkline(curve, { width = 132, height = 30, live = false } = {}) {
  const train = { x: curve.train.step, y: curve.train.nats };
  const valid = { x: curve.valid.step, y: curve.valid.nats };
  const drawn = [train, valid].filter((one) => one.x.length > 1);
  const picture = s("svg", { width, height, class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  if (!drawn.length) return picture;
  const [low, high] = range(drawn, []);
  const right = Math.max(...drawn.map((one) => one.x.at(-1)));
  const X = (value) => 2 + (value / right) * (width - 8);
  const Y = (value) => Math.max(1, 3 + (1 - (value - low) / (high - low)) * (height - 6));
  const path = (one) => one.x.map((x, place) => `${place ? "L" : "M"}${X(x).toFixed(1)} ${Y(one.y[place]).toFixed(1)}`).join("");
  if (train.x.length > 1) picture.append(s("path", { d: path(train), class: "faint" }));
  if (valid.x.length > 1) picture.append(s("path", { d: path(valid) }));
  const last = valid.x.length > 1 ? valid : train;
  picture.append(s("circle", { cx: X(last.x.at(-1)), cy: Y(last.y.at(-1)), r: 2.4, class: live ? "pulse" : "" }));
  return picture;
}
