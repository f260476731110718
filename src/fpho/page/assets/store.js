"use strict";
// The data of a page as its scripts bring them, and what is chosen; other parts listen for changes.
const fpho = {
  chosen: -1, // row of the source whose sheet is open
  marked: new Set(), // rows
  order: new Int32Array(0), // rows that the table shows, in its order
  waiting: new Map(),

  take(name, value) { // called by the scripts of data/ and draws/
    const data = unpacked(value);
    if (this.waiting.has(name)) this.waiting.get(name)(data);
    else this[name] = data;
  },

  load(name, path) { // a value of a script that is read when asked for; null where there is none
    return new Promise((resolve) => {
      const script = document.createElement("script");
      this.waiting.set(name, resolve);
      script.onload = script.onerror = () => { this.waiting.delete(name); script.remove(); resolve(null); };
      script.src = path;
      document.head.append(script);
    });
  },

  tell(what) { document.dispatchEvent(new Event(`fpho-${what}`)); },
  listen(what, then) { document.addEventListener(`fpho-${what}`, then); },

  choose(row) {
    if (row === this.chosen || row < 0 || row >= this.sources.id.length) return;
    this.chosen = row;
    history.replaceState(null, "", `#source=${this.sources.source_index[row]}`);
    this.tell("chosen");
  },

  mark(row) {
    if (row < 0) return;
    if (!this.marked.delete(row)) this.marked.add(row);
    this.tell("marked");
  },

  name(row) {
    const id = this.sources.id[row];
    return `${this.sources.source_index[row]}${id ? ` (${id})` : ""}`;
  },

  flagsOf(row) { return this.field.flags.filter((flag) => this.sources.flags[row] & flag.bit); },
};

function unpacked(value) { // numbers are unpacked when they are first asked for
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const out = {};
  for (const [key, item] of Object.entries(value)) {
    const packed = item !== null && typeof item === "object" && typeof item.bytes === "string";
    if (!packed) { out[key] = unpacked(item); continue; }
    const keep = (made) => { Object.defineProperty(out, key, { value: made, enumerable: true }); return made; };
    Object.defineProperty(out, key, { get: () => keep(numbers(item)), enumerable: true, configurable: true });
  }
  return out;
}

const TYPES = { Float32Array, Float64Array, Int32Array, Uint8Array, Uint16Array };

function numbers({ type, bytes }) {
  const text = atob(bytes);
  const raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) raw[i] = text.charCodeAt(i);
  return new TYPES[type](raw.buffer);
}

const magnitude = (flux) => (flux > 0 ? 31.4 - 2.5 * Math.log10(flux) : NaN); // AB, of nJy

function withError(value, error, most = 6) { // to two digits of the error
  if (!Number.isFinite(value)) return "–";
  if (!Number.isFinite(error)) return String(Number(value.toPrecision(4)));
  const digits = error > 0 ? Math.min(Math.max(0, 1 - Math.floor(Math.log10(error))), most) : 3;
  return `${value.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function element(name, text, attributes = {}) { // texts are texts: nothing in them is read as HTML
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
