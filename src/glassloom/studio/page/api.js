// Asks the server. What it refuses comes back as an Error whose message is its sentence.

async function answered(response) {
  if (response.ok) return response;
  const kind = response.headers.get("content-type") ?? "";
  const said = kind.startsWith("application/json") ? (await response.json()).error?.sentence : await response.text();
  throw Object.assign(new Error(said || `The studio answered ${response.status}.`), { answered: true });
}

async function sent(path, options) {
  try {
    return await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The studio does not answer. Is glassloom studio still running?");
  }
}

const posted = (body, signal) => ({
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal,
});

// What is there: `ask("/api/run", { name })`; a value that is a list is asked for several times.
export async function ask(path, given = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, one);
  }
  const address = query.size ? `${path}?${query}` : path;
  return (await answered(await sent(address, { signal }))).json();
}

// Something is to be done.
export const tell = async (path, body, signal) => (await answered(await sent(path, posted(body, signal)))).json();

// The same, with what may be much: where it does not arrive in the time that the server waits, the connection is closed
// without a word, so the word is said here. `otherwise` is what else can be done.
export async function tellMuch(path, body, seconds, otherwise, signal) {
  const began = performance.now();
  try {
    return await tell(path, body, signal);
  } catch (error) {
    const waited = (performance.now() - began) / 1000;
    if (error.name === "AbortError" || error.answered || waited < 0.9 * seconds) throw error;
    throw new Error(`This did not reach the studio within ${seconds} seconds, the longest that it waits for a request. ${otherwise}`);
  }
}

// The same, for a file: its content and its name.
export async function fetchFile(path, body) {
  const response = await answered(await sent(path, posted(body)));
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "view";
  return { content: await response.blob(), name };
}

// Objects line by line as they come. Leaving the loop, or the signal, ends the asking.
export async function* stream(path, body, signal) {
  const response = await answered(await sent(path, posted(body, signal)));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const told = JSON.parse(line);
        if (told.error) throw new Error(told.error.sentence);
        yield told;
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Does something again and again while the page is in sight, until the signal; an error is told once and it goes on.
export async function repeat(act, milliseconds, signal) {
  const said = document.querySelector("#said");
  let failing = "";
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        await act();
        if (failing && said.textContent === failing) said.textContent = "";
        failing = "";
      } catch (error) {
        if (signal.aborted || error.name === "AbortError") return;
        said.textContent = failing = error.message;
      }
    }
    await new Promise((done) => {
      const end = () => { clearTimeout(timer); signal.removeEventListener("abort", end); done(); };
      const timer = setTimeout(end, typeof milliseconds === "function" ? milliseconds() : milliseconds);
      signal.addEventListener("abort", end);
    });
  }
}
