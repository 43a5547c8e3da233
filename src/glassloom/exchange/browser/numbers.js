// Numbers: weights out of the page's text, and the few operations that all architectures are made of.
//
// Vectors are Float32Arrays, as in training; sums are taken in JavaScript's own numbers, which have 53 bits.

/** The bytes that base64 spells. */
export function bytesOf(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

/**
 * Numbers of 16 bits as float32. float16: one sign, five bits of exponent, ten of fraction; moved into the places that
 * float32 has for them, all that is left to do is a factor of 2^112 for the exponent's other zero. bfloat16: the upper
 * half of float32.
 */
export function widened(halves, type) {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  if (type === "bfloat16") {
    for (let place = 0; place < halves.length; place += 1) bits[place] = halves[place] << 16;
    return values;
  }
  for (let place = 0; place < halves.length; place += 1) {
    const half = halves[place];
    bits[place] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13);
    values[place] *= 2 ** 112;
  }
  return values;
}

/** Every tensor by name. `tensors`: name, type and count of each, one after the other in `buffer`, little-endian. */
export function weightsOf(buffer, tensors) {
  const view = new DataView(buffer);
  const weights = {};
  let at = 0;
  for (const { name, type, count } of tensors) {
    const halves = new Uint16Array(count);
    for (let place = 0; place < count; place += 1, at += 2) halves[place] = view.getUint16(at, true);
    weights[name] = widened(halves, type);
  }
  return weights;
}

/** W x + b, with W row by row, one row an output; the bias may be missing. */
export function linear(weight, bias, input, count = weight.length / input.length) {
  const output = new Float32Array(count);
  const inputs = input.length;
  const whole = inputs - (inputs % 4);
  for (let row = 0, at = 0; row < count; row += 1, at += inputs) {
    let first = 0, second = 0, third = 0, fourth = 0; // four sums that do not wait for each other
    for (let place = 0; place < whole; place += 4) {
      first += weight[at + place] * input[place];
      second += weight[at + place + 1] * input[place + 1];
      third += weight[at + place + 2] * input[place + 2];
      fourth += weight[at + place + 3] * input[place + 3];
    }
    for (let place = whole; place < inputs; place += 1) first += weight[at + place] * input[place];
    output[row] = first + second + third + fourth + (bias ? bias[row] : 0);
  }
  return output;
}

/** Row `index` of a table of rows of `width` entries. */
export function rowOf(table, index, width) {
  return table.subarray(index * width, (index + 1) * width);
}

/** a + b, where b may be missing. */
export function sum(one, other) {
  return other ? one.map((value, place) => value + other[place]) : one;
}

/** 1 / (1 + e^-x). */
export function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** The Gaussian error function, off by at most 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26). */
export function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

/** Probabilities of logits: e^x over the sum of all of them, the greatest taken off first. */
export function softmax(logits) {
  let greatest = -Infinity;
  for (const value of logits) if (value > greatest) greatest = value;
  const shares = Float64Array.from(logits, (value) => Math.exp(value - greatest));
  const total = shares.reduce((before, value) => before + value, 0);
  return shares.map((value) => value / total);
}
