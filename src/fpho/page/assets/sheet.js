"use strict";
// The sheet of the chosen source: cut-outs of the tiles, values, flags in words, spectrum, draws.
const tiles = new Map(); // path to a promise of its image
const MOST_TILES = 300;

function tile(path) {
  if (!tiles.has(path)) {
    if (tiles.size > MOST_TILES) tiles.delete(tiles.keys().next().value);
    tiles.set(path, new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => resolve(null);
      image.src = path;
    }));
  }
  return tiles.get(path);
}

const sheet = {
  start() {
    this.box = document.getElementById("sheet");
    this.box.append(element("p", "Click on a source in the image or in the table.", { class: "note" }));
    fpho.listen("chosen", () => this.show(fpho.chosen));
    fpho.listen("marked", () => { if (this.markButton) this.tellMark(); });
  },

  show(row) {
    const box = this.box, s = fpho.sources;
    box.replaceChildren();
    box.scrollTop = 0;
    box.append(element("h2", `source ${fpho.name(row)}`));
    const position = element("p");
    position.append(`${s.ra[row].toFixed(7)}  ${s.dec[row].toFixed(7)} `, this.button("copy", () => copyPosition(row)), " ");
    position.append(this.markButton = this.button("", () => fpho.mark(row)));
    this.tellMark();
    box.append(position);
    for (const { words, text, remark } of fpho.flagsOf(row)) box.append(element("div", `${words}: ${text}`, { class: remark ? "flag remark" : "flag" }));
    if (!s.flags[row]) box.append(element("div", "no flag", { class: "note" }));
    box.append(this.stamps(row), element("h3", "values"), this.values(row), element("h3", "fluxes"), spectrum(row));
    if (fpho.field.apertures.length) box.append(element("h3", "fluxes within circles (nJy)"), this.circles(row));
    if (fpho.field.sheets.includes(s.source_index[row]))
      box.append(element("a", "sheet for print", { href: `sheets/source${s.source_index[row]}.pdf`, target: "_blank" }));
    const room = element("section");
    box.append(room);
    this.draws(row, room);
  },

  button(label, then) {
    const made = element("button", label, { type: "button" });
    made.onclick = then;
    return made;
  },

  tellMark() { this.markButton.textContent = fpho.marked.has(fpho.chosen) ? "unmark" : "mark"; },

  stamps(row) {
    const grid = element("div", undefined, { class: "stamps" });
    const half = this.halfWidth(row), bands = [...new Set(fpho.field.layers.map((layer) => layer.band))];
    grid.append(element("span", `${(2 * half * fpho.field.pixel).toFixed(1)}″ wide`), ...["data", "model", "residual"].map((kind) => element("span", kind)));
    for (const band of bands) {
      grid.append(element("span", band === null ? "colour" : band));
      for (const layer of fpho.field.layers.filter((one) => one.band === band)) grid.append(this.stamp(layer, row, half));
    }
    return grid;
  },

  halfWidth(row) { // pixels around the source: some half-light radii, never only a PSF, nor more than the field
    const radius = fpho.sources.is_point[row] ? 0 : fpho.sources.rhalf_major[row] || 0;
    const wanted = Math.round(Math.min(Math.max(4 * radius, 0.9) / fpho.field.pixel, 150)) + 8;
    return Math.min(wanted, Math.ceil(Math.max(fpho.field.width, fpho.field.height) / 2));
  },

  stamp(layer, row, half) {
    const { tile: side, height, width, levels } = fpho.field, size = 2 * half + 1;
    const canvas = element("canvas", undefined, { role: "img", "aria-label": `${layer.band || "colour"} ${layer.kind}` });
    Object.assign(canvas, { width: size, height: size });
    const pen = canvas.getContext("2d");
    const x0 = Math.round(fpho.sources.x[row]) - half, y0 = height - 1 - Math.round(fpho.sources.y[row]) - half; // from the top
    const last = [Math.ceil(width / side) - 1, Math.ceil(height / side) - 1];
    for (let c = Math.max(0, Math.floor(x0 / side)); c <= Math.min(last[0], Math.floor((x0 + size - 1) / side)); c++)
      for (let r = Math.max(0, Math.floor(y0 / side)); r <= Math.min(last[1], Math.floor((y0 + size - 1) / side)); r++)
        tile(`tiles/${layer.key}/${levels[1]}/${c}_${r}.${layer.form}`).then((image) => { if (image) pen.drawImage(image, c * side - x0, r * side - y0); });
    return canvas;
  },

  values(row) {
    const made = element("table"), s = fpho.sources;
    const line = (name, ...cells) => {
      const [value, title = "", more = ""] = cells, tr = element("tr", undefined, { title });
      tr.append(element("th", name), element("td", value), element("td", more));
      made.append(tr);
    };
    for (const { name, label, unit, text } of fpho.field.quantities) {
      if (name === "ra" || name === "dec") { line(`${label} (uncertainty)`, `${(1000 * s[`${name}_err`][row]).toFixed(2)} mas`, text); continue; }
      const flux = fpho.field.bands.includes(name), value = s[name][row], mag = flux ? magnitude(value) : NaN;
      line(unit ? `${label} (${unit})` : label, withError(value, s[`${name}_err`][row]), text, Number.isFinite(mag) ? `${mag.toFixed(2)} AB` : "");
    }
    const number = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
    line("chi² per pixel", number(s.chi2[row], 2), "mean squared residual in sigma² near the source");
    line("R-hat, effective samples", `${number(s.rhat[row], 3)}, ${number(s.ess[row], 0)}`, "largest and smallest of its parameters");
    line("patch", String(s.patch[row]));
    return made;
  },

  circles(row) { // a row for each band, a column for each radius
    const made = element("table", undefined, { class: "circles" }), { apertures } = fpho.field;
    const head = element("tr"), radii = [...new Set(apertures.map(({ circle }) => circle))];
    head.append(element("th", "radius"), ...radii.map((circle) => element("th", circle)));
    made.append(head);
    for (const band of fpho.field.bands) {
      const tr = element("tr");
      tr.append(element("th", band));
      for (const circle of radii) {
        const one = apertures.find((other) => other.band === band && other.circle === circle);
        tr.append(element("td", one ? withError(fpho.sources[one.name][row], fpho.sources[`${one.name}_err`][row]) : "–"));
      }
      made.append(tr);
    }
    return made;
  },

  async draws(row, room) {
    const { perFolder, sources } = fpho.field.draws;
    if (!sources || !fpho.sources.n_draws[row]) return;
    const draws = await fpho.load(`draws ${row}`, `draws/${Math.floor(row / perFolder)}/${row}.js`);
    if (!draws || fpho.chosen !== row) return;
    const shown = parameters(draws, row);
    room.append(element("h3", "draws"), pairs(shown));
    room.append(element("p", `${shown[0].values.length} of ${fpho.sources.n_draws[row]} draws; from the top: ${shown.map(({ label }) => label).join(", ")}`, { class: "note" }));
    const list = element("table");
    for (const { label, values } of shown) {
      const tr = element("tr"), cell = element("td");
      cell.append(ranks(values, draws.chains));
      tr.append(element("th", label), cell);
      list.append(tr);
    }
    room.append(element("h3", "ranks by chain: even where chains agree"), list);
  },
};

async function copyPosition(row) { // degrees, as programs read them
  const { ra, dec } = fpho.sources, text = `${ra[row].toFixed(7)} ${dec[row].toFixed(7)}`;
  try { await navigator.clipboard.writeText(text); } catch { // where the clipboard is not given to pages
    const box = element("textarea", text);
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}
