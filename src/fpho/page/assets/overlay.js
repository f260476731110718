"use strict";
// Sources and patches over the image: only those in view, found by a grid of cells, and not too many of them.
const MOST_DRAWN = 3000;
const COLOURS = { fine: "#56b4e9", flagged: "#e69f00", chosen: "#d55e00", patch: "#cc79a7", marked: "#009e73" };

const BARS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600]; // arcsec

const overlay = {
  start() {
    this.canvas = element("canvas", undefined, { "aria-hidden": "true" });
    Object.assign(this.canvas.style, { position: "absolute", inset: "0", pointerEvents: "none" });
    field.viewer.canvas.append(this.canvas);
    this.index();
    this.shown = new Uint8Array(fpho.sources.id.length).fill(1);
    field.viewer.addHandler("update-viewport", () => this.draw());
    field.viewer.addHandler("resize", () => this.draw());
    for (const id of ["show-sources", "show-names", "show-patches"])
      document.getElementById(id).onchange = () => this.draw();
    fpho.listen("order", () => {
      this.shown.fill(0);
      for (const row of fpho.order) this.shown[row] = 1;
      this.draw();
    });
    for (const what of ["chosen", "marked"]) fpho.listen(what, () => this.draw());
  },

  index() { // rows by cell, in a cell the brightest first
    const { x, y } = fpho.sources, n = x.length, { width, height } = fpho.field;
    this.side = Math.max(8, Math.sqrt((width * height * 8) / Math.max(n, 1)));
    this.nx = Math.ceil(width / this.side) + 2;
    this.ny = Math.ceil(height / this.side) + 2;
    const cell = new Int32Array(n), count = new Int32Array(this.nx * this.ny + 1);
    for (let i = 0; i < n; i++) count[(cell[i] = this.cell(x[i], y[i])) + 1]++;
    for (let c = 0; c < this.nx * this.ny; c++) count[c + 1] += count[c];
    this.first = count.slice();
    this.rows = new Int32Array(n);
    const flux = fpho.sources[fpho.field.bands[0]] || x;
    const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => (flux[b] || 0) - (flux[a] || 0));
    const next = count;
    for (const i of order) this.rows[next[cell[i]]++] = i;
  },

  cell(x, y) { // those outside the image lie in the cells around it
    const column = Math.min(Math.max(Math.floor(x / this.side) + 1, 0), this.nx - 1) || 0;
    const row = Math.min(Math.max(Math.floor(y / this.side) + 1, 0), this.ny - 1) || 0;
    return row * this.nx + column;
  },

  within(x0, y0, x1, y1, most, then) { // rows in a box of pixels, at most so many, spread over its cells
    const a = this.cell(x0, y0), b = this.cell(x1, y1);
    const [c0, r0, c1, r1] = [a % this.nx, Math.floor(a / this.nx), b % this.nx, Math.floor(b / this.nx)];
    let total = 0;
    for (let r = r0; r <= r1; r++) total += this.first[r * this.nx + c1 + 1] - this.first[r * this.nx + c0];
    const each = total > most ? Math.max(1, Math.floor(most / ((c1 - c0 + 1) * (r1 - r0 + 1)))) : Infinity;
    let left = most;
    for (let r = r0; r <= r1; r++)
      for (let c = c0; c <= c1 && left > 0; c++) {
        const cell = r * this.nx + c;
        let mine = each;
        for (let k = this.first[cell]; k < this.first[cell + 1] && mine > 0 && left > 0; k++)
          if (this.shown[this.rows[k]]) { then(this.rows[k]); mine--; left--; }
      }
    return total;
  },

  axes(row) { // half-light ellipse: pixels along its major and minor axis, ((x, y), (x, y))
    const s = fpho.sources, { scale, pixel } = fpho.field;
    const a = s.rhalf_major[row];
    if (s.is_point[row] || !(a > 0)) return [[3, 0], [0, 3]];
    const angle = (s.position_angle[row] * Math.PI) / 180, b = Math.max(a * s.axis_ratio[row], 0.3 * pixel);
    const along = (east, north) => [scale[0][0] * east + scale[0][1] * north, scale[1][0] * east + scale[1][1] * north];
    return [along(a * Math.sin(angle), a * Math.cos(angle)), along(b * Math.cos(angle), -b * Math.sin(angle))];
  },

  draw() {
    const box = field.viewer.canvas, ratio = window.devicePixelRatio || 1;
    const width = box.clientWidth, height = box.clientHeight, canvas = this.canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const pen = canvas.getContext("2d"), frame = field.frame();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (document.getElementById("show-patches").checked) this.drawPatches(pen, frame, width, height);
    const names = document.getElementById("show-names").checked;
    this.drawn = 0;
    if (document.getElementById("show-sources").checked) {
      const { size, left, bottom } = frame, margin = 50 / size;
      this.within(-left / size - margin, (bottom - height) / size - margin, (width - left) / size + margin, bottom / size + margin,
        MOST_DRAWN, (row) => { if (row !== fpho.chosen) { this.drawSource(pen, frame, row, names); this.drawn++; } });
    }
    if (fpho.chosen >= 0) this.drawSource(pen, frame, fpho.chosen, true);
    this.drawCompass(pen, frame, width);
  },

  drawCompass(pen, { size }, width) { // north, east, and a bar of a round length, at the upper right
    const { scale, pixel } = fpho.field, x = width - 42, y = 52;
    const bar = BARS.filter((length) => (length / pixel) * size < 0.2 * width).pop() || BARS[0], side = (bar / pixel) * size;
    const strokes = [[x, 84, x - side, 84]], texts = [[bar < 60 ? `${bar}″` : `${bar / 60}′`, x - side / 2, 98]];
    for (const [name, k] of [["E", 0], ["N", 1]]) {
      const length = Math.hypot(scale[0][k], scale[1][k]), u = [scale[0][k] / length, -scale[1][k] / length];
      strokes.push([x, y, x + 24 * u[0], y + 24 * u[1]]);
      texts.push([name, x + 33 * u[0], y + 33 * u[1]]);
    }
    pen.font = "bold 12px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [colour, thick] of [["#fffd", 5], ["#222", 1.8]]) { // seen on whatever lies below
      Object.assign(pen, { strokeStyle: colour, lineWidth: thick });
      for (const [x0, y0, x1, y1] of strokes) { pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); }
      pen.lineWidth = 3;
      pen.fillStyle = "#222";
      for (const [text, ...place] of texts) { if (thick > 2) pen.strokeText(text, ...place); else pen.fillText(text, ...place); }
    }
    Object.assign(pen, { textAlign: "start", textBaseline: "alphabetic" });
  },

  drawSource(pen, { size, left, bottom }, row, named) {
    const s = fpho.sources, chosen = row === fpho.chosen, flagged = s.flags[row] !== 0;
    const x = left + s.x[row] * size, y = bottom - s.y[row] * size;
    const [u, v] = this.axes(row);
    pen.strokeStyle = chosen ? COLOURS.chosen : fpho.marked.has(row) ? COLOURS.marked : flagged ? COLOURS.flagged : COLOURS.fine;
    pen.lineWidth = chosen ? 2.5 : 1.3;
    pen.setLineDash(flagged ? [5, 3] : []); // told from others without colour, too
    const grow = Math.max(size, 3 / Math.max(Math.hypot(...u), 1e-6)); // never smaller than 3 pixels of the screen
    pen.save();
    pen.transform(u[0] * grow, -u[1] * grow, v[0] * grow, -v[1] * grow, x, y);
    pen.beginPath();
    pen.arc(0, 0, 1, 0, 2 * Math.PI);
    pen.restore();
    pen.stroke();
    pen.setLineDash([]);
    if (!named) return;
    pen.font = "bold 12px system-ui, sans-serif";
    pen.lineWidth = 3;
    const at = [x + grow * Math.max(Math.abs(u[0]), Math.abs(v[0])) + 3, y - 3], text = String(s.source_index[row]);
    pen.fillStyle = pen.strokeStyle;
    pen.strokeStyle = "#fffc";
    pen.strokeText(text, ...at);
    pen.fillText(text, ...at);
  },

  drawPatches(pen, { size, left, bottom }, width, height) {
    const { x, y, radius } = fpho.field.patches;
    pen.strokeStyle = COLOURS.patch;
    pen.lineWidth = 1;
    let count = 0;
    for (let i = 0; i < x.length && count < MOST_DRAWN; i++) {
      const [cx, cy, r] = [left + x[i] * size, bottom - y[i] * size, radius[i] * size];
      if (cx + r < 0 || cy + r < 0 || cx - r > width || cy - r > height) continue;
      pen.beginPath();
      pen.arc(cx, cy, r, 0, 2 * Math.PI);
      pen.stroke();
      count++;
    }
  },

  nearest(px, py) { // row of the source at a place of the screen; -1 where there is none
    const { size, left, bottom } = field.frame(), x = (px - left) / size, y = (bottom - py) / size;
    const reach = Math.max(12 / size, 40);
    let best = -1, least = 1;
    this.within(x - reach, y - reach, x + reach, y + reach, Infinity, (row) => {
      const dx = fpho.sources.x[row] - x, dy = fpho.sources.y[row] - y;
      const radius = Math.max(12 / size, Math.hypot(...this.axes(row)[0]));
      const distance = Math.hypot(dx, dy) / radius;
      if (distance < least) { least = distance; best = row; }
    });
    return best;
  },
};
