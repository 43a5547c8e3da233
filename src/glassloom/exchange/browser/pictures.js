// What is inside, as small pictures: hidden units along a text, and attention from token to token.

const LETTERS = 14; // pixels for the tokens' letters beside a picture
const MOST = 400; // the newest columns of units that are shown
const QUERIES = 48, KEYS = 72; // of attention: so many are shown at once, around the chosen token
const CELL = 9; // pixels a token

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

  /** A column for each token, a row for each unit in the given order; `picked` is the unit that is marked. */
  units(tokens, layer, picked, order) {
    const first = Math.max(0, tokens.length - MOST);
    const known = tokens.slice(first);
    const columns = known.map((token) => token.inside?.hidden[layer]);
    const count = columns.findLast(Boolean)?.length ?? 0;
    let limit = 1; // a squashed unit lies between -1 and 1
    for (const column of columns) for (const value of column ?? []) limit = Math.max(limit, Math.abs(value));
    this.draw({
      rows: count, columns: known.length, high: Math.max(1, Math.floor(256 / Math.max(count, 1))),
      value: (row, column) => columns[column]?.[order?.[row] ?? row] ?? null,
      amount: (value) => value / limit,
      place: (row, column) => ({ row: order?.[row] ?? row, column: column + first }),
      below: known.map((token) => token.label), beside: [],
      marked: order ? order.indexOf(picked) : picked,
    });
  }

  /** A row for each query, a column for each key: those about the chosen token, or the newest. */
  attention(tokens, given, sublayer, head, heads, chosen) {
    const last = chosen < 0 ? tokens.length : Math.min(tokens.length, chosen + QUERIES / 4);
    const first = Math.max(0, last - QUERIES), firstKey = Math.max(0, last + given - KEYS);
    const queries = tokens.slice(first, last).map((token) => sharesOf(token, sublayer, head, heads));
    this.draw({
      rows: queries.length, columns: last + given - firstKey, high: CELL,
      value: (row, column) => queries[row]?.shares[column + firstKey - queries[row].first] ?? null,
      amount: Math.sqrt,
      place: (row, column) => ({ row: row + first, column: column + firstKey }),
      below: Array.from({ length: last + given - firstKey }, (_, key) => tokens[key + firstKey - given]?.label ?? ""),
      beside: tokens.slice(first, last).map((token) => token.label),
      marked: chosen - first,
    });
  }

  draw(picture) {
    this.drawn = picture;
    const { canvas } = this;
    const { rows, columns, high, beside, marked } = picture;
    const fine = window.devicePixelRatio || 1;
    const left = beside.length ? LETTERS : 0;
    const width = left + columns * CELL, height = rows * high + LETTERS + 2;
    picture.left = left;
    canvas.width = Math.max(1, Math.round(width * fine));
    canvas.height = Math.max(1, Math.round(height * fine));
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    if (!rows || !columns) return;
    const paint = canvas.getContext("2d");
    const colours = coloursOf(canvas);
    paint.scale(fine, fine);
    paint.imageSmoothingEnabled = false;
    paint.drawImage(cells(picture, colours), left, 0, columns * CELL, rows * high);
    letters(paint, picture, colours.ink);
    if (marked >= 0 && marked < rows) {
      paint.strokeStyle = colours.ink;
      paint.strokeRect(left + 0.5, marked * high - 0.5, columns * CELL - 1, high + 1);
    }
  }

  /** The cell under a pointer; null outside. */
  cell(event) {
    const { drawn } = this;
    if (!drawn) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - drawn.left) / CELL);
    const row = Math.floor((event.clientY - box.top) / drawn.high);
    if (row < 0 || row >= drawn.rows || column < 0 || column >= drawn.columns) return null;
    return { ...drawn.place(row, column), value: drawn.value(row, column) };
  }
}

/** What one head of one sublayer takes at a token: the place of its first key, and the shares; null where unknown. */
export function sharesOf(token, sublayer, head, heads) {
  const all = token?.inside?.attention[sublayer];
  if (!all) return null;
  const seen = all.length / heads, { newest } = token.inside;
  return { first: newest - seen + 1, newest, shares: all.subarray(head * seen, (head + 1) * seen) };
}

/** The units of a layer, those first that change least from token to token, measured by how much they vary at all. */
export function steadiest(tokens, layer) {
  const columns = tokens.map((token) => token.inside?.hidden[layer]).filter(Boolean);
  if (columns.length < 3) return null;
  const roughness = Array.from(columns[0], (_, unit) => {
    const mean = columns.reduce((total, column) => total + column[unit], 0) / columns.length;
    let change = 0, spread = 1e-6; // so that a unit that never moves is not called steady
    columns.forEach((column, place) => {
      spread += (column[unit] - mean) ** 2;
      if (place) change += (column[unit] - columns[place - 1][unit]) ** 2;
    });
    return spread < 1e-3 ? Infinity : change / spread;
  });
  return Array.from(roughness.keys()).sort((one, other) => roughness[one] - roughness[other] || one - other);
}

/** One pixel a cell, to be drawn larger. */
function cells({ rows, columns, value, amount }, { hot, cold, ground }) {
  const small = new OffscreenCanvas(columns, rows);
  const pixels = new ImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, at += 4) {
      const found = value(row, column);
      if (found === null) continue; // no value: nothing is painted
      const part = Math.min(1, Math.abs(amount(found))), towards = found < 0 ? cold : hot;
      for (let i = 0; i < 3; i += 1) pixels.data[at + i] = ground[i] + part * (towards[i] - ground[i]);
      pixels.data[at + 3] = 255;
    }
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}

function letters(paint, { rows, high, left, below, beside }, ink) {
  paint.fillStyle = ink;
  paint.font = "10px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  paint.textAlign = "center";
  const one = (label) => ([...label].length === 1 ? label : ""); // there is room for one
  below.forEach((label, column) => paint.fillText(one(label), left + (column + 0.5) * CELL, rows * high + 11));
  beside.forEach((label, row) => paint.fillText(one(label), left / 2, (row + 0.5) * high + 3));
}
