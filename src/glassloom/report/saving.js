// What can be taken along: texts, pictures, tables, and files that the page holds packed.
"use strict";

function download(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

function downloadText(text, name, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  download(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// An SVG as a PNG of twice its size.
function downloadPicture(svg, name, { width, height }) {
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.addEventListener("load", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width * 2, height * 2];
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    download(canvas.toDataURL("image/png"), name);
    URL.revokeObjectURL(address);
  });
  picture.src = address;
}

function savePicture(svg, name, kind, size) {
  if (kind === "svg") downloadText(svg, `${name}.svg`, "image/svg+xml");
  else downloadPicture(svg, `${name}.png`, size);
}

const [TITLE_SIZE, TITLE_LINE] = [16, 22];

// The lines of a title that fit a width.
function linesOf(title, width) {
  const room = Math.max(12, Math.floor((width - 20) / (0.5 * TITLE_SIZE)));
  const lines = [""];
  for (const word of title.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= room || lines.at(-1) === "") lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// A drawing moved down under its title: a file goes its own ways.
function titled(text, title) {
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const { width, height } = svg.viewBox.baseVal;
  const lines = linesOf(title, width);
  const size = { width, height: height + TITLE_LINE * lines.length + 8 };
  const [moved, paper] = [element("g", { transform: `translate(0 ${size.height - height})` }), element("rect", { ...size, fill: "#fffdf8" })];
  moved.append(...svg.childNodes);
  svg.append(paper, ...titleOf(lines, 10), moved);
  for (const [name, value] of Object.entries({ ...size, viewBox: `0 0 ${size.width} ${size.height}` })) svg.setAttribute(name, value);
  return { svg: new XMLSerializer().serializeToString(svg), size };
}

function titleOf(lines, x) {
  return lines.map((line, place) => {
    const style = { "font-size": TITLE_SIZE, "font-family": "Georgia, serif", fill: "#2b2722" };
    return element("text", { x, y: TITLE_LINE * (place + 1) - 2, ...style }, line);
  });
}

function asCsv(lines) {
  const cell = (value) => (/[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : (value ?? ""));
  return lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
}

// A text that the page holds deflated, in base64.
function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

// The links to packed files: unpacked when they are asked for.
function startPacked(place) {
  const files = JSON.parse(place.querySelector("script").textContent);
  for (const button of place.querySelectorAll("button")) {
    const name = button.dataset.file;
    button.hidden = false;
    button.addEventListener("click", async () => downloadText(await unpacked(files[name]), name, "application/octet-stream"));
  }
}
