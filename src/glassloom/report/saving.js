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
