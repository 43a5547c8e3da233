// One model's text in the playground: its tokens as they come, what each owes to others, and what else might stand there.
import { alternativesMenu } from "/alternatives.js";
import { stream, tell } from "/api.js";
import { fill, h, trouble } from "/dom.js";
import { percent } from "/format.js";
import { bits } from "/unit.js";

const PAUSE = 60; // milliseconds that the pointer rests before a token is asked about

// A token that only begins a character: the one that ends it has the text.
const isBegun = (token) => token.text === "" && token.label.startsWith("0x");

// Code is set in letters of one width, prose is not.
const isCode = (text) => /^( {4}|\t)|[{};]\s*$|^\s*(def|class|import|return|function)\b/m.test(text);

export function lane(name, { settings, view, signal, changed }) {
  let tokens = []; // { id, text, label, nats, how }, nats null where it was given, how: the settings it was drawn with
  let spans = []; // the node of each token; tokens that spell one character together share theirs
  let writing = null;
  let lens = "gradient";
  let heads = [];
  let owed = new Map();
  let asking = 0;
  let question = null;
  let prompted = 0; // so many tokens are the prompt; without one the model reads something else first
  const about = h("span", { class: "about" });
  const told = h("p", { class: "told", dir: "auto" });
  const text = h("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": `What ${name} writes; arrows go from token to token`, lang: "" });
  const lenses = h("select", { "aria-label": `What pointing at a token of ${name} shows`, on: { change: () => { lens = lenses.value; } } });
  const goOn = h("button", { type: "button", class: "quiet", hidden: true, on: { click: () => write({ ids: withoutEnd().map((one) => one.id), prompted }) } }, "Go on");
  const look = h("a", { class: "quiet", hidden: true }, "Look inside");
  const menu = alternativesMenu({
    ask, take, look: light, howOf: (place) => tokens[place].how, back: (place) => spans[place]?.focus(),
    pieces: (place) => placesOf(spans[place]).map((at) => ({ place: at, label: tokens[at].label })),
  });
  const node = h("section", { class: "lane", "aria-label": name }, h("header", {}, h("h2", {}, h("bdi", {}, name)), about, lenses), h("div", { class: "page" }, text, menu.node), told, h("footer", {}, goOn, look));

  function drawLenses() {
    const options = [["gradient", "owes: input gradient"], ...(heads.length ? [["all", "attends to: all heads"]] : []), ...heads.map((head) => [head, `attends to: ${head}`])];
    if (lenses.children.length !== options.length) fill(lenses, options.map(([value, title]) => h("option", { value, selected: value === lens }, title)));
    lenses.hidden = options.length < 2;
  }

  async function open() {
    try {
      const facts = await tell("/api/open", { run: name }, signal);
      about.textContent = `${facts.architecture}, ${facts.tokenizer} (${facts.vocabulary})`;
      if (facts.architecture === "transformer") {
        heads = ["…"]; // their names come with the first answer
        lens = "all";
        fill(lenses, h("option", { value: "all" }, "attends to: all heads"), h("option", { value: "gradient" }, "owes: input gradient"));
        lenses.hidden = false;
      }
    } catch (error) {
      if (!signal.aborted) fill(told, trouble(error));
    }
  }

  const ended = (one) => one && one.label === ".end" && one.text === "";
  const withoutEnd = () => (ended(tokens.at(-1)) ? tokens.slice(0, -1) : tokens);

  const placesOf = (node) => {
    const [first, last] = [Number(node.dataset.first), Number(node.dataset.place)];
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  };

  // One token, or all tokens of one character; one that has not ended is shown by the names of its bytes.
  function draw(made) {
    const own = placesOf(made).map((at) => tokens[at]);
    const last = own.at(-1);
    made.className = "token";
    made.classList.toggle("given", own.every((one) => one.nats === null));
    made.classList.toggle("break", last.text.includes("\n"));
    made.classList.toggle("begun", isBegun(last));
    fill(made, ended(last) ? h("i", { class: "end" }, "end") : isBegun(last) ? own.map((one) => one.label).join(" ") : last.text);
    shade(made);
  }

  // The more bits it cost, the stronger its colour: 8 bits and more have the strongest.
  function shade(made) {
    const costs = placesOf(made).map((at) => tokens[at].nats).filter((nats) => nats !== null);
    made.classList.toggle("surprising", Boolean(view.colour) && costs.length > 0);
    made.style.setProperty("--bits", Math.min(1, bits(costs.reduce((sum, nats) => sum + nats, 0)) / 8).toFixed(3));
  }

  function append(more) {
    const made = [];
    for (const token of more) {
      const at = tokens.length;
      const before = at && isBegun(tokens[at - 1]) ? spans[at - 1] : null;
      const one = before ?? h("span", { data: { first: String(at) }, tabindex: "-1" });
      one.dataset.place = String(at);
      tokens.push(token);
      spans.push(one);
      if (!before) made.push(one);
      draw(one);
    }
    text.append(...made);
  }

  function begin(prompt) {
    write({ prompt });
  }

  async function write(asked, kept = []) {
    stop();
    menu.close();
    dim();
    owed = new Map();
    const how = settings();
    const own = new AbortController();
    writing = own;
    const leave = () => own.abort();
    signal.addEventListener("abort", leave, { once: true });
    changed();
    goOn.hidden = look.hidden = true;
    fill(told);
    node.dataset.busy = "yes";
    const began = performance.now();
    let first = null;
    let count = 0;
    const before = kept.length ? kept : asked.ids ? tokens : [];
    try {
      for await (const line of stream("/api/write", { ...how, ...asked, run: name }, own.signal)) {
        if (line.prompt) {
          prompted = asked.prompted ?? line.prompt.length;
          tokens = [];
          spans = [];
          fill(text);
          append(line.prompt.map(([id, piece, label], at) => ({ id, text: piece, label, nats: before[at]?.nats ?? null, how: before[at]?.how ?? null })));
        } else if (line.tokens) {
          first ??= performance.now() - began;
          count += line.tokens.length;
          append(line.tokens.map(([id, piece, label, nats]) => ({ id, text: piece, label, nats, how })));
          text.classList.toggle("code", isCode(text.textContent));
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") fill(told, trouble(error));
    } finally {
      signal.removeEventListener("abort", leave);
      if (writing === own) {
        writing = null;
        delete node.dataset.busy;
        const seconds = (performance.now() - began) / 1000;
        if (first !== null) fill(told, h("span", { class: "pace" }, `first token after ${Math.round(first)} ms, ${Math.round(count / seconds).toLocaleString("en")} tokens a second`));
        goOn.hidden = look.hidden = !tokens.length;
        changed();
        const beginning = [...tokens.map((one) => one.text).join("")].slice(0, 300).join(""); // no character is cut in half
        look.href = `#/look?${new URLSearchParams({ run: name, text: beginning })}`;
      }
    }
  }

  function stop() {
    writing?.abort();
    writing = null;
    delete node.dataset.busy;
  }

  // -- what a token owes

  function dim() {
    asking += 1;
    question?.abort(); // nobody waits for what the token before owes
    for (const lit of text.querySelectorAll(".lit, .asked")) {
      lit.classList.remove("lit", "asked");
      lit.style.removeProperty("--share");
    }
    text.classList.remove("lighting");
  }

  async function light(place) {
    dim();
    const own = asking;
    spans[place]?.classList.add("asked");
    await new Promise((done) => setTimeout(done, PAUSE));
    if (own !== asking || writing) return;
    try {
      if (!owed.has(place)) {
        const ids = tokens.slice(0, place + 1).map((one) => one.id);
        question = new AbortController();
        owed.set(place, await tell("/api/owes", { run: name, ids, place, prompted }, AbortSignal.any([signal, question.signal])));
      }
    } catch (error) {
      if (!signal.aborted && own === asking) fill(told, trouble(error));
      return;
    }
    if (own !== asking) return;
    const found = owed.get(place);
    if (found.attention.length && heads[0] === "…") {
      heads = found.attention.map((one) => one.head);
      drawLenses();
      lenses.value = lens;
    }
    const shares = sharesOf(found);
    const sums = new Map(); // of tokens that are shown together, together
    shares.forEach((share, at) => {
      const node = spans[found.first + at];
      if (node && node !== spans[place]) sums.set(node, (sums.get(node) ?? 0) + share);
    });
    const even = 1 / sums.size; // what has more than an even share lights up
    const most = Math.max(...sums.values()) - even;
    text.classList.add("lighting");
    for (const [lit, share] of sums) {
      if (sums.size > 1 && !(share - even > most * 0.02)) continue;
      lit.classList.add("lit");
      lit.style.setProperty("--share", sums.size > 1 ? ((share - even) / most).toFixed(3) : "1");
    }
    explain(place, found, shares);
  }

  function sharesOf(found) {
    if (lens === "gradient" || !found.attention.length) return found.gradient;
    if (lens !== "all") return found.attention.find((one) => one.head === lens)?.weights ?? [];
    const rows = found.attention.map((one) => one.weights);
    return rows[0].map((_, at) => rows.reduce((sum, row) => sum + row[at], 0) / rows.length);
  }

  function explain(place, found, shares) {
    const token = tokens[place];
    const together = placesOf(spans[place]);
    const piece = together.length > 1 ? [`, piece ${together.indexOf(place) + 1} of ${together.length} of `, h("bdi", { class: "label" }, spans[place].textContent), ":"] : null;
    const order = shares.map((share, at) => [share, at]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([share]) => share > 0);
    const cost = token.nats === null ? "given" : `${bits(token.nats).toFixed(2)} bits (${percent(Math.exp(-token.nats))})`;
    const what = lens === "gradient" || !found.attention.length ? "owes most to" : "was written looking at";
    fill(told, h("bdi", { class: "label" }, token.label), piece, ` ${cost}`, order.length > 0 && [`; ${what} `, order.map(([share, at], rank) => [rank ? ", " : "", h("bdi", { class: "label" }, tokens[found.first + at].label), ` ${percent(share)}`])],
      found.first > 0 && (found.window ? `; the ${place - found.first} tokens before it are all that the model had at hand` : `; of the last ${place - found.first} tokens only`));
  }

  // -- what else might stand there

  async function ask(place) {
    if (writing) stop();
    const { temperature, top_k, top_p } = tokens[place].how ?? {};
    try {
      return await tell("/api/alternatives", { run: name, ids: tokens.map((one) => one.id), place, prompted, temperature, top_k, top_p }, signal);
    } catch (error) {
      if (!signal.aborted) fill(told, trouble(error));
      return null;
    }
  }

  function take(place, id, share) {
    const kept = [...tokens.slice(0, place), { ...tokens[place], nats: -Math.log(share) }];
    write({ ids: [...tokens.slice(0, place).map((one) => one.id), id], prompted: Math.min(prompted, place) }, kept);
    text.focus();
  }

  const placeOf = (event) => {
    const found = event.target.closest?.(".token");
    return found ? Number(found.dataset.place) : null;
  };
  text.addEventListener("pointerover", (event) => {
    const place = placeOf(event);
    if (place !== null && event.pointerType !== "touch" && menu.node.hidden) light(place);
  });
  text.addEventListener("pointerleave", () => { if (menu.node.hidden) dim(); });
  text.addEventListener("click", (event) => {
    const place = placeOf(event);
    if (place === null) return;
    light(place);
    menu.open(place, spans[place]);
  });
  text.addEventListener("keydown", (event) => {
    const at = document.activeElement?.classList.contains("token") ? Number(document.activeElement.dataset.place) : -1;
    const rightwards = text.matches(":dir(rtl)") ? -1 : 1;
    const step = { ArrowRight: rightwards, ArrowLeft: -rightwards }[event.key];
    if (step) {
      event.preventDefault();
      const own = at < 0 ? [] : placesOf(spans[at]); // from character to character, where several tokens spell one
      const to = at < 0 ? tokens.findIndex((one) => one.nats !== null) : step > 0 ? own.at(-1) + 1 : own[0] - 1;
      const next = spans[Math.max(0, Math.min(spans.length - 1, to))];
      next?.focus();
      if (next) light(Number(next.dataset.place));
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      event.preventDefault();
      menu.open(at, spans[at]);
    }
  });
  document.addEventListener("pointerdown", (event) => { if (!menu.node.contains(event.target)) menu.close(); }, { signal });

  drawLenses();
  open();
  return {
    node, begin, stop, busy: () => writing !== null,
    paint: () => new Set(spans).forEach(shade),
  };
}
