// The page's way to the model: orders go to its thread, tokens and answers come back.

export class Model {
  /** `engine`: the thread's program; `data`: settings and tokenizer; `weights`: base64. */
  constructor(engine, data, weights) {
    const address = URL.createObjectURL(new Blob([engine], { type: "text/javascript" }));
    this.worker = new Worker(address);
    this.jobs = new Map();
    this.last = 0;
    this.ready = new Promise((resolve, reject) => {
      this.jobs.set(undefined, { resolve, reject });
      this.worker.onerror = (event) => reject(new Error(event.message || "The model's thread could not be started."));
    });
    this.worker.onmessage = ({ data: message }) => this.hear(message);
    const buffer = Uint8Array.from(atob(weights.trim()), (letter) => letter.charCodeAt(0)).buffer;
    this.worker.postMessage({ kind: "open", ...data, buffer }, [buffer]);
    this.ready.then(() => URL.revokeObjectURL(address), () => {});
  }

  hear({ kind, job, ...message }) {
    const waiting = this.jobs.get(job);
    if (!waiting) return;
    if (kind === "tokens") {
      waiting.tokens?.(message.tokens, message.given);
      return;
    }
    this.jobs.delete(job);
    if (kind === "refused") waiting.reject(Object.assign(new Error(message.refused), message));
    else waiting.resolve(message);
  }

  /** Give an order; `tokens` is called with those that come on the way. An answer ends it, or an error that says why. */
  ask(kind, order, tokens) {
    const job = (this.last += 1);
    const answer = new Promise((resolve, reject) => this.jobs.set(job, { resolve, reject, tokens }));
    this.worker.postMessage({ kind, job, ...order });
    return answer;
  }

  /** Read a text and go on with it. Another order, or `stop`, ends it: then the answer says `stopped`. */
  work(order, tokens) {
    this.end();
    const answer = this.ask("work", order, tokens);
    this.working = this.last;
    return answer;
  }

  stop() {
    this.worker.postMessage({ kind: "stop" });
    this.end();
  }

  end() {
    this.jobs.get(this.working)?.resolve({ stopped: true });
    this.jobs.delete(this.working);
  }
}
