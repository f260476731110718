"use strict";
// The table of sources: filtered in its heads, sorted by them, and in step with the image.
const table = {
  start() {
    const { bands } = fpho.field;
    const columns = [
      { field: "mark", title: "✓", headerTooltip: "marked (x)", width: 56, hozAlign: "center", headerSort: true,
        formatter: (cell) => (fpho.marked.has(cell.getRow().getData().row) ? "✓" : ""),
        sorter: (a, b, one, other) => fpho.marked.has(one.getData().row) - fpho.marked.has(other.getData().row) },
      this.number("source_index", "source", 0),
      { field: "id", title: "id", formatter: "plaintext", headerFilter: "input", headerFilterFunc: hasText, width: 110 },
      { field: "flags", title: "flags", formatter: "plaintext", headerFilter: "input", headerFilterFunc: hasText, width: 150 },
      ...bands.flatMap((band) => [
        this.number(`mag ${band}`, band, 2, "AB magnitude"),
        this.number(`snr ${band}`, "S/N", 1, `flux in ${band} over its uncertainty`),
      ]),
      this.number("rhalf_major", "size", 3, "half-light radius along the major axis, arcsec"),
      this.number("sersic", "n", 2, "Sersic index"),
      this.number("axis_ratio", "b/a", 2, "axis ratio"),
      this.number("position_angle", "PA", 0, "position angle, degrees east of north"),
      this.number("chi2", "chi²", 2, "mean squared residual near the source"),
      this.number("rhat", "R-hat", 3, "largest of its parameters"),
      this.number("ess", "ESS", 0, "smallest effective sample size of its parameters"),
      this.number("ra", "RA", 6, "degrees"),
      this.number("dec", "Dec", 6, "degrees"),
      this.number("patch", "patch", 0),
    ];
    this.ready = new Promise((resolve) => { this.built = resolve; });
    this.grid = new Tabulator("#table", {
      data: this.rows(), columns, index: "row", height: "100%", layout: "fitData", headerSortTristate: true,
      nestedFieldSeparator: false, reactiveData: false, columnDefaults: { headerHozAlign: "left", resizable: true },
      placeholder: "no source fits the filters", keybindings: false,
      rowFormatter: (row) => row.getElement().classList.toggle("chosen", row.getData().row === fpho.chosen),
    });
    this.grid.on("tableBuilt", () => { this.takeOrder(); this.built(); });
    this.grid.on("rowClick", (_, row) => fpho.choose(row.getData().row));
    this.grid.on("dataFiltered", (_, rows) => this.later(rows));
    this.grid.on("dataSorted", (_, rows) => this.later(rows));
    document.getElementById("which").onchange = () => this.filter();
    fpho.listen("chosen", () => this.follow());
    fpho.listen("marked", () => this.filter());
  },

  number(name, title, digits, text) {
    return {
      field: name, title, headerTooltip: text || title, hozAlign: "right", sorter: "number",
      sorterParams: { alignEmptyValues: "bottom" }, headerFilter: "input", headerFilterFunc: fits, headerFilterLiveFilter: true,
      formatter: (cell) => { const value = cell.getValue(); return value === null ? "–" : value.toFixed(digits); },
    };
  },

  rows() { // what a row shows is computed when it is asked for: a hundred thousand whole ones take seconds
    const s = fpho.sources, words = new Map(), known = (value) => (Number.isFinite(value) ? value : null);
    const shown = {
      id: (row) => s.id[row],
      flags: (row) => {
        const value = s.flags[row];
        if (!words.has(value)) words.set(value, fpho.flagsOf(row).map((flag) => flag.words).join(", "));
        return words.get(value);
      },
    };
    for (const name of ["source_index", "patch", "rhalf_major", "sersic", "axis_ratio", "position_angle", "chi2", "rhat", "ess", "ra", "dec"])
      shown[name] = (row) => known(s[name][row]);
    for (const band of fpho.field.bands) {
      shown[`mag ${band}`] = (row) => known(magnitude(s[band][row]));
      shown[`snr ${band}`] = (row) => known(s[band][row] / s[`${band}_err`][row]);
    }
    class Line { constructor(row) { this.row = row; } }
    for (const [name, value] of Object.entries(shown))
      Object.defineProperty(Line.prototype, name, { get() { return value(this.row); }, set() {}, enumerable: true }); // the table puts back what it read
    return s.id.map((_, row) => new Line(row));
  },

  later(rows) { // filtering and sorting come together: the order is taken once, after both
    this.latest = rows;
    if (this.timer) return;
    this.timer = setTimeout(() => { this.timer = 0; this.takeOrder(this.latest); }, 0);
  },

  takeOrder(rows = this.grid.getRows("active")) {
    fpho.order = Int32Array.from(rows, (row) => row.getData().row);
    fpho.tell("order");
  },

  filter() {
    const which = document.getElementById("which").value, doubts = fpho.field.flags.filter((flag) => !flag.remark);
    const mask = doubts.reduce((sum, flag) => sum | flag.bit, 0), { flags } = fpho.sources;
    const tests = {
      all: null,
      doubted: ({ row }) => (flags[row] & mask) !== 0,
      flagged: ({ row }) => flags[row] !== 0,
      fine: ({ row }) => flags[row] === 0,
      marked: ({ row }) => fpho.marked.has(row),
    };
    if (tests[which]) this.grid.setFilter(tests[which]);
    else this.grid.clearFilter();
  },

  async follow() {
    const row = this.grid.getRow(fpho.chosen);
    for (const line of document.querySelectorAll(".tabulator-row.chosen")) line.classList.remove("chosen");
    if (!row || !overlay.shown[fpho.chosen]) return;
    try { await this.grid.scrollToRow(fpho.chosen, "nearest", false); } catch { /* it is filtered out meanwhile */ }
    row.getElement().classList.add("chosen");
  },

  step(by) { // the next source of the table, or the previous
    const place = fpho.order.indexOf(fpho.chosen);
    const next = place < 0 ? (by > 0 ? 0 : fpho.order.length - 1) : place + by;
    if (next >= 0 && next < fpho.order.length) fpho.choose(fpho.order[next]);
  },

  csv() { // every column that the page has, of the marked sources, or else of those that the table shows
    const rows = fpho.marked.size ? [...fpho.marked].sort((a, b) => a - b) : [...fpho.order];
    const names = Object.keys(fpho.sources).filter((name) => name !== "x" && name !== "y");
    const wide = new Set(names.filter((name) => fpho.sources[name] instanceof Float32Array));
    const cell = (name, row) => {
      const value = fpho.sources[name][row];
      if (typeof value === "string") return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
      return Number.isNaN(value) ? "" : wide.has(name) ? String(Number(value.toPrecision(7))) : String(value);
    };
    return [names.join(","), ...rows.map((row) => names.map((name) => cell(name, row)).join(","))].join("\n") + "\n";
  },
};

function hasText(wanted, value) { return String(value).toLowerCase().includes(String(wanted).toLowerCase()); }

function fits(wanted, value) { // "<24", ">= 5", "3..7", "=2", or the beginning of the number as it stands
  const text = String(wanted).trim();
  const range = text.match(/^(-?[\d.eE+-]+?)\s*\.\.\s*(-?[\d.eE+-]+)$/), bound = text.match(/^(<=?|>=?|=)\s*(-?[\d.eE+-]*)$/);
  if (bound && bound[2] === "") return true; // still being written
  if (value === null) return text === "";
  if (range) return value >= Number(range[1]) && value <= Number(range[2]);
  if (!bound) return String(value).startsWith(text);
  const limit = Number(bound[2]);
  return { "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit, "=": value === limit }[bound[1]];
}
