// Text to ids and back, as in training: characters, bytes, words, byte pairs.
//
// Each tokenizer: `encode(text)`, `unknown(text)` (what it lacks, and where that first stands), `drop(text)` (the text
// without that), `streamer()` (text out of single ids), `label(id)`, and `specials`, the ids that spell nothing.
import { BytePairs } from "./bpe.js";

const WORD_END = "<eos>", UNKNOWN = "<unk>";
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACES = new RegExp(`[${SPACE}]+`, "u");
const WORDS = new RegExp(`[^${SPACE}]+`, "gu");

/** Each symbol of `found` ([symbol, place] pairs) that is not `known`, with the place where it first stands. */
function lacking(found, known) {
  const first = new Map();
  for (const [symbol, place] of found) if (!known(symbol) && !first.has(symbol)) first.set(symbol, place);
  return [...first];
}

/** The ids of marks such as .start, which stand after the others. */
function marked(marks, first) {
  return Object.fromEntries(marks.map((mark, place) => [mark, first + place]));
}

class Characters {
  constructor({ symbols, marks }) {
    this.symbols = [...symbols];
    this.ids = new Map(this.symbols.map((symbol, id) => [symbol, id]));
    this.specials = marked(marks, this.symbols.length);
    this.texts = [...this.symbols, ...marks.map((mark) => (mark === ".unk" ? "\ufffd" : ""))];
  }
  encode(text) {
    return Array.from(text, (symbol) => this.ids.get(symbol));
  }
  unknown(text) {
    return lacking([...text].map((symbol, place) => [symbol, place]), (symbol) => this.ids.has(symbol));
  }
  drop(text) {
    return [...text].filter((symbol) => this.ids.has(symbol)).join("");
  }
  streamer() {
    return { push: (id) => this.texts[id], flush: () => "" };
  }
  spelling(id) {
    return this.symbols[id];
  }
}

class Words {
  constructor({ words, marks }) {
    this.words = words;
    this.ids = new Map(words.map((word, id) => [word, id]));
    this.replaces = UNKNOWN; // what it lacks is read as this
    this.specials = {
      [WORD_END]: this.ids.get(WORD_END), [UNKNOWN]: this.ids.get(UNKNOWN), ...marked(marks, words.length),
    };
  }
  split(text) {
    return text.replaceAll("\n", ` ${WORD_END} `).split(SPACES).filter(Boolean);
  }
  encode(text) {
    return this.split(text).map((word) => this.ids.get(word) ?? this.ids.get(UNKNOWN));
  }
  unknown(text) {
    const found = lacking([...text.matchAll(WORDS)].map((match) => [match[0], match.index]), (word) => this.ids.has(word));
    return found.map(([word, at]) => [word, [...text.slice(0, at)].length]); // counted in characters, not in halves
  }
  drop(text) {
    const known = (line) => line.split(SPACES).filter((word) => this.ids.has(word));
    return text.split("\n").map((line) => known(line).join(" ")).join("\n");
  }
  /** Words with one space between them, none at the start of a line. */
  streamer() {
    let atLineStart = true;
    const push = (id) => {
      const text = this.words[id] === WORD_END ? "\n" : (this.words[id] ?? "");
      if (!text) return "";
      const piece = atLineStart || text === "\n" ? text : ` ${text}`;
      atLineStart = text === "\n";
      return piece;
    };
    return { push, flush: () => "" };
  }
  spelling(id) {
    return this.words[id];
  }
}

/** Ids that are bytes: all text has them, and a character may need several. */
class Bytes {
  constructor(bytes, marks) {
    this.bytes = bytes;
    this.specials = marked(marks, bytes.length);
  }
  encode(text) {
    return Array.from(new TextEncoder().encode(text));
  }
  unknown() {
    return [];
  }
  drop(text) {
    return text;
  }
  /** Bytes of an unfinished character are held back. */
  streamer() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const none = new Uint8Array(0);
    return { push: (id) => decoder.decode(this.bytes[id] ?? none, { stream: true }), flush: () => decoder.decode() };
  }
  spelling(id) {
    const bytes = this.bytes[id];
    try {
      return bytes && new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase()}`;
    }
  }
}

class BytePieces extends Bytes {
  constructor({ pieces, merges, marks }) {
    const pairs = new BytePairs(pieces, merges);
    super(pairs.bytes, marks);
    this.pairs = pairs;
  }
  encode(text) {
    return this.pairs.encode(text);
  }
}

const TOKENIZERS = {
  char: (data) => new Characters(data),
  word: (data) => new Words(data),
  byte: ({ marks }) => new Bytes(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), marks),
  bpe: (data) => new BytePieces(data),
};

/** The tokenizer of the data that was saved with the run. */
export function openTokenizer(data) {
  return TOKENIZERS[data.kind](data);
}

/** A printable label: spaces and line ends get a sign, what does not print its number; a special id its name. */
export function labelOf(tokenizer, id) {
  const special = Object.keys(tokenizer.specials).find((name) => tokenizer.specials[name] === id);
  return special ?? printable(tokenizer.spelling(id));
}

const SIGNS = { " ": "␣", "\n": "⏎", "\t": "⇥" };

/** Text with signs for what would not be seen. */
export function printable(text) {
  return Array.from(text, (sign, place) => {
    if (SIGNS[sign]) return SIGNS[sign];
    if (/\p{M}/u.test(sign)) return place ? sign : `◌${sign}`;
    return /[\p{C}\p{Z}]/u.test(sign) ? numbered(sign) : sign;
  }).join("");
}

function numbered(sign) {
  return `U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A symbol as a message names it, with its code point. */
function named(symbol) {
  if ([...symbol].length !== 1) return `'${symbol}'`;
  return /[\p{C}\p{M}]|(?! )\p{Z}/u.test(symbol) ? numbered(symbol) : `'${symbol}' ${numbered(symbol)}`;
}

/**
 * The ids of a text: { ids, note } or { refused }. A word that the vocabulary lacks becomes <unk>, and the note says
 * so; a symbol that it lacks is refused by name and place, or left out where `skip` says so.
 */
export function reading(tokenizer, text, skip) {
  const unknown = tokenizer.unknown(text);
  if (!unknown.length) return { ids: tokenizer.encode(text) };
  const names = unknown.slice(0, 5).map(([symbol, place]) => `${named(symbol)} at character ${place.toLocaleString("en")}`);
  const told = names.join(", ") + (unknown.length > 5 ? ` and ${unknown.length - 5} more` : "");
  if (skip) {
    return { ids: tokenizer.encode(tokenizer.drop(text)), note: `Left out, as the model never saw it: ${told}.` };
  }
  if (!tokenizer.replaces) return { refused: `The text holds what the model never saw: ${told}.` };
  return {
    ids: tokenizer.encode(text),
    note: `Read as ${tokenizer.replaces}, as the model never saw it: ${told}.`,
  };
}

/** What is read before the model says anything: .start, and the prompt; or what stands for an absent prompt. */
export function opening(tokenizer, prompt) {
  const start = tokenizer.specials[".start"];
  if (start !== undefined) return { given: [start], ids: prompt };
  if (prompt.length) return { given: [], ids: prompt };
  return { given: tokenizer.unknown("\n").length ? [0] : tokenizer.encode("\n"), ids: [] };
}
