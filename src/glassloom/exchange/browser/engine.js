// The model at work, in a thread of its own, so that the page stays awake: it takes orders and sends tokens.
//
//   { kind: "open", settings, tokenizer, vocabulary, tensors, buffer }
//   { kind: "work", job, text, skip, length, look, ... }   read a text, then go on with it for so many tokens
//   { kind: "logits", job, ids }                           the logits after each id, read one after the other
//   { kind: "encode", job, text, skip }                    the ids of a text
//   { kind: "stop" }
//
// Work is done in slices of some milliseconds; between two slices the thread listens, so that it can be stopped.
import { draw, greatestOf, mostProbable, randomNumbers, shaped } from "./choosing.js";
import { softmax, weightsOf } from "./numbers.js";
import { RecurrentModel } from "./recurrent.js";
import { labelOf, openTokenizer, opening, reading } from "./tokenizers.js";
import { Transformer } from "./transformer.js";

const SLICE = 20; // milliseconds
const SHOWN = 6; // alternatives of a token
let model = null;
let tokenizer = null;
let current = null; // the job that is being worked on; another one ends it

function open({ settings, vocabulary, tensors, buffer, tokenizer: data }) {
  const Family = settings.name === "transformer" ? Transformer : RecurrentModel;
  model = new Family(settings, weightsOf(buffer, tensors), vocabulary);
  tokenizer = openTokenizer(data);
  postMessage({ kind: "ready" });
}

/** Let other messages in. */
function pause(milliseconds) {
  if (milliseconds) return new Promise((resolve) => setTimeout(resolve, milliseconds));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** What is told of a token that the model met with these logits before it. */
function told(id, text, logits, look, state) {
  const token = { id, text };
  if (logits) {
    const shares = softmax(logits);
    const best = mostProbable(shares, SHOWN);
    token.bits = -Math.log2(shares[id]);
    token.best = best.map((other) => ({ id: other, label: labelOf(tokenizer, other), share: shares[other] }));
  }
  token.label = labelOf(tokenizer, id);
  if (look) token.inside = model.inside(state);
  return token;
}

/** Read a text token by token, and go on with it; each token as soon as the model has read it. */
function* passage({ ids, given, length, look, ...settings }) {
  const state = model.start(), streamer = tokenizer.streamer();
  const end = tokenizer.specials[".end"], random = randomNumbers(settings.seed ?? 0);
  let logits = null;
  for (const id of given) logits = model.read(id, state);
  for (const id of ids) {
    const before = logits;
    logits = model.read(id, state);
    yield told(id, streamer.push(id), before, look, state);
  }
  for (let count = 0; count < length; count += 1) {
    if (!logits.every(Number.isFinite)) throw new Error("The model gives probabilities that are not finite.");
    const id = settings.greedy ? greatestOf(logits) : draw(shaped(logits, settings), random());
    const before = logits;
    logits = model.read(id, state);
    yield { ...told(id, streamer.push(id), before, look, state), written: true };
    if (id !== end) continue;
    const rest = streamer.flush();
    if (rest) yield { rest };
    break;
  }
}

async function work(order) {
  const { job, text, skip, pace } = order;
  current = job;
  const read = reading(tokenizer, text, skip);
  if (read.refused) {
    postMessage({ kind: "refused", job, refused: read.refused, lacks: true });
    return;
  }
  if (!order.length && !read.ids.length) {
    postMessage({ kind: "done", job, seconds: 0, note: read.note });
    return;
  }
  const { given, ids } = opening(tokenizer, read.ids);
  const started = performance.now();
  let tokens = [], slice = started;
  const send = () => {
    if (tokens.length) postMessage({ kind: "tokens", job, given: given.length, tokens });
    tokens = [];
    slice = performance.now();
  };
  for (const token of passage({ ...order, given, ids })) {
    tokens.push(token);
    const slowly = pace && token.written;
    if (slowly || performance.now() - slice > SLICE) {
      send();
      await pause(slowly ? 1000 / pace : 0);
      if (current !== job) return;
      slice = performance.now();
    }
  }
  send();
  postMessage({ kind: "done", job, seconds: (performance.now() - started) / 1000, note: read.note });
}

function logitsOf({ job, ids }) {
  const state = model.start();
  postMessage({ kind: "done", job, logits: ids.map((id) => Array.from(model.read(id, state))) });
}

function encode({ job, text, skip }) {
  postMessage({ kind: "done", job, ...reading(tokenizer, text, skip) });
}

function stop() {
  current = null;
}

const ORDERS = { open, work, logits: logitsOf, encode, stop };

onmessage = async ({ data }) => {
  try {
    await ORDERS[data.kind](data);
  } catch (error) {
    postMessage({ kind: "refused", job: data.job, refused: String(error.message ?? error) });
  }
};
