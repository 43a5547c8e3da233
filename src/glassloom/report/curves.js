// Learning curves: over the axis, with the smoothing and the scales that the reader chooses, from what was measured.
"use strict";

const TOLD_AT_MOST = 1500; // points that answer the pointer

// The debiased exponential moving average: of its first values as of any other, the weights sum to 1.
function smoothed(values, weight) {
  let [sum, total] = [0, 0];
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

class Curves {
  static all = [];

  constructor(chart) {
    this.chart = chart;
    this.form = chart.figure.querySelector(".controls");
    this.data = JSON.parse(chart.figure.querySelector("script.choices").textContent);
    this.shown = () => true; // which runs
    this.form.hidden = false;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", (event) => {
      this.form.querySelector("output").value = this.chosen.smoothing;
      if (event.target.name === "smoothing" && this.chart.view) {
        this.chart.view.data("curves", this.rows()).runAsync(); // so that the reader stays where they zoomed to
      } else {
        this.chart.draw();
      }
    });
    chart.changes.push((spec) => this.change(spec));
    chart.saved.csv = () => downloadText(this.csv(), `${chart.figure.dataset.name}.csv`, "text/csv");
    Curves.all.push(this);
  }

  get chosen() {
    const { over, smoothing, train, "log-x": logX, "log-y": logY } = this.form.elements;
    return { over: over.value, smoothing: Number(smoothing.value), train: train.checked, logX: logX.checked, logY: logY.checked };
  }

  rows() {
    const { over, smoothing, train, logX, logY } = this.chosen;
    const rows = [];
    for (const run of this.data.runs.filter((one) => this.shown(one.run))) {
      for (const split of train ? ["train", "valid"] : ["valid"]) {
        const places = [...run[split].keys()].filter((place) => run[split][place] !== null);
        const lines = smoothed(places.map((place) => run[split][place]), smoothing);
        places.forEach((place, number) => {
          const [x, y, measured] = [run[over][place], lines[number], run[split][place]];
          if ((logX && x <= 0) || (logY && Math.min(y, measured) <= 0)) return;
          const { step, epoch, tokens, seconds } = run;
          const at = { step: step[place], epoch: epoch[place], tokens: tokens[place], seconds: seconds[place] };
          rows.push({ x, y, measured, run: run.run, entry: run.entry, split, ...at });
        });
      }
    }
    const every = Math.ceil(rows.length / TOLD_AT_MOST);
    rows.forEach((row, place) => (row.told = row.split === "valid" || place % every === 0));
    return rows;
  }

  change(spec) {
    const { over, logX, logY } = this.chosen;
    const axis = this.data.axes[over];
    const rows = this.rows();
    const xs = rows.map((row) => row.x);
    const ys = rows.map((row) => row.y);
    const most = xs.reduce((a, b) => Math.max(a, b), 0) || 1;
    const least = xs.reduce((a, b) => Math.min(a, b), most);
    const [low, high] = axis.domain;
    const bottom = logY && low <= 0 ? ys.reduce((a, b) => Math.min(a, b), high) : low;
    const scales = {
      x: { type: logX ? "log" : "linear", domain: logX ? [least, most > least ? most : least * 2] : [0, most], nice: false },
      y: { type: logY ? "log" : "linear", domain: [bottom, high], nice: false },
    };
    const entries = new Set(rows.map((row) => row.entry));
    for (const { encoding } of spec.layer) {
      for (const channel of ["x", "y"]) {
        if (encoding[channel]?.scale) encoding[channel].scale = scales[channel];
        if (channel === "x" && encoding.x?.field === "x") {
          encoding.x.title = axis.title;
          encoding.x.axis = over === "tokens" || over === "step" ? { format: "~s" } : {};
        }
      }
      const colours = encoding.color?.field === "entry" && encoding.color.scale;
      if (colours && entries.size > 0) {
        const kept = colours.domain.map((name, place) => [name, colours.range[place]]).filter(([name]) => entries.has(name));
        [colours.domain, colours.range] = [kept.map(([name]) => name), kept.map(([, colour]) => colour)];
      }
    }
    const inside = axis.baselines.filter(({ y }) => !logY || y > 0);
    spec.datasets = { ...spec.datasets, curves: rows, baselines: inside };
  }

  csv() {
    const lines = [["run", "split", "step", "epoch", "tokens", "seconds", this.data.unit]];
    for (const run of this.data.runs.filter((one) => this.shown(one.run))) {
      for (const split of ["train", "valid"]) {
        run[split].forEach((value, place) => {
          if (value === null) return;
          lines.push([run.run, split, run.step[place], run.epoch[place], run.tokens[place], run.seconds[place], value]);
        });
      }
    }
    return asCsv(lines);
  }
}
