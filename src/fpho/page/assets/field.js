"use strict";
// The image: layers of tiles that are panned and zoomed, and the sky behind the pointer.
const field = {
  layer: null,
  items: new Map(), // key of a layer to its image

  start() {
    this.viewer = OpenSeadragon({
      element: document.getElementById("field"),
      drawer: "canvas", // the only one that can show files of a disk
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "BOTTOM_RIGHT",
      navigatorSizeRatio: 0.14,
      imageSmoothingEnabled: false,
      maxZoomPixelRatio: 24,
      minZoomImageRatio: 0.7,
      visibilityRatio: 0.5,
      animationTime: 0.35,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    });
    this.viewer.innerTracker.keyHandler = this.viewer.innerTracker.keyDownHandler = null; // the page has its own
    const first = fpho.field.layers[0];
    const bands = [...new Set(fpho.field.layers.map((layer) => layer.band))];
    this.choice("bands", bands.map((band) => [band, band === null ? "colour" : band]), (band) => this.show(band, this.layer.kind));
    this.choice("kinds", ["data", "model", "residual"].map((kind) => [kind, kind]), (kind) => this.show(this.layer.band, kind));
    if (first) this.show(first.band, first.kind);
    this.viewer.addHandler("canvas-click", (event) => { if (event.quick) this.click(event.position); });
    document.getElementById("field").addEventListener("pointermove", (event) => this.tellPlace(event));
  },

  choice(id, entries, then) {
    const box = document.getElementById(id);
    for (const [value, label] of entries) {
      const button = element("button", label, { type: "button" });
      button.fphoValue = value;
      button.onclick = () => then(value);
      box.append(button);
    }
  },

  show(band, kind) {
    const next = fpho.field.layers.find((layer) => layer.band === band && layer.kind === kind);
    const before = this.layer;
    this.layer = next;
    if (!this.items.has(next.key)) this.add(next);
    else this.bringUp(next, before);
    for (const [id, value] of [["bands", band], ["kinds", kind]])
      for (const button of document.getElementById(id).children)
        button.setAttribute("aria-pressed", String(button.fphoValue === value));
    document.getElementById("legend").textContent = this.legend(next);
    fpho.tell("layer");
  },

  legend({ band, kind, noise, top }) {
    if (kind === "residual") return band === null ? "residual: black −5 σ, grey 0, white +5 σ" : "residual: blue −5 σ, white 0, red +5 σ";
    if (band === null) { const b = fpho.field.bands; return `red, green, blue: ${b[b.length - 1]}, ${b.length > 2 ? b[b.length >> 1] : "their mean"}, ${b[0]}`; }
    return `white −3 σ to black ${top.toPrecision(2)} σ (asinh), σ = ${noise.toPrecision(2)} nJy per pixel`;
  },

  tileSource({ key, form }) {
    const { width, height, tile, levels } = fpho.field;
    return {
      width, height, tileSize: tile, tileOverlap: 0, minLevel: levels[0], maxLevel: levels[1],
      getTileUrl: (level, x, y) => `tiles/${key}/${level}/${x}_${y}.${form}`,
    };
  },

  add(layer) {
    this.items.set(layer.key, null);
    this.viewer.addTiledImage({
      tileSource: this.tileSource(layer),
      opacity: this.layer === layer ? 1 : 0,
      success: ({ item }) => { this.items.set(layer.key, item); this.bringUp(this.layer); },
    });
  },

  bringUp(layer) { // the layer of before stays below until this one is there: no flash when blinking
    const item = this.items.get(layer.key);
    if (!item) return;
    this.viewer.world.setItemIndex(item, this.viewer.world.getItemCount() - 1);
    item.setOpacity(1);
    const hide = () => {
      if (this.layer !== layer) return;
      for (const other of this.items.values()) if (other && other !== item) other.setOpacity(0);
    };
    if (item.getFullyLoaded()) hide();
    else item.addOnceHandler("fully-loaded-change", hide);
  },

  next(step) { // another band
    const bands = [...new Set(fpho.field.layers.map((layer) => layer.band))];
    const place = (bands.indexOf(this.layer.band) + step + bands.length) % bands.length;
    this.show(bands[place], this.layer.kind);
  },

  // Pixels are counted from the centre of the lower left one; screens from the top.
  frame() { // of the screen: image pixel (x, y) lies at (left + x size, bottom - y size)
    const viewport = this.viewer.viewport;
    const corner = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
    const side = viewport.pixelFromPoint(new OpenSeadragon.Point(1, 0), true).x - corner.x;
    const size = side / fpho.field.width;
    return { size, left: corner.x + 0.5 * size, bottom: corner.y + (fpho.field.height - 0.5) * size };
  },

  centre(row, closer = false) {
    const { width, height } = fpho.field, { x, y } = fpho.sources, viewport = this.viewer.viewport;
    if (!Number.isFinite(x[row])) return;
    const point = new OpenSeadragon.Point((x[row] + 0.5) / width, (height - y[row] - 0.5) / width);
    if (closer && viewport.getZoom() < 3) viewport.zoomTo(Math.max(viewport.getHomeZoom(), Math.min(8, width / 200)));
    viewport.panTo(point);
  },

  click(position) {
    const row = overlay.nearest(position.x, position.y);
    if (row >= 0) fpho.choose(row);
  },

  tellPlace(event) {
    const box = document.getElementById("field").getBoundingClientRect();
    const { size, left, bottom } = this.frame();
    const x = (event.clientX - box.left - left) / size, y = (bottom - (event.clientY - box.top)) / size;
    const [ra, dec] = skyOf(x, y);
    document.getElementById("place").textContent = `RA ${ra.toFixed(6)}  Dec ${dec.toFixed(6)}  (${x.toFixed(0)}, ${y.toFixed(0)})`;
  },
};

function skyOf(x, y) { // inverse of the tangential projection of the page's grid, degrees
  const { width, height, centre, perPixel } = fpho.field, radian = Math.PI / 180;
  const dx = x - (width - 1) / 2, dy = y - (height - 1) / 2;
  const east = (perPixel[0][0] * dx + perPixel[0][1] * dy) / 3600 * radian;
  const north = (perPixel[1][0] * dx + perPixel[1][1] * dy) / 3600 * radian;
  const d0 = centre[1] * radian, below = Math.cos(d0) - north * Math.sin(d0);
  const ra = centre[0] + Math.atan2(east, below) / radian;
  const dec = Math.atan2(Math.sin(d0) + north * Math.cos(d0), Math.hypot(east, below)) / radian;
  return [(ra + 360) % 360, dec];
}
