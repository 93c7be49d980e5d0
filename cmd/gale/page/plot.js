// The round trips: their figures, and their course on a canvas.

const shown = 30_000; // ms, from the left to the right of the plot
const kept = 120_000; // ms, of what the figures tell
const tops = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]; // ms, of the plot's scale
const room = { left: 54, right: 6, top: 10, bottom: 6 }; // px

export const milliseconds = (ms) => (ms < 9.95 ? ms.toFixed(1) : Math.round(ms)) + " ms";

export class RoundTrips {
  #samples = []; // {at, ms, work}, as they came

  add(at, ms, work) {
    this.#samples.push({ at, ms, work });
    const first = this.#samples.findIndex((s) => s.at > at - kept);
    if (first > 0) this.#samples.splice(0, first);
  }

  // The figures of those at work or at rest; null if there are none.
  figures(work) {
    const all = this.#samples.filter((s) => s.work === work).map((s) => s.ms).sort((a, b) => a - b);
    if (all.length === 0) return null;
    const quantile = (q) => all[Math.min(all.length - 1, Math.ceil(q * all.length) - 1)];
    return { p50: quantile(0.5), p99: quantile(0.99), max: all.at(-1), n: all.length };
  }

  draw(canvas, now) {
    const { width, height } = canvas.getBoundingClientRect();
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    // Colours come from properties that a canvas does not use, so that the style
    // sheet decides.
    const style = getComputedStyle(canvas);
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    const visible = this.#samples.filter((s) => s.at > now - shown);
    const highest = visible.reduce((most, s) => Math.max(most, s.ms), 0);
    const top = tops.find((t) => t >= highest * 1.15) ?? Math.ceil(highest);
    const bottom = height - room.bottom;
    const x = (at) => width - room.right - ((now - at) / shown) * (width - room.left - room.right);
    const y = (ms) => bottom - (ms / top) * (bottom - room.top);

    c.fillStyle = style.outlineColor;
    for (let i = 0; i < visible.length; i++) {
      if (!visible[i].work) continue;
      let end = i;
      while (visible[end + 1]?.work) end++;
      c.fillRect(x(visible[i].at) - 1, room.top, x(visible[end].at) - x(visible[i].at) + 2, bottom - room.top);
      i = end;
    }

    c.font = `11px ${style.fontFamily}`;
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
      c.strokeStyle = style.borderTopColor;
      c.beginPath();
      c.moveTo(room.left, Math.round(y(top * part)) + 0.5);
      c.lineTo(width - room.right, Math.round(y(top * part)) + 0.5);
      c.stroke();
      c.fillStyle = style.textDecorationColor;
      c.fillText(`${top * part} ms`, room.left - 8, y(top * part));
    }

    c.strokeStyle = style.color;
    c.lineWidth = 1.5;
    c.lineJoin = "round";
    c.beginPath();
    let before = null;
    for (const s of visible) {
      if (before && s.at - before.at < 1500) c.lineTo(x(s.at), y(s.ms)); // else the connection was lost
      else c.moveTo(x(s.at), y(s.ms));
      before = s;
    }
    c.stroke();
  }
}
