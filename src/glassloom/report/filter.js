// Which runs are shown: a pattern over their names, for every table, figure and sample of the page.
"use strict";

function matches(word, name) {
  if (!/[*?]/.test(word)) return name.toLowerCase().includes(word.toLowerCase());
  const signs = { "*": ".*", "?": "." };
  const pattern = [...word].map((sign) => signs[sign] ?? sign.replace(/[\\^$+.()|[\]{}]/, "\\$&")).join("");
  return new RegExp(`^${pattern}$`, "isu").test(name);
}

// Whether one of the names of a run is asked for, and none is asked to be left out.
function asked(pattern) {
  const words = pattern.split(",").map((word) => word.trim()).filter((word) => word !== "" && word !== "!");
  const wanted = words.filter((word) => !word.startsWith("!"));
  const unwanted = words.filter((word) => word.startsWith("!")).map((word) => word.slice(1).trim());
  const any = (some, names) => some.some((word) => names.some((name) => matches(word, name)));
  return (names) => (wanted.length === 0 || any(wanted, names)) && !any(unwanted, names);
}

class Filter {
  constructor(form) {
    this.form = form;
    this.settings = JSON.parse(document.querySelector("#runs-by-setting").textContent);
    this.runs = new Map(); // each name of a run or of a setting, with the runs that it stands for
    for (const [setting, ids] of Object.entries(this.settings)) this.runs.set(setting, ids);
    for (const id of Object.values(this.settings).flat()) this.runs.set(id, [id]);
    this.mark();
    for (const chart of Chart.of.values()) this.listen(chart);
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.elements.pattern.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.apply(), 150);
    });
    this.shown = null; // all
  }

  // A row of a table whose first cell names a run or a setting is one of its rows.
  mark() {
    for (const row of document.querySelectorAll("table.sortable tbody tr:not([data-of])")) {
      const ids = this.runs.get(row.cells[0]?.dataset.value);
      if (ids) row.dataset.of = JSON.stringify(ids);
    }
  }

  listen(chart) {
    const named = (row) => this.runs.get(row.run) ?? this.runs.get(row.setting) ?? this.runs.get(row.name);
    const data = Object.values(JSON.parse(chart.text).datasets ?? {}).flat();
    const curves = Curves.all.find((one) => one.chart === chart);
    if (!curves && !data.some(named)) return;
    chart.filtered = true;
    if (curves) curves.shown = (run) => this.isShown([run]);
    const drawn = curves ? curves.data.runs.map(({ run }) => [run]) : data.map(named).filter(Boolean);
    chart.hasRuns = () => drawn.some((ids) => this.isShown(ids));
    chart.changes.push((spec) => {
      if (curves || this.shown === null) return;
      for (const [name, rows] of Object.entries(spec.datasets)) {
        spec.datasets[name] = rows.filter((row) => this.isShown(named(row) ?? null));
      }
      if (spec.datasets.figures) spec.height = 26 * spec.datasets.figures.length;
    });
  }

  isShown(ids) {
    return ids === null || this.shown === null || ids.some((id) => this.shown.has(id));
  }

  apply() {
    const pattern = this.form.elements.pattern.value;
    const wanted = asked(pattern);
    const all = Object.entries(this.settings).flatMap(([setting, ids]) => ids.map((id) => [id, setting]));
    const shown = all.filter(([id, setting]) => wanted([...new Set([id, setting])])).map(([id]) => id);
    this.shown = shown.length === all.length ? null : new Set(shown);
    for (const part of document.querySelectorAll("[data-of]")) part.hidden = !this.isShown(JSON.parse(part.dataset.of));
    this.form.querySelector("output").value = `${shown.length} of ${all.length}`;
    for (const table of document.querySelectorAll("table.sortable")) this.emptied(table, table.closest(".scroll"));
    for (const samples of document.querySelectorAll(".samples")) {
      if (samples.querySelector("[data-of]")) this.emptied(samples, samples.closest("details") ?? samples);
    }
    for (const chart of Chart.of.values()) {
      if (!chart.filtered) continue;
      if (chart.hasRuns()) chart.figure.classList.remove("nothing"); // before it is drawn: a hidden box has no width
      chart.drawn = chart.draw().then(() => {
        chart.figure.classList.toggle("nothing", this.say(chart.box, !chart.hasRuns()));
      });
    }
  }

  // What all of whose runs are hidden is a sentence instead of a bare frame.
  emptied(whole, frame) {
    const parts = [...whole.querySelectorAll("[data-of]")];
    frame.hidden = this.say(frame, parts.length > 0 && parts.every((part) => part.hidden));
  }

  say(frame, empty) {
    const before = frame.previousElementSibling?.matches(".none") ? frame.previousElementSibling : null;
    if (!empty) {
      before?.remove();
      return false;
    }
    const sentence = before ?? document.createElement("p");
    sentence.className = "note none";
    sentence.textContent = `Nothing here fits “${this.form.elements.pattern.value.trim()}”: change the pattern above, or empty it.`;
    if (!before) frame.before(sentence);
    return true;
  }
}
