// Byte-pair encoding (Sennrich et al. 2016) on UTF-8 bytes, with GPT-2's cuts between words.
//
// A text is cut into words, a space going with the word after it. A word is its bytes at first; then, again and again,
// the pair of neighbours that was merged earliest in training becomes one piece, until no pair is left that was.

const CUTS = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+" +
    "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
  "gu",
);

/** The printable sign that stands for each byte: itself where it prints, else one from U+0100 on. */
function alphabet() {
  const signs = [];
  let others = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    const prints = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    signs.push(String.fromCodePoint(prints ? byte : 256 + others++));
  }
  return signs;
}

export class BytePairs {
  constructor(pieces, merges) {
    this.signs = alphabet();
    this.ids = new Map(pieces.map((piece, id) => [piece, id]));
    this.ranks = new Map(merges.map(([first, second], rank) => [`${first} ${second}`, rank]));
    this.known = new Map();
    const byteOf = new Map(this.signs.map((sign, byte) => [sign, byte]));
    this.bytes = pieces.map((piece) => Uint8Array.from(piece, (sign) => byteOf.get(sign)));
  }

  encode(text) {
    return [...text.matchAll(CUTS)].flatMap(([word]) => this.word(word));
  }

  /** The ids of one word. */
  word(word) {
    if (!this.known.has(word)) {
      let parts = Array.from(new TextEncoder().encode(word), (byte) => this.signs[byte]);
      for (let at = this.earliest(parts); at >= 0; at = this.earliest(parts)) {
        parts = [...parts.slice(0, at), parts[at] + parts[at + 1], ...parts.slice(at + 2)];
      }
      this.known.set(word, parts.map((part) => this.ids.get(part)));
    }
    return this.known.get(word);
  }

  /** Where the pair of neighbours stands that was merged earliest (the first of equals); -1 where none was. */
  earliest(parts) {
    let best = Infinity, at = -1;
    for (let place = 0; place + 1 < parts.length; place += 1) {
      const rank = this.ranks.get(`${parts[place]} ${parts[place + 1]}`) ?? Infinity;
      if (rank < best) [best, at] = [rank, place];
    }
    return at;
  }
}
