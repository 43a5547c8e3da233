// Makes elements. Text is always text: nothing that a corpus, a model or a run's name says is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [kind, act] of Object.entries(value)) node.addEventListener(kind, act);
    } else if (name === "style") {
      for (const [property, to] of Object.entries(value)) node.style.setProperty(property, to);
    } else if (name === "data") {
      Object.assign(node.dataset, value);
    } else if (["value", "checked", "selected", "disabled", "htmlFor"].includes(name)) {
      node[name] = value;
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// An HTML element with attributes, listeners (`on`), styles, and children; strings become text.
export const h = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);

// An SVG element.
export const s = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

// Replaces what is in a node.
export function fill(node, ...children) {
  node.replaceChildren();
  return filled(node, {}, children);
}

let fading = 0;

// One sentence at the foot of the page, which goes by itself.
export function say(text) {
  const place = document.querySelector("#said");
  place.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (place.textContent = ""), 6000);
}

// A sentence about what went wrong, in the place of what was asked for.
export const trouble = (error) => h("p", { class: "trouble", role: "alert", dir: "auto" }, error.message ?? String(error));

// What is shown where there is nothing yet: what it is, and what to do next.
export const empty = (title, about, ...actions) =>
  h("section", { class: "empty" }, h("h2", {}, title), h("p", {}, about), h("p", { class: "actions" }, actions));

// A field with its label and, where there is one, a hint.
export function field(label, input, hint) {
  const id = (input.id ||= `field-${Math.random().toString(36).slice(2, 9)}`);
  const told = hint ? h("small", { id: `${id}-hint` }, hint) : null;
  if (told) input.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: id }, label), input, told);
}

// A choice of one among a few, as buttons side by side.
export function segments(label, options, chosen, choose) {
  const group = h("div", { class: "segments", role: "radiogroup", "aria-label": label });
  const buttons = options.map(([value, text]) =>
    h("button", {
      type: "button", role: "radio", "aria-checked": String(value === chosen), tabindex: value === chosen ? "0" : "-1",
      data: { value }, on: { click: () => pick(value) },
    }, text));
  const pick = (value) => {
    for (const button of buttons) {
      const on = button.dataset.value === String(value);
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
    }
    choose(value);
  };
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    next.focus();
    pick(options[buttons.indexOf(next)][0]);
  });
  group.append(...buttons);
  return group;
}
