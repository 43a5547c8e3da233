// One token out of the model's distribution: temperature, then top-k, then top-p, then min-p, then one draw.

const MARGIN = 1e-9; // probabilities this near to a bound count as on it, whatever rounding did to them

/** The weights to draw with: those of the model, as the settings leave them; the greatest is 1. */
export function shaped(logits, { temperature = 1, topK, topP, minP }) {
  const scaled = Float64Array.from(logits, (value) => value / temperature);
  const greatest = scaled.reduce((one, other) => Math.max(one, other), -Infinity);
  const weights = scaled.map((value) => Math.exp(value - greatest));
  if (topK && topK < weights.length) ranked(weights).slice(topK).forEach((id) => (weights[id] = 0));
  if (topP && topP < 1) {
    const total = weights.reduce((one, other) => one + other, 0);
    let before = 0;
    for (const id of ranked(weights)) {
      const weight = weights[id];
      if (before >= (topP - MARGIN) * total) weights[id] = 0;
      before += weight;
    }
  }
  if (minP) weights.forEach((weight, id) => weight < minP * (1 - MARGIN) && (weights[id] = 0));
  return weights;
}

/** Ids, the most probable first, of equals the lower id. */
export function ranked(weights) {
  return Array.from(weights.keys()).sort((one, other) => weights[other] - weights[one] || one - other);
}

/** The so many most probable ids in that order, without sorting all of them. */
export function mostProbable(shares, count) {
  const best = [];
  for (let id = 0; id < shares.length; id += 1) {
    if (best.length === count && shares[id] <= shares[best[count - 1]]) continue;
    let place = best.length;
    while (place && shares[best[place - 1]] < shares[id]) place -= 1;
    best.splice(place, 0, id);
    best.length = Math.min(best.length, count);
  }
  return best;
}

/** The most probable id, of equals the lowest. */
export function greatestOf(logits) {
  let best = 0;
  for (let id = 1; id < logits.length; id += 1) if (logits[id] > logits[best]) best = id;
  return best;
}

/** The token at which the running sum of weights passes a number from [0, 1) times their sum. */
export function draw(weights, uniform) {
  const goal = uniform * weights.reduce((one, other) => one + other, 0);
  let passed = 0, last = 0;
  for (let id = 0; id < weights.length; id += 1) {
    if (!weights[id]) continue;
    passed += weights[id];
    last = id;
    if (passed > goal) return id;
  }
  return last;
}

/** Numbers from [0, 1) that a seed decides: sfc32 (Doty-Humphrey's Small Fast Counter), 32 bits each. */
export function randomNumbers(seed) {
  let a = seed >>> 0, b = Math.floor(seed / 2 ** 32) >>> 0, c = 0x9e3779b9, counter = 1;
  const next = () => {
    const made = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + made) | 0;
    return (made >>> 0) / 2 ** 32;
  };
  for (let warm = 0; warm < 16; warm += 1) next();
  return next;
}
