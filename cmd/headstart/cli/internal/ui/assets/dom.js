// Small helpers: elements, and numbers, durations and times as people write them.

// h makes an element. Attributes that are functions are listeners; false and null ones are left out.
export function h(tag, attributes, ...children) {
  const e = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") e.addEventListener(name, value);
    else e.setAttribute(name, value === true ? "" : value);
  }
  append(e, children);
  return e;
}

function append(e, children) {
  for (const c of children.flat(3)) {
    if (c !== null && c !== undefined && c !== false) e.append(c);
  }
}

// fill replaces what is in an element.
export function fill(e, ...children) {
  e.replaceChildren();
  append(e, children);
  return e;
}

const formats = new Map();

// number writes a number with four digits.
export function number(v) {
  if (v === null || v === undefined) return "–";
  const size = Math.abs(v), digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
  if (size >= 1e7) return v.toLocaleString("en-US", {notation: "compact", maximumSignificantDigits: 4});
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat("en-US", {maximumFractionDigits: digits}));
  return formats.get(digits).format(v);
}

// percent writes a share.
export function percent(v, digits = 2) {
  if (v === null || v === undefined) return "–";
  return (100 * v).toLocaleString("en-US", {maximumFractionDigits: digits}) + " %";
}

// duration writes seconds: 45s, 2m30s, 1h5m, 2d3h.
export function duration(s) {
  if (s === null || s === undefined) return "–";
  s = Math.round(s);
  const part = (n, unit) => n ? n + unit : "";
  if (s < 60) return s + "s";
  if (s < 3600) return part(Math.floor(s / 60), "m") + part(s % 60, "s");
  if (s < 86400) return part(Math.floor(s / 3600), "h") + part(Math.floor(s % 3600 / 60), "m");
  return part(Math.floor(s / 86400), "d") + part(Math.floor(s % 86400 / 3600), "h");
}

// coarse writes seconds as people say them.
function coarse(s) {
  if (s < 60) return Math.round(s) + "s";
  if (s < 3600) return Math.round(s / 60) + "m";
  return s < 172800 ? duration(60 * Math.round(s / 60)) : Math.round(s / 86400) + "d";
}

export const now = () => Date.now() / 1000;

// relative writes a time as its distance from now.
export function relative(t) {
  const d = t - now();
  if (Math.abs(d) < 2) return "now";
  return d < 0 ? coarse(-d) + " ago" : "in " + coarse(d);
}

// when is an element that says how far a time is from now. It stays right.
export function when(t, zone) {
  return h("time", {"data-at": t, datetime: new Date(t * 1000).toISOString(), title: stamp(t, zone)}, relative(t));
}

setInterval(() => {
  for (const e of document.querySelectorAll("time[data-at]")) {
    const text = relative(Number(e.dataset.at));
    if (e.textContent !== text) e.textContent = text;
  }
}, 5000);

const clocks = new Map();

// parts returns the parts of a time on the wall clock of a zone.
export function parts(t, zone) {
  if (!clocks.has(zone)) {
    clocks.set(zone, new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, weekday: "short", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
      minute: "2-digit", hourCycle: "h23",
    }));
  }
  const out = {};
  for (const {type, value} of clocks.get(zone).formatToParts(new Date(t * 1000))) out[type] = value;
  return out;
}

// stamp writes a time as the wall clock of a zone shows it.
export function stamp(t, zone = localZone()) {
  const p = parts(t, zone);
  return `${p.weekday} ${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute} ${zone}`;
}

export const clock = (t, zone) => { const p = parts(t, zone); return `${p.hour}:${p.minute}`; };
export const day = (t, zone) => { const p = parts(t, zone); return `${p.weekday} ${p.month}-${p.day}`; };
export const localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// copyButton copies the text of an element.
export function copyButton(pre) {
  const button = h("button", {type: "button", class: "copy", click: async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(pre);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }}, "Copy");
  return button;
}

// accessNotes says what the user does not see, and why. Kinds that are missing for the same reason
// are named together.
export function accessNotes(access) {
  const groups = new Map();
  for (const a of access) {
    if (a.state !== "denied" && a.state !== "failed") continue;
    const key = JSON.stringify(a.around || a.message);
    groups.set(key, (groups.get(key) || []).concat(a));
  }
  if (!groups.size) return null;
  const lines = [...groups.values()].map(([first, ...more]) => {
    const kinds = [first].concat(more).map(a => a.kind).join(", ");
    return first.around ? first.around.join(kinds) : `${kinds}: ${first.message}`;
  });
  const shown = access.filter(a => a.kind === "forecasts" && a.state === "live" && a.namespace).map(a => a.namespace);
  const everywhere = access.some(a => a.kind === "forecasts" && a.state === "live" && !a.namespace);
  return h("details", {class: "access", open: true}, h("summary", null, "Not all is shown"),
    h("ul", null, lines.map(l => h("li", null, l[0].toUpperCase() + l.slice(1) + ".")),
      !everywhere && shown.length > 0 && h("li", null, `Shown: namespace ${shown.join(", ")}.`)));
}
