// What is inside, as small pictures: hidden units along a text, and attention from token to token.

const LETTERS = 14; // pixels for the tokens' letters beside a picture
const MOST = 400; // the newest columns of units that are shown
const ATTENDING = 128; // the newest queries that are shown

/** The colours for 1, -1 and 0 as the style sheet has them: `fill`, `stroke` and `background-color`. */
function coloursOf(canvas) {
  const style = getComputedStyle(canvas);
  const parts = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
  return { hot: parts(style.fill), cold: parts(style.stroke), ground: parts(style.backgroundColor), ink: style.color };
}

export class Picture {
  /** `point({ row, column, value } | null)` is called where the pointer is, `pick` where it clicks. */
  constructor(canvas, point, pick) {
    Object.assign(this, { canvas, drawn: null });
    canvas.addEventListener("pointermove", (event) => point(this.cell(event)));
    canvas.addEventListener("pointerleave", () => point(null));
    canvas.addEventListener("click", (event) => pick(this.cell(event)));
  }

  /** A column for each token, a row for each unit; `picked` is the unit that is marked. */
  units(tokens, layer, picked) {
    const first = Math.max(0, tokens.length - MOST);
    const known = tokens.slice(first);
    const columns = known.map((token) => token.inside?.hidden[layer]);
    const count = columns.findLast(Boolean)?.length ?? 0;
    let limit = 1; // a squashed unit lies between -1 and 1
    for (const column of columns) for (const value of column ?? []) if (Math.abs(value) > limit) limit = Math.abs(value);
    const value = (row, column) => columns[column]?.[row] ?? null;
    const high = Math.max(1, Math.floor(256 / Math.max(count, 1)));
    this.draw({
      rows: count, columns: known.length, wide: 9, high, value, limit, first, firstRow: 0,
      below: known.map((token) => token.label), mark: picked < count ? { row: picked } : null,
    });
  }

  /** A row for each query, a column for each key that one of them sees. */
  attention(tokens, given, sublayer, head, heads, picked) {
    const first = Math.max(0, tokens.length - ATTENDING);
    const queries = tokens.slice(first).map((token) => sharesOf(token, sublayer, head, heads));
    const from = Math.min(...queries.map((one) => one?.first ?? Infinity));
    const firstKey = Number.isFinite(from) ? from : 0;
    const count = tokens.length + given - firstKey;
    const value = (row, column) => {
      const one = queries[row];
      return one && column + firstKey <= one.newest ? (one.shares[column + firstKey - one.first] ?? null) : null;
    };
    const size = Math.max(4, Math.min(16, Math.floor(660 / Math.max(count, 1))));
    const label = (key) => (key < given ? "·" : tokens[key - given].label);
    this.draw({
      rows: queries.length, columns: count, wide: size, high: size, value, limit: 1, first: firstKey, firstRow: first,
      below: Array.from({ length: count }, (_, key) => label(key + firstKey)),
      beside: tokens.slice(first).map((token) => token.label), mark: picked >= first ? { row: picked - first } : null,
    });
  }

  draw(picture) {
    this.drawn = picture;
    const { canvas } = this;
    const { rows, columns, wide, high, value, limit, below, beside, mark } = picture;
    const fine = window.devicePixelRatio || 1;
    const left = beside && wide >= 9 ? LETTERS : 0;
    const width = left + columns * wide, height = rows * high + (wide >= 9 ? LETTERS + 2 : 0);
    Object.assign(picture, { left, width, height });
    canvas.width = Math.max(1, Math.round(width * fine));
    canvas.height = Math.max(1, Math.round(height * fine));
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    if (!rows || !columns) return;
    const paint = canvas.getContext("2d");
    const colours = coloursOf(canvas);
    paint.scale(fine, fine);
    paint.imageSmoothingEnabled = false;
    paint.drawImage(cells(rows, columns, value, limit, colours), left, 0, columns * wide, rows * high);
    if (wide >= 9) letters(paint, picture, colours.ink);
    if (mark) {
      paint.strokeStyle = colours.ink;
      paint.strokeRect(left + 0.5, mark.row * high - 0.5, columns * wide - 1, high + 1);
    }
  }

  /** The cell under a pointer; null outside. */
  cell(event) {
    const { drawn } = this;
    if (!drawn) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - drawn.left) / drawn.wide);
    const row = Math.floor((event.clientY - box.top) / drawn.high);
    if (row < 0 || row >= drawn.rows || column < 0 || column >= drawn.columns) return null;
    return { row: row + drawn.firstRow, column: column + drawn.first, value: drawn.value(row, column) };
  }
}

/** What one head of one sublayer takes at a token: the place of its first key, and the shares; null where unknown. */
export function sharesOf(token, sublayer, head, heads) {
  const all = token?.inside?.attention[sublayer];
  if (!all) return null;
  const seen = all.length / heads, { newest } = token.inside;
  return { first: newest - seen + 1, newest, shares: all.subarray(head * seen, (head + 1) * seen) };
}

/** One pixel a cell, to be drawn larger. */
function cells(rows, columns, value, limit, { hot, cold, ground }) {
  const small = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, at += 4) {
      const found = value(row, column);
      if (found === null) continue; // no value: nothing is painted
      const part = Math.min(1, Math.abs(found) / limit), towards = found < 0 ? cold : hot;
      for (let i = 0; i < 3; i += 1) pixels.data[at + i] = ground[i] + part * (towards[i] - ground[i]);
      pixels.data[at + 3] = 255;
    }
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}

function letters(paint, { rows, high, wide, left, below, beside }, ink) {
  paint.fillStyle = ink;
  paint.font = "10px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  paint.textAlign = "center";
  const one = (label) => ([...label].length === 1 ? label : "·");
  below.forEach((label, column) => paint.fillText(one(label), left + (column + 0.5) * wide, rows * high + 11));
  (left ? beside : []).forEach((label, row) => paint.fillText(one(label), left / 2, (row + 0.5) * high + 3));
}
