"use strict";
// Starts the parts, and brings keys and buttons to them.
const press = (id) => { const box = document.getElementById(id); box.checked = !box.checked; overlay.draw(); };
const KEYS = {
  ArrowDown: () => table.step(1), n: () => table.step(1), ArrowUp: () => table.step(-1), p: () => table.step(-1),
  d: () => field.show(field.layer.band, "data"), m: () => field.show(field.layer.band, "model"), r: () => field.show(field.layer.band, "residual"),
  b: () => field.next(1), B: () => field.next(-1),
  "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: () => field.viewer.viewport.goHome(),
  s: () => press("show-sources"), "#": () => press("show-names"), o: () => press("show-patches"),
  x: () => fpho.mark(fpho.chosen), c: () => { if (fpho.chosen >= 0) copyPosition(fpho.chosen); },
  "?": () => toggleHelp(),
};

function zoom(by) { field.viewer.viewport.zoomBy(by); }

function toggleHelp() {
  const help = document.getElementById("help");
  if (help.open) help.close(); else help.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input[type=text], input:not([type]), input[type=search], select, textarea, dialog[open]")) return;
  const then = KEYS[event.key];
  if (then) { event.preventDefault(); then(); }
});

function download(name, text) {
  const link = element("a", undefined, { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function fromAddress() { // page/index.html#source=12 opens with that source
  const wanted = location.hash.match(/^#source=(\d+)$/);
  if (!wanted) return;
  const row = fpho.sources.source_index.indexOf(Number(wanted[1]));
  fpho.choose(row);
}

async function start() {
  document.title = `fpho: ${fpho.field.title}`;
  document.getElementById("title").textContent = fpho.field.title;
  document.getElementById("export").onclick = () => download(`${fpho.field.title}.csv`, table.csv());
  document.getElementById("help-button").onclick = toggleHelp;
  field.start();
  overlay.start();
  table.start();
  sheet.start();
  fpho.listen("chosen", () => field.centre(fpho.chosen, true));
  addEventListener("hashchange", fromAddress);
  await table.ready;
  fromAddress();
  fpho.ready = performance.now(); // ms since the page was asked for
}

if (fpho.field && fpho.sources) start();
else document.body.prepend("The data of this page are missing: make it again with `fpho view`.");
