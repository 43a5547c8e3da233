// One model's text in the playground: its tokens as they come, what each owes to others, and what else might stand there.
import { stream, tell } from "/api.js";
import { fill, h, trouble } from "/dom.js";
import { percent } from "/format.js";

const PAUSE = 60; // milliseconds that the pointer rests before a token is asked about

const bits = (nats) => nats / Math.LN2;

// Code is set in letters of one width, prose is not.
const isCode = (text) => /^( {4}|\t)|[{};]\s*$|^\s*(def|class|import|return|function)\b/m.test(text);

export function lane(name, { settings, view, signal, changed }) {
  let tokens = []; // { id, text, label, nats }, nats null where it was given
  let spans = [];
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
  const menu = h("div", { class: "menu", role: "dialog", "aria-label": "What else might stand here", hidden: true });
  const node = h("section", { class: "lane", "aria-label": name }, h("header", {}, h("h2", {}, h("bdi", {}, name)), about, lenses), h("div", { class: "page" }, text, menu), told, h("footer", {}, goOn, look));

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

  function span(token, place) {
    const given = token.nats === null;
    const made = h("span", { class: `token ${given ? "given" : ""} ${token.text.includes("\n") ? "break" : ""}`, data: { place: String(place) }, tabindex: "-1" }, ended(token) ? h("i", { class: "end" }, "end") : token.text);
    if (!given) shade(made, token);
    return made;
  }

  // The more bits a token cost, the stronger its colour: 8 bits and more have the strongest.
  function shade(made, token) {
    made.classList.toggle("surprising", Boolean(view.colour));
    made.style.setProperty("--bits", Math.min(1, bits(token.nats ?? 0) / 8).toFixed(3));
  }

  function append(more) {
    const made = more.map((token, at) => span(token, tokens.length + at));
    tokens = [...tokens, ...more];
    spans.push(...made);
    text.append(...made);
  }

  function begin(prompt) {
    write({ prompt });
  }

  async function write(asked, kept = []) {
    stop();
    closeMenu();
    dim();
    owed = new Map();
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
    const before = new Map(kept.map((token, at) => [at, token.nats]));
    if (asked.ids && !kept.length) tokens.forEach((token, at) => before.set(at, token.nats));
    try {
      for await (const line of stream("/api/write", { ...settings(), ...asked, run: name }, own.signal)) {
        if (line.prompt) {
          prompted = asked.prompted ?? line.prompt.length;
          tokens = [];
          spans = [];
          fill(text);
          append(line.prompt.map(([id, piece, label], at) => ({ id, text: piece, label, nats: before.get(at) ?? null })));
        } else if (line.tokens) {
          first ??= performance.now() - began;
          count += line.tokens.length;
          append(line.tokens.map(([id, piece, label, nats]) => ({ id, text: piece, label, nats })));
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
    const even = 1 / shares.length; // what has more than an even share lights up
    const most = Math.max(...shares) - even;
    text.classList.add("lighting");
    shares.forEach((share, at) => {
      const lit = spans[found.first + at];
      if (!lit || (shares.length > 1 && !(share - even > most * 0.02))) return;
      lit.classList.add("lit");
      lit.style.setProperty("--share", shares.length > 1 ? ((share - even) / most).toFixed(3) : "1");
    });
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
    const order = shares.map((share, at) => [share, at]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(([share]) => share > 0);
    const cost = token.nats === null ? "given" : `${bits(token.nats).toFixed(2)} bits (${percent(Math.exp(-token.nats))})`;
    const what = lens === "gradient" || !found.attention.length ? "owes most to" : "was written looking at";
    fill(told, h("bdi", { class: "label" }, token.label), ` ${cost}`, order.length > 0 && [`; ${what} `, order.map(([share, at], rank) => [rank ? ", " : "", h("bdi", { class: "label" }, tokens[found.first + at].label), ` ${percent(share)}`])],
      found.first > 0 && `; of the last ${place - found.first} tokens only`);
  }

  // -- what else might stand there

  async function openMenu(place) {
    if (writing) stop();
    const ids = tokens.map((one) => one.id);
    let found;
    try {
      found = await tell("/api/alternatives", { run: name, ids, place, prompted }, signal);
    } catch (error) {
      if (!signal.aborted) fill(told, trouble(error));
      return;
    }
    const own = found.taken?.[0];
    const line = ([id, label, share]) => h("button", { type: "button", class: id === own ? "own" : "", data: { id: String(id) }, on: { click: () => take(place, id, share) } },
      h("bdi", { class: "label" }, label), h("i", { class: "bar", style: { "--share": share.toFixed(4) } }), h("span", {}, percent(share)));
    const listed = found.alternatives.some(([id]) => id === own);
    fill(menu, h("p", {}, "What might stand here"), found.alternatives.map(line),
      found.taken && !listed && [h("p", {}, `It took the ${found.taken[3].toLocaleString("en")}. most probable`), line(found.taken)],
      h("p", {}, `All others together ${percent(found.rest)}`));
    menu.hidden = false;
    const at = spans[place].getBoundingClientRect();
    const frame = menu.parentElement.getBoundingClientRect();
    menu.style.left = `${Math.max(0, Math.min(at.left - frame.left, frame.width - menu.offsetWidth))}px`;
    menu.style.top = `${at.bottom - frame.top + 6}px`;
    menu.dataset.place = String(place);
    (menu.querySelector(".own") ?? menu.querySelector("button")).focus();
  }

  function closeMenu(back = false) {
    if (menu.hidden) return;
    menu.hidden = true;
    if (back) spans[Number(menu.dataset.place)]?.focus();
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
    if (place !== null && event.pointerType !== "touch" && menu.hidden) light(place);
  });
  text.addEventListener("pointerleave", () => { if (menu.hidden) dim(); });
  text.addEventListener("click", (event) => {
    const place = placeOf(event);
    if (place === null) return;
    light(place);
    openMenu(place);
  });
  text.addEventListener("keydown", (event) => {
    const at = document.activeElement?.classList.contains("token") ? Number(document.activeElement.dataset.place) : -1;
    const rightwards = text.matches(":dir(rtl)") ? -1 : 1;
    const step = { ArrowRight: rightwards, ArrowLeft: -rightwards }[event.key];
    if (step) {
      event.preventDefault();
      const next = at < 0 ? tokens.findIndex((one) => one.nats !== null) : Math.max(0, Math.min(spans.length - 1, at + step));
      spans[next]?.focus();
      if (spans[next]) light(next);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      event.preventDefault();
      openMenu(at);
    }
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenu(true);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...menu.querySelectorAll("button")];
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  document.addEventListener("pointerdown", (event) => { if (!menu.contains(event.target)) closeMenu(); }, { signal });

  drawLenses();
  open();
  return {
    node, begin, stop, busy: () => writing !== null,
    paint: () => spans.forEach((made, at) => tokens[at].nats !== null && shade(made, tokens[at])),
  };
}
