// The transformer: every token looks back at the tokens before it.
//
//   x = E[token]                                  the token's vector (times sqrt(width), plus its position's)
//   x = x + attention(norm(x))                    in each layer, once or twice
//   x = x + W_2 f(W_1 norm(x) + b_1) + b_2        the feed-forward (norms after the sums where the model has them so)
//   logits = V norm(x) + c
//
//   attention: q, k, v = W x + b, cut into heads; each head takes the mean of the v of all tokens that it sees, weighed
//   by softmax(q k / sqrt(head width))
//
// Keys and values of the tokens before are kept, so each token is computed once. A token sees itself and at most
// context - 1 before it. A table of positions ends at the context: there the window begins anew with its last
// context/2 tokens, the only ones that are computed twice.
import { erf, linear, rowOf, sigmoid, softmax, sum } from "./numbers.js";

const BASE = 10000; // of sinusoidal positions

/** (x - mean) / deviation, or x / root mean square, times a weight, plus a bias. */
function normal(values, weight, bias, rms, epsilon) {
  const count = values.length;
  let mean = 0, squares = 0;
  if (!rms) for (const value of values) mean += value / count;
  for (const value of values) squares += ((value - mean) * (value - mean)) / count;
  const scale = 1 / Math.sqrt(squares + epsilon);
  return values.map((value, place) => (value - mean) * scale * weight[place] + (bias ? bias[place] : 0));
}

const ACTIVATIONS = {
  gelu: (inner) => inner.map((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  gelu_tanh: (inner) =>
    inner.map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * x * (1 + 0.044715 * x * x)))),
  relu: (inner) => inner.map((x) => Math.max(x, 0)),
  relu2: (inner) => inner.map((x) => Math.max(x, 0) ** 2),
  swiglu: (inner) => {
    const half = inner.length / 2;
    return inner.subarray(0, half).map((x, place) => x * inner[half + place] * sigmoid(inner[half + place]));
  },
};

export class Transformer {
  constructor(settings, weights, vocabulary) {
    Object.assign(this, { settings, weights, vocabulary });
    this.head = settings.width / settings.heads;
    this.table = settings.positions === "learned" || settings.positions === "sinusoidal";
    this.sublayers = [];
    for (let layer = 0; layer < settings.layers; layer += 1) {
      for (let number = 0; number < settings.attention_sublayers; number += 1) {
        this.sublayers.push(this.sublayer(layer, number, `attention.${number}.query_key_value`, `attention.${number}`));
      }
      this.sublayers.push(this.sublayer(layer, settings.attention_sublayers, "feedforward.inner", "feedforward"));
    }
    this.output = weights[settings.tied ? "embedding.weight" : "output.weight"];
  }

  sublayer(layer, number, inner, name) {
    const prefix = `layers.${layer}.`;
    const map = (path) => ({ weight: this.weights[`${path}.weight`], bias: this.weights[`${path}.bias`] });
    return {
      attends: name !== "feedforward",
      norm: map(`${prefix}norms.${number}`),
      inner: map(prefix + inner),
      outer: map(`${prefix}${name}.output`),
    };
  }

  /** A row that has read nothing. `begins`: the place of the first token that its window holds. */
  start() {
    const kept = () => new Float32Array(this.settings.context * this.settings.width);
    const pasts = this.sublayers.filter((one) => one.attends).map(() => ({ keys: kept(), values: kept() }));
    return { position: 0, begins: 0, recent: [], pasts, weights: [] };
  }

  /** Read one token: the logits of the next one; the state goes on. */
  read(token, state) {
    if (this.table) this.restart(state);
    const hidden = this.pass(token, state);
    if (this.table) {
      state.recent.push(token);
      if (state.recent.length > Math.floor(this.settings.context / 2)) state.recent.shift();
    }
    const logits = linear(this.output, this.weights["output.bias"], hidden, this.vocabulary);
    return this.settings.output === "probabilities" ? Float32Array.from(softmax(logits)) : logits;
  }

  /** Where a window of positions is full, begin the next one: its first half is the last half of the one before. */
  restart(state) {
    const { context } = this.settings;
    const half = Math.floor(context / 2);
    if (state.position < context || (state.position - context) % (context - half)) return;
    const again = state.recent;
    state.position -= again.length;
    state.begins = state.position;
    for (const token of again) this.pass(token, state);
  }

  /** One token through all layers: the vector that the output layer reads. */
  pass(token, state) {
    const { settings, weights } = this;
    const how = [settings.normalization === "rms", settings.norm_epsilon];
    const place = state.position - state.begins;
    const factor = settings.scaled_embedding ? Math.sqrt(settings.width) : 1;
    let stream = rowOf(weights["embedding.weight"], token, settings.width).map((value) => value * factor);
    stream = sum(stream, this.positionVector(place));
    const turn = settings.positions === "rotary" ? this.angles(state.position, this.head / 2, settings.rotary_base) : null;
    let attended = 0;
    for (const { attends, norm, inner, outer } of this.sublayers) {
      const input = settings.norm === "pre" ? normal(stream, norm.weight, norm.bias, ...how) : stream;
      let made = linear(inner.weight, inner.bias, input);
      if (attends) {
        const { mixed, shares } = this.attend(made, state.pasts[attended], place, turn);
        state.weights[attended] = shares;
        attended += 1;
        made = mixed;
      } else {
        made = ACTIVATIONS[settings.activation](made);
      }
      stream = sum(stream, linear(outer.weight, outer.bias, made));
      if (settings.norm === "post") stream = normal(stream, norm.weight, norm.bias, ...how);
    }
    state.position += 1;
    if (!settings.final_norm) return stream;
    return normal(stream, weights["final_norm.weight"], weights["final_norm.bias"], ...how);
  }

  /** What is added to a token's vector for its place; nothing with rotary positions, or none. */
  positionVector(place) {
    const { positions, width } = this.settings;
    if (positions === "learned") return rowOf(this.weights["positions.weight"], place, width);
    if (positions !== "sinusoidal") return null;
    const angles = this.angles(place, Math.ceil(width / 2));
    return Float32Array.from({ length: width }, (_, i) => (i % 2 ? Math.cos : Math.sin)(angles[i >> 1]));
  }

  /** position / base^(i / planes) */
  angles(position, planes, base = BASE) {
    return Float64Array.from({ length: planes }, (_, plane) => position * base ** (-plane / planes));
  }

  /** All heads of a sublayer: the means that they take, and by what shares; `shares`: head by head, oldest key first. */
  attend(projected, past, place, turn) {
    const { width, heads, context } = this.settings;
    const { head } = this;
    if (turn) this.turn(projected, turn);
    const seen = Math.min(place + 1, context);
    past.keys.set(projected.subarray(width, 2 * width), (place % context) * width);
    past.values.set(projected.subarray(2 * width), (place % context) * width);
    const mixed = new Float32Array(width);
    const shares = new Float32Array(heads * seen);
    const scores = new Float64Array(seen);
    for (let number = 0; number < heads; number += 1) {
      const from = number * head;
      for (let key = 0; key < seen; key += 1) {
        const at = ((place + 1 - seen + key) % context) * width + from;
        let product = 0;
        for (let entry = 0; entry < head; entry += 1) product += projected[from + entry] * past.keys[at + entry];
        scores[key] = product / Math.sqrt(head);
      }
      const weights = softmax(scores);
      shares.set(weights, number * seen);
      for (let key = 0; key < seen; key += 1) {
        const at = ((place + 1 - seen + key) % context) * width + from;
        for (let entry = 0; entry < head; entry += 1) mixed[from + entry] += weights[key] * past.values[at + entry];
      }
    }
    return { mixed, shares };
  }

  /** Queries and keys, turned by their position: entries i and i + head/2 are a plane (Su et al. 2021). */
  turn(projected, angles) {
    const planes = angles.length;
    for (let from = 0; from < 2 * this.settings.width; from += this.head) {
      for (let plane = 0; plane < planes; plane += 1) {
        const first = projected[from + plane], second = projected[from + planes + plane];
        const cosine = Math.cos(angles[plane]), sine = Math.sin(angles[plane]);
        projected[from + plane] = first * cosine - second * sine;
        projected[from + planes + plane] = second * cosine + first * sine;
      }
    }
  }

  /** What can be shown of the last token: of each attention sublayer and head, what it took from which token. */
  inside(state) {
    return { attention: state.weights.slice(), newest: state.position - 1 };
  }
}
