// What is said of a chosen token: how probable it was, and what was more probable.

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

/** 0.1234 as 12%, and small shares with a digit that counts. */
export function percent(share) {
  if (share >= 0.1) return `${(100 * share).toFixed(0)}%`;
  return share >= 0.001 ? `${(100 * share).toFixed(1)}%` : "under 0.1%";
}

/** A sentence about a token, and a bar for each of the most probable ones at its place. */
export function describe(place, token, unit) {
  place.replaceChildren();
  if (!token) {
    place.append(element("p", `Point at a ${unit} of the text, or walk through it with the arrow keys.`, "note"));
    return;
  }
  const sentence = element("p", undefined, "sentence");
  const label = element("bdi", token.label, "label");
  if (!token.best) {
    sentence.append(label, ` was given; nothing stood before it to predict it from.`);
    place.append(sentence);
    return;
  }
  const share = 2 ** -token.bits;
  sentence.append(label, ` had ${percent(share)}: ${token.bits.toFixed(2)} bits of surprise. `);
  sentence.append(token.written ? "The model could have gone on with:" : "The model held most probable here:");
  const list = element("ol");
  for (const one of token.best) {
    const line = element("li", undefined, one.id === token.id ? "taken" : "");
    const bar = element("span", undefined, "bar");
    bar.style.setProperty("--share", one.share);
    line.append(element("bdi", one.label, "label"), bar, element("span", percent(one.share), "share"));
    list.append(line);
  }
  place.append(sentence, list);
}
