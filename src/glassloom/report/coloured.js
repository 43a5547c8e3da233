// Coloured texts: what is said of a token stands beside it, under the pointer, a finger or the arrow keys.
"use strict";

function tokensTold(text) {
  const spans = [...text.querySelectorAll("span[title]")];
  for (const span of spans) {
    span.dataset.note = span.title; // the browser's own tip comes late, and never on a phone
    span.removeAttribute("title");
  }
  let at = -1;
  const tell = (span) => {
    for (const other of text.querySelectorAll(".told")) other.classList.remove("told");
    at = spans.indexOf(span);
    if (at < 0) {
      hideTip();
      return;
    }
    span.classList.add("told");
    const { left, bottom } = span.getClientRects()[0];
    showTip({ target: span, clientX: left, clientY: bottom - 10 }, [["", span.dataset.note]]);
  };
  text.addEventListener("pointerover", (event) => tell(event.target.closest("span[data-note]")));
  text.addEventListener("pointerleave", () => tell(null));
  text.addEventListener("blur", () => tell(null));
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") tell(null);
    if (!step || spans.length === 0) return;
    event.preventDefault();
    const next = spans[Math.min(spans.length - 1, Math.max(0, at + step))];
    next.scrollIntoView({ block: "nearest" });
    tell(next);
  });
}

async function saveColoured(figure, kind) {
  const svg = await unpacked(JSON.parse(figure.querySelector("script").textContent));
  const { width, height } = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement.viewBox.baseVal;
  savePicture(svg, figure.dataset.name, kind, { width, height });
}

function startColoured(figure) {
  for (const text of figure.querySelectorAll("blockquote.coloured")) tokensTold(text);
  for (const button of figure.querySelectorAll(".save button")) {
    button.hidden = false;
    button.addEventListener("click", () => saveColoured(figure, button.dataset.kind));
  }
}
