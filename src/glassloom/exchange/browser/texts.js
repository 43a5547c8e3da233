// A text as its tokens: each can be coloured, pointed at and chosen.

/** What would not be seen gets a sign; line ends and tabs stay besides. */
function shown(text) {
  const signs = { "\n": "⏎\n", "\t": "⇥\t", "\x7f": "␡" };
  return text.replace(/[\x00-\x1f\x7f]/g, (sign) => signs[sign] ?? String.fromCodePoint(0x2400 + sign.charCodeAt(0)));
}

export class TokenText {
  /** `choose(place)` is called when the reader points at a token, or walks to it. */
  constructor(element, choose) {
    Object.assign(this, { element, choose, tokens: [], spans: [], chosen: -1 });
    element.addEventListener("pointerover", (event) => this.pointed(event));
    element.addEventListener("click", (event) => this.pointed(event));
    element.addEventListener("keydown", (event) => this.walk(event));
  }

  clear() {
    this.element.replaceChildren();
    Object.assign(this, { tokens: [], spans: [], chosen: -1 });
  }

  add(tokens) {
    const { element } = this;
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    for (const token of tokens) {
      const span = document.createElement("span");
      span.className = token.written ? "token" : "token given";
      span.textContent = shown(token.text);
      span.dataset.place = this.tokens.length;
      this.tokens.push(token);
      this.spans.push(span);
      element.append(span);
    }
    if (follows) element.scrollTop = element.scrollHeight;
  }

  /** Text that belongs to no token: what was held back. */
  addRest(text) {
    this.element.append(shown(text));
  }

  /** Colour each token from a place on by an amount from -1 to 1; null is none. */
  colour(amount, from = 0) {
    for (let place = from; place < this.spans.length; place += 1) {
      const value = amount(this.tokens[place], place) ?? 0;
      const { style, classList } = this.spans[place];
      style.setProperty("--amount", Math.min(Math.abs(value), 1).toFixed(3));
      classList.toggle("cold", value < 0);
    }
  }

  pointed(event) {
    const place = event.target.closest?.(".token")?.dataset.place;
    if (place !== undefined) this.select(Number(place));
  }

  walk(event) {
    const leftwards = this.element.matches(":dir(rtl)") ? -1 : 1;
    const steps = { ArrowRight: leftwards, ArrowLeft: -leftwards, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (!step || !this.tokens.length) return;
    event.preventDefault();
    this.select(Math.max(0, Math.min(this.tokens.length - 1, this.chosen + step)));
    this.spans[this.chosen].scrollIntoView({ block: "nearest" });
  }

  select(place) {
    this.spans[this.chosen]?.classList.remove("chosen");
    this.chosen = place;
    this.spans[place]?.classList.add("chosen");
    this.choose(place);
  }

  /** The text itself. */
  plain() {
    return this.tokens.map((token) => token.text).join("");
  }
}
