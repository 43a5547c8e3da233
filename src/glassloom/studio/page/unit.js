// The one unit of the studio: bits a token. The server says nats, as a terminal does; a loss tells them when pointed at.
import { h } from "/dom.js";
import { minus } from "/format.js";

export const UNIT = "bits a token";

export const bits = (nats) => (nats === null || nats === undefined ? null : nats / Math.LN2);

// A loss in bits, with its nats under the pointer.
export const loss = (nats) =>
  nats === null || nats === undefined ? "–" : h("span", { title: `${minus(nats.toFixed(3))} nats a token` }, minus(bits(nats).toFixed(3)));

// What the unit means, wherever a loss stands.
export const unitNote = () => h("details", { class: "unit" }, h("summary", {}, "What is a bit?"),
  h("p", {}, "What a token costs is how much it surprises the model: one bit where it was held for a toss of a coin, ten where for one chance in 1,024. The loss is the mean over all tokens; lower is better. "
    + "A terminal says nats, the same by natural logarithms: 1 bit = 0.693 nats, 1 nat = 1.443 bits. "
    + "Bits a character are the bits of all tokens of a text, divided by its characters: the figure by which models with other tokens (characters, bytes, pieces) can be compared."));
