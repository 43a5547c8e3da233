// The recurrent networks: one layer above the other, each with a state that it hands from token to token.
//
//   x = E[token]                         the token's vector
//   h = cell(x, h)                       in each layer; the next layer's x is this layer's h
//   logits = V h + c                     of the last layer
//
// The weights of a layer's gates are stacked: W for the input, U for the state before, b for the bias.
import { linear, rowOf, sigmoid, sum } from "./numbers.js";

/** Simple (Elman 1990): h' = f(W x + U h + b). */
function simpleCell(layer, input, state) {
  const recurrent = linear(layer.U, null, state.hidden);
  const squash = layer.settings.activation === "relu" ? (x) => Math.max(x, 0) : Math.tanh;
  return { hidden: recurrent.map((value, unit) => squash(input[unit] + value)) };
}

/**
 * Gated recurrent unit (Cho et al. 2014). r: how much of the past the candidate n sees; z: how much is new, or kept.
 *
 *   r = sigma(W_r x + U_r h + b_r)                 z = sigma(W_z x + U_z h + b_z)
 *   reset before:  n = tanh(W_n x + b_n + U_n (r h))          h' = (1 - z) h + z n
 *   reset after:   n = tanh(W_n x + b_n + r (U_n h + c))      h' = (1 - z) n + z h
 */
function gatedCell(layer, input, state) {
  const { width, U, inner } = layer;
  const { hidden } = state;
  const before = layer.settings.reset === "before";
  const recurrent = linear(U, null, hidden, before ? 2 * width : 3 * width);
  const gate = (number) => (unit) => sigmoid(input[number * width + unit] + recurrent[number * width + unit]);
  const reset = gate(0), update = gate(1);
  const seen = before && linear(U.subarray(2 * width * width), null, hidden.map((value, unit) => reset(unit) * value));
  return {
    hidden: hidden.map((value, unit) => {
      const past = before ? seen[unit] : reset(unit) * (recurrent[2 * width + unit] + inner[unit]);
      const candidate = Math.tanh(input[2 * width + unit] + past);
      const share = update(unit);
      return before ? (1 - share) * value + share * candidate : (1 - share) * candidate + share * value;
    }),
  };
}

/**
 * Long short-term memory (Hochreiter and Schmidhuber 1997). What enters the cell c, what stays in it, what is shown:
 *
 *   i = sigma(W_i x + U_i h + b_i)    f = sigma(W_f x + U_f h + b_f)    o = sigma(W_o x + U_o h + b_o)
 *   n = tanh(W_n x + U_n h + b_n)     c' = f c + i n                    h' = o tanh(c')
 */
function memoryCell(layer, input, state) {
  const { width } = layer;
  const recurrent = linear(layer.U, null, state.hidden);
  const whole = (number, unit) => input[number * width + unit] + recurrent[number * width + unit];
  const cell = state.cell.map((value, unit) => {
    const enters = sigmoid(whole(0, unit)), stays = sigmoid(whole(1, unit));
    return stays * value + enters * Math.tanh(whole(2, unit));
  });
  return { cell, hidden: cell.map((value, unit) => sigmoid(whole(3, unit)) * Math.tanh(value)) };
}

const CELLS = { rnn: simpleCell, gru: gatedCell, lstm: memoryCell };

export class RecurrentModel {
  constructor(settings, weights, vocabulary) {
    Object.assign(this, { settings, weights, vocabulary, cell: CELLS[settings.name] });
    const widths = settings.widths ?? Array(settings.layers).fill(settings.width);
    this.embeddingSize = settings.embedding ?? widths[0];
    this.layers = widths.map((width, index) => this.layer(width, `layers.${index}.`));
    this.output = weights[settings.tied ? "embedding.weight" : "output.weight"];
  }

  /** One layer's weights, all biases that are only added in one. */
  layer(width, prefix) {
    const own = (name) => this.weights[prefix + name];
    const bias = own("bias").slice();
    const second = own("recurrent_bias");
    let inner = null; // the candidate's own bias, inside the reset gate
    if (second) {
      inner = this.settings.reset === "after" ? second.subarray(second.length - width) : null;
      const added = inner ? second.subarray(0, second.length - width) : second;
      added.forEach((value, unit) => (bias[unit] += value));
    }
    const start = { hidden: own("initial_hidden") ?? new Float32Array(width) };
    if (this.settings.name === "lstm") start.cell = own("initial_cell") ?? new Float32Array(width);
    return { settings: this.settings, width, W: own("input_weight"), U: own("recurrent_weight"), bias, inner, start };
  }

  /** What the network remembers before it has read anything: of each layer the hidden vector, and the LSTM's cell. */
  start() {
    return { layers: this.layers.map((layer) => layer.start) };
  }

  /** Read one token: the logits of the next one; the state goes on. */
  read(token, state) {
    let input = null;
    if (this.embeddingSize) {
      const bias = this.weights["embedding.bias"];
      input = sum(rowOf(this.weights["embedding.weight"], token, this.embeddingSize), bias);
    }
    state.layers = this.layers.map((layer, index) => {
      const projected = input ? linear(layer.W, layer.bias, input) : this.column(layer, token);
      const after = this.cell(layer, projected, state.layers[index]);
      input = after.hidden;
      return after;
    });
    return linear(this.output, this.weights["output.bias"], input, this.vocabulary);
  }

  /** W x + b for a token that is a vector of zeros with a single one: a column of W. */
  column(layer, token) {
    return layer.bias.map((value, row) => value + layer.W[row * this.vocabulary + token]);
  }

  /** What can be shown of the state: each layer's hidden vector. */
  inside(state) {
    return { hidden: state.layers.map((layer) => layer.hidden) };
  }
}
