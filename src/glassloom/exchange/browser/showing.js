// What the model has read and written, as a text in colours and as a picture of the inside.
import { Picture, sharesOf, steadiest } from "./pictures.js";
import { describe } from "./readout.js";
import { TokenText } from "./texts.js";

const KEPT = 2 ** 24; // numbers of the inside that are kept, 64 MB of them; the oldest go first
export const find = (name) => document.getElementById(name);
const chosenNumber = (name) => Number(find(name).value);

function sizeOf(token) {
  return (token.inside?.hidden ?? token.inside?.attention ?? []).reduce((total, values) => total + values.length, 0);
}

export class Showing {
  constructor({ settings, unit, vocabulary }) {
    Object.assign(this, { settings, unit, attends: settings.name === "transformer", uniform: Math.log2(vocabulary) });
    this.text = new TokenText(find("text"), (place) => this.chosen(place));
    this.picture = new Picture(find("picture"), (cell) => this.pointed(cell), (cell) => this.picked(cell));
    this.orders = new Map(); // of each layer: its units, the steadiest first
    this.frame = 0;
    this.clear();
  }

  clear() {
    this.text.clear();
    this.given = 0; // ids that were read before the text: .start, or what stands for an absent prompt
    this.kept = this.forgotten = 0; // numbers of the inside, and tokens whose inside has gone
    this.coloured = 0; // tokens that have their colour
    this.chosen(-1);
  }

  /** Tokens that came, and how many ids were read before the first one. */
  add(tokens, given) {
    this.given = given;
    const { text } = this;
    text.add(tokens.filter((token) => !token.rest));
    for (const { rest } of tokens) if (rest) text.addRest(rest);
    for (const token of tokens) this.kept += sizeOf(token);
    for (; this.kept > KEPT && this.forgotten < text.tokens.length; this.forgotten += 1) {
      this.kept -= sizeOf(text.tokens[this.forgotten]);
      text.tokens[this.forgotten].inside = null;
    }
    this.later();
  }

  /** All tokens are here. */
  finish() {
    this.orders.clear();
    this.later();
  }

  /** Draw once for all that has changed since the last picture. */
  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.colour();
      this.look();
    });
  }

  /** The same with all colours anew. */
  again() {
    this.coloured = 0;
    this.later();
  }

  colour() {
    const by = find("colour").value, { attends, uniform, text } = this;
    const amount = {
      none: () => () => null,
      surprise: () => (token) => (token.bits === undefined ? null : token.bits / uniform),
      inside: () => (attends ? this.attention() : this.unitsOwn()),
    }[by]();
    text.colour(amount, by === "inside" ? 0 : this.coloured);
    this.coloured = text.tokens.length;
    find("colour-scale").hidden = by === "none";
    find("colour-scale").classList.toggle("both", by === "inside" && !attends);
    find("colour-low").textContent = by === "inside" && !attends ? "minus that" : "0";
    find("colour-high").textContent = by === "surprise" ? `${uniform.toFixed(1)} bits` : attends ? "100%" : "its most";
  }

  /** A unit's value, scaled by its greatest. */
  unitsOwn() {
    const layer = chosenNumber("layer"), of = chosenNumber("unit");
    const value = (token) => token.inside?.hidden[layer][of] ?? 0;
    const limit = this.text.tokens.reduce((greatest, token) => Math.max(greatest, Math.abs(value(token))), 1e-9);
    return (token) => value(token) / limit;
  }

  /** What the chosen token takes from each; the newest where none is chosen. */
  attention() {
    const { tokens, chosen } = this.text;
    const found = sharesOf(tokens.at(chosen), chosenNumber("layer"), chosenNumber("head"), this.settings.heads);
    return (_, place) => Math.sqrt(found?.shares[place + this.given - found.first] ?? 0);
  }

  look() {
    const { tokens, chosen, element } = this.text, around = find("around"), layer = chosenNumber("layer");
    const follows = around.scrollWidth - around.scrollLeft - around.clientWidth < 40;
    if (this.attends) {
      this.picture.attention(tokens, this.given, layer, chosenNumber("head"), this.settings.heads, chosen);
    } else {
      const done = element.getAttribute("aria-busy") !== "true";
      if (done && !this.orders.has(layer)) this.orders.set(layer, steadiest(tokens, layer));
      this.picture.units(tokens, layer, chosenNumber("unit"), this.orders.get(layer));
    }
    if (follows) around.scrollLeft = around.scrollWidth;
    find("inside").hidden = !tokens.length;
  }

  /** A token was chosen. */
  chosen(place) {
    describe(find("readout"), this.text.tokens[place], this.unit);
    if (this.attends) this.again();
  }

  pointed(cell) {
    const told = find("cell");
    const label = (place) => (place < 0 ? "what stands before the text" : `‘${this.text.tokens[place]?.label ?? ""}’`);
    if (!cell || cell.value === null) told.textContent = "\u00a0";
    else if (this.attends) {
      const share = `${(100 * cell.value).toFixed(1)}%`;
      told.textContent = `At ${label(cell.row)} it takes ${share} from ${label(cell.column - this.given)}.`;
    } else told.textContent = `Unit ${cell.row} after ${label(cell.column)}: ${cell.value.toFixed(2)}`;
  }

  /** A row of the picture was clicked: a unit to colour the text by, or a token. */
  picked(cell) {
    if (!cell) return;
    find("colour").value = "inside";
    if (this.attends) this.text.select(cell.row);
    else find("unit").value = cell.row;
    this.again();
  }
}
