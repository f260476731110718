"use strict";
// Small plots of one source: spectral energy, pairs of its draws, ranks by chain.
const CHAIN_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function spectrum(row) { // fluxes and their uncertainties by band; AB magnitudes at the right
  const bands = fpho.field.bands, s = fpho.sources;
  const points = bands.map((band) => [s[band][row], s[`${band}_err`][row]]);
  const known = points.filter(([flux]) => Number.isFinite(flux));
  if (!known.length) return element("p", "no flux is known", { class: "note" });
  const reach = known.flatMap(([flux, error]) => [flux - (error || 0), flux + (error || 0)]);
  const low = Math.min(0, ...reach), high = Math.max(...reach) * 1.08 || 1;
  const [width, height, left, right, top, bottom] = [400, 150, 58, 44, 8, 24];
  const x = (k) => left + ((k + 0.5) / bands.length) * (width - left - right);
  const y = (flux) => height - bottom - ((flux - low) / (high - low)) * (height - top - bottom);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "font-size": 11, fill: "currentColor" });
  svg.append(drawn("title", {}, "fluxes by band"));
  for (let k = 0; k <= 3; k++) {
    const flux = low + (k / 3) * (high / 1.08 - low), mag = magnitude(flux);
    svg.append(drawn("line", { x1: left, x2: width - right, y1: y(flux), y2: y(flux), stroke: "#ddd" }));
    svg.append(drawn("text", { x: left - 4, y: y(flux) + 4, "text-anchor": "end" }, String(Number(flux.toPrecision(3)))));
    if (Number.isFinite(mag)) svg.append(drawn("text", { x: width - right + 4, y: y(flux) + 4 }, mag.toFixed(1)));
  }
  svg.append(drawn("text", { x: 10, y: height - 6 }, "nJy"), drawn("text", { x: width - 26, y: height - 6 }, "AB"));
  points.forEach(([flux, error], k) => {
    svg.append(drawn("text", { x: x(k), y: height - 6, "text-anchor": "middle" }, bands[k]));
    if (!Number.isFinite(flux)) return;
    if (error > 0) svg.append(drawn("line", { x1: x(k), x2: x(k), y1: y(flux - error), y2: y(flux + error), stroke: "#0072b2", "stroke-width": 1.5 }));
    svg.append(drawn("circle", { cx: x(k), cy: y(flux), r: 3.5, fill: "#0072b2" }));
  });
  return svg;
}

function parameters(draws, row) { // name to label and values, positions as offsets in mas
  const out = [], cosine = Math.cos((fpho.sources.dec[row] * Math.PI) / 180);
  for (const { name, label, unit } of fpho.field.quantities) {
    if (!draws[name]) continue;
    const { low, width, steps } = draws[name];
    let values = Float64Array.from(steps, (step) => low + (width * step) / 65535), shown = unit ? `${label} (${unit})` : label;
    if (name === "ra" || name === "dec") {
      const mas = 3.6e6 * (name === "ra" ? cosine : 1);
      values = values.map((value) => (value - fpho.sources[name][row]) * mas);
      shown = `Δ${name === "ra" ? "RA" : "Dec"} (mas)`;
    } else if (name === "position_angle") values = unwrapped(values, fpho.sources[name][row]);
    out.push({ name, label: shown, values });
  }
  return out;
}

function unwrapped(angles, middle) { return angles.map((a) => middle + ((((a - middle + 90) % 180) + 180) % 180) - 90); }

function pairs(shown) { // every pair of parameters, their histograms on the diagonal
  const n = shown.length, side = Math.max(44, Math.min(90, Math.floor(400 / n))), canvas = element("canvas", undefined, { role: "img", "aria-label": "pairs of draws" });
  const ratio = window.devicePixelRatio || 1, width = side * n;
  Object.assign(canvas, { width: width * ratio, height: width * ratio });
  Object.assign(canvas.style, { width: `${width}px`, height: `${width}px` });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const place = shown.map(({ values }) => {
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    return (value) => 3 + ((value - low) / span) * (side - 7);
  });
  shown.forEach((down, r) => shown.slice(0, r + 1).forEach((across, c) => {
    pen.strokeStyle = "#ccc";
    pen.strokeRect(c * side + 0.5, r * side + 0.5, side - 1, side - 1);
    if (r === c) {
      pen.fillStyle = "#9db9cc";
      histogram(across.values, 14).forEach((share, k, all) => {
        const w = (side - 6) / all.length, h = share * (side - 8);
        pen.fillRect(c * side + 3 + k * w, (r + 1) * side - 2 - h, w, h);
      });
    } else {
      pen.fillStyle = "#0072b266";
      across.values.forEach((value, k) => pen.fillRect(c * side + place[c](value) - 0.8, (r + 1) * side - place[r](down.values[k]) - 0.8, 1.7, 1.7));
    }
  }));
  return canvas;
}

function histogram(values, bins) {
  const low = Math.min(...values), width = (Math.max(...values) - low) / bins || 1, count = new Float64Array(bins);
  for (const value of values) count[Math.min(bins - 1, Math.floor((value - low) / width))]++;
  const most = Math.max(...count);
  return Array.from(count, (c) => c / most);
}

function ranks(values, chains) { // where each chain's draws rank among all: even where chains agree (Vehtari et al. 2021)
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a] - values[b]), bins = 8, each = values.length / chains;
  const count = Array.from({ length: chains }, () => new Float64Array(bins));
  order.forEach((draw, rank) => { count[Math.min(chains - 1, Math.floor(draw / each))][Math.floor((rank / values.length) * bins)]++; });
  const even = each / bins, [width, height] = [110, 34];
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.append(drawn("title", {}, "ranks by chain: even where chains agree"));
  svg.append(drawn("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, stroke: "#bbb" }));
  count.forEach((one, chain) => {
    const path = Array.from(one, (c, k) => { const h = height / 2 - Math.max(-1, Math.min(1, (c / even - 1))) * (height / 2 - 2); return `${k ? "L" : "M"}${(k / bins) * width} ${h} H${((k + 1) / bins) * width}`; }).join("");
    svg.append(drawn("path", { d: path, fill: "none", stroke: CHAIN_COLOURS[chain % CHAIN_COLOURS.length] }));
  });
  return svg;
}
