// Charts: drawn from their specifications in the width of their column, zoomed, and saved.
"use strict";

const OPTIONS = {
  mode: "vega-lite",
  renderer: "svg",
  ast: true, // expressions are interpreted, so the page can forbid eval
  actions: false,
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
};
const NARROW = 480; // pixels: a legend's entries stand below each other, an axis has fewer ticks

class Chart {
  static of = new Map(); // by figure

  constructor(figure) {
    this.figure = figure;
    this.box = figure.querySelector(".chart");
    this.text = figure.querySelector("script.spec").textContent;
    this.changes = []; // what the reader has chosen, put into the specification before it is drawn
    this.saved = { svg: () => this.saveAs("svg"), png: () => this.saveAs("png") };
    this.drawn = Promise.resolve();
    this.waiting = false;
    for (const button of figure.querySelectorAll(".save button")) {
      button.addEventListener("click", () => this.saved[button.dataset.kind]());
    }
    for (const button of figure.querySelectorAll(".zoom button")) {
      button.addEventListener("click", () => this.zoom(button.dataset.zoom));
    }
    Chart.of.set(figure, this);
  }

  // Drawn after what is being drawn; asked for twice in the meantime, it is drawn once.
  draw() {
    if (!this.waiting) {
      this.waiting = true;
      this.drawn = this.drawn.then(() => {
        this.waiting = false;
        return this.embed();
      });
    }
    return this.drawn;
  }

  async embed() {
    const spec = this.fitted();
    for (const change of this.changes) change(spec);
    this.view?.finalize();
    this.box.textContent = "";
    try {
      ({ view: this.view } = await window.vegaEmbed(this.box, spec, OPTIONS));
    } catch (error) {
      this.box.textContent = `This figure could not be drawn: ${error.message}`;
      return;
    }
    this.figure.dataset.drawn = "yes";
    for (const tool of this.figure.querySelectorAll(".save button, .zoom")) tool.hidden = false;
  }

  // A rotated title of an axis is cut off by a narrow figure: the page gives a figure the width of its column.
  fitted() {
    const wide = this.box.clientWidth;
    // the lines of a legend are counted before the width is known, so it is foretold here: the first would be cut off
    const spec = JSON.parse(this.text.replaceAll("floor(width /", `floor(${wide - 110} /`));
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    if (wide < NARROW) {
      spec.height = Math.min(spec.height, spec.height > 420 ? spec.height : 300);
      const legends = { top: { direction: "vertical", anchor: "start", margin: 4 } };
      spec.config.legend = { ...spec.config.legend, layout: legends };
    }
    spec.config.axisX = { ...spec.config.axisX, tickCount: wide < NARROW ? 4 : 7 };
    return spec;
  }

  // "in" and "out" by a half around the middle, "whole" as it was; the mouse and the wheel set the same signals.
  zoom(way) {
    const fields = this.view.signal("zoom_tuple_fields");
    for (const { field, channel } of fields) {
      const scale = this.view.scale(channel);
      const log = scale.type === "log";
      const [low, high] = scale.domain().map((end) => (log ? Math.log(end) : end));
      const half = ((high - low) / 2) * (way === "in" ? 1 / 1.5 : 1.5);
      const ends = [(low + high) / 2 - half, (low + high) / 2 + half].map((end) => (log ? Math.exp(end) : end));
      this.view.signal(`zoom_${field}`, way === "whole" ? null : ends);
    }
    return this.view.runAsync();
  }

  // As it is seen, zoomed and chosen, with its title above it.
  async saveAs(kind) {
    const { svg, size } = titled(await this.view.toSVG(), this.figure.querySelector("h3 bdi").textContent);
    savePicture(svg, this.figure.dataset.name, kind, size);
  }
}
