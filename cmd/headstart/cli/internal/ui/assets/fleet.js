// The fleet: one row for each Forecast, those that need attention first.
import {h, fill, number, duration, percent, when, accessNotes, stamp} from "./dom.js";

export const levels = ["fine", "note", "warn", "bad"];
const words = ["fine", "good to know", "warning", "broken"];
const most = 1000; // rows that are shown at once

// columns are what a row shows: a title, what to sort by, whether large values come first, and the
// cell.
const columns = [
  {key: "service", title: "Service", by: r => r.id, down: false, cell: nameCell},
  {key: "attention", title: "Needs attention", by: r => r.level, down: true, cell: attentionCell},
  {key: "observed", title: "Observed", by: r => r.observed && r.observed.value, down: true, cell: r => sample(r.observed)},
  {key: "served", title: "Served", by: r => r.served && r.served.value, down: true, cell: r => sample(r.served)},
  {key: "ahead", title: "Plan ahead", by: growth, down: true, cell: aheadCell},
  {key: "replicas", title: "Replicas", by: r => r.wanted === null ? r.ready : r.wanted, down: true, cell: replicasCell},
  {key: "lead", title: "Lead", by: r => r.lead, down: true, cell: leadCell},
  {key: "skill", title: "Skill", by: r => r.skill, down: false, cell: skillCell},
  {key: "peak", title: "Next peak", by: r => r.nextPeak && r.nextPeak.from, down: false, cell: peakCell},
];

function nameCell(r) {
  return h("th", {scope: "row"}, h("div", null,
    h("i", {class: "dot " + levels[r.level], title: words[r.level]}),
    h("a", {href: address(r)}, h("span", {class: "name"}, r.name), h("span", {class: "muted"}, r.namespace)),
    r.mode !== "Active" && h("span", {class: "tag"}, r.mode)));
}

// address is that of a service's page.
export const address = r => `#/service/${encodeURIComponent(r.namespace)}/${encodeURIComponent(r.name)}`;

function attentionCell(r) {
  const [first] = r.attention;
  if (!first) return h("td", {class: "words muted"}, "–");
  const more = r.attention.length > 1 ? ` and ${r.attention.length - 1} more` : "";
  return h("td", {class: "words", title: r.attention.map(i => `${i.what}: ${i.text}`).join("\n")},
    h("span", {class: "reason " + levels[first.level]}, first.what), " ",
    h("span", {class: "clip"}, first.text), more && h("span", {class: "muted"}, more));
}

const sample = s => h("td", {title: s && stamp(s.time)}, number(s && s.value));

// growth is how much the plan rises above its value now.
function growth(r) {
  const values = (r.ahead || []).filter(v => v !== null);
  return values.length && r.planned > 0 ? Math.max(...values) / r.planned : null;
}

function aheadCell(r) {
  const values = r.ahead || [], top = Math.max(...values.map(v => v || 0), 1e-12);
  if (!values.some(v => v !== null)) return h("td", {class: "ahead muted"}, "–");
  const width = 96, height = 24, x = i => i / (values.length - 1) * width, y = v => height - 2 - v / top * (height - 4);
  let line = "", began = null, area = "";
  values.forEach((v, i) => {
    if (v === null) { began = null; return; }
    line += `${began === null ? "M" : "L"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    if (began === null) began = i;
    if (i === values.length - 1 || values[i + 1] === null) {
      const part = line.slice(line.lastIndexOf("M"));
      area += `${part}L${x(i).toFixed(1)} ${height}L${x(began).toFixed(1)} ${height}Z`;
    }
  });
  const peak = Math.max(...values.filter(v => v !== null));
  return h("td", {class: "ahead", title: `up to ${number(peak)} until ${stamp(r.aheadEnd)}`},
    h("svg:svg", {width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `up to ${number(peak)}`},
      h("svg:path", {class: "area", d: area}), h("svg:path", {class: "line", d: line})));
}

// tooFew reports whether the condition says that the plan needs more than the most replicas.
export const tooFew = r => r.attention.some(i => i.condition === "WithinMaxReplicas");

function replicasCell(r) {
  if (r.wanted === null && r.ready === null) return h("td", {class: "muted"}, "–");
  const short = r.ready !== null && r.wanted !== null && r.ready < r.wanted;
  return h("td", {class: short ? "short" : tooFew(r) ? "full" : "", title: `${r.ready ?? "?"} ready, ${r.wanted ?? "?"} wanted` +
    (r.max === null ? "" : `, at most ${r.max}`)},
    h("b", null, r.ready ?? "?"), h("span", {class: "muted"}, ` of ${r.wanted ?? "?"}`));
}

// leadWords are for leads that are not learned.
const leadWords = {Configured: "set", Default: "assumed"};

function leadCell(r) {
  return h("td", {title: r.leadSource}, duration(r.lead),
    leadWords[r.leadSource] && h("span", {class: "muted"}, " " + leadWords[r.leadSource]));
}

function skillCell(r) {
  return h("td", {class: r.skill === null ? "muted" : r.skilled === false ? "weak" : ""}, percent(r.skill, 0));
}

function peakCell(r) {
  const p = r.nextPeak;
  if (!p) return h("td", {class: "muted peak"}, "–");
  const active = p.from <= Date.now() / 1000;
  return h("td", {class: "peak", title: `${p.schedule}/${p.window}, ${stamp(p.from)}`},
    active ? h("span", {class: "tag peak"}, "now") : when(p.from), h("span", {class: "muted"}, " " + p.window));
}

// seen is what a reader would notice if it changes.
const seen = r => JSON.stringify([r.mode, r.level, r.attention.map(i => i.what), r.ready, r.wanted, r.served && r.served.value]);

export class Fleet {
  constructor(place, follow) {
    this.rows = new Map(); // by id: the row's data and its element
    this.sort = {key: "attention", down: true};
    this.level = 0;
    this.build(place);
    document.title = "Headstart";
    follow("api/fleet", {fleet: change => this.update(change)});
  }

  build(place) {
    this.filter = h("input", {type: "search", placeholder: "Filter by name, namespace, reason…", "aria-label": "Filter",
      input: () => this.arrange(), title: "Press / to type here"});
    this.tiles = h("div", {class: "tiles counts"});
    this.access = h("div");
    this.count = h("span", {class: "muted", role: "status"});
    this.body = h("tbody");
    this.head = h("tr");
    this.note = h("p", {class: "muted"});
    fill(place, h("h1", {class: "hidden"}, "Fleet"), this.access, this.tiles,
      h("div", {class: "tools"}, this.filter, this.count),
      h("div", {class: "scroll fleet"}, h("table", null, h("thead", null, this.head), this.body)), this.note);
    this.drawHead();
  }

  drawHead() {
    fill(this.head, columns.map(c => {
      const here = this.sort.key === c.key;
      const title = c.by ? h("button", {type: "button", click: () => this.sortBy(c)}, c.title,
        h("span", {"aria-hidden": "true"}, here ? (this.sort.down ? " ↓" : " ↑") : "")) : c.title;
      return h("th", {scope: "col", class: c.key, "aria-sort": here ? (this.sort.down ? "descending" : "ascending") : null},
        title);
    }));
  }

  sortBy(c) {
    this.sort = {key: c.key, down: this.sort.key === c.key ? !this.sort.down : c.down};
    this.drawHead();
    this.arrange();
  }

  // update takes what has changed.
  update(change) {
    if (change.full) this.rows.clear();
    for (const id of change.gone) this.rows.delete(id);
    for (const r of change.rows) {
      const before = this.rows.get(r.id), fresh = before && seen(before.data) !== seen(r);
      const e = h("tr", {"data-id": r.id, class: fresh ? "fresh" : ""}, columns.map(c => {
        const cell = c.cell(r);
        cell.dataset.title = c.title; // a narrow page shows it beside the value
        return cell;
      }));
      e.addEventListener("click", event => { if (!event.target.closest("a")) location.hash = address(r); });
      const text = [r.id, r.mode, r.target, r.autoscaler, levels[r.level]].concat(r.attention.map(i => i.what + " " + i.text))
        .join(" ").toLowerCase();
      this.rows.set(r.id, {data: r, e, text});
    }
    this.loading = change.access.some(a => a.kind === "forecasts" && a.state === "loading");
    const notes = accessNotes(change.access), key = notes ? notes.textContent : "";
    if (key !== this.accessKey) {
      this.accessKey = key;
      fill(this.access, notes);
    }
    this.drawTiles();
    this.arrange();
  }

  drawTiles() {
    const count = [0, 0, 0, 0];
    let ready = 0, wanted = 0, starting = 0;
    for (const {data: r} of this.rows.values()) {
      count[r.level]++;
      ready += r.ready || 0;
      wanted += r.wanted || 0;
      starting += r.ready !== null && r.wanted > r.ready ? r.wanted - r.ready : 0;
    }
    const tile = (level, title, value, sub) => h("button", {type: "button", class: `tile ${levels[level] || ""}`,
      "aria-pressed": String(this.level === level), click: () => {
        this.level = this.level === level ? 0 : level;
        this.drawTiles();
        this.arrange();
      }}, h("span", {class: "what"}, title), h("span", {class: "value"}, value), h("span", {class: "muted"}, sub));
    fill(this.tiles,
      tile(3, "Broken", count[3], "not served as asked"), tile(2, "Warnings", count[2], "works less well"),
      h("div", {class: "tile"}, h("span", {class: "what"}, "Forecasts"), h("span", {class: "value"}, this.rows.size),
        h("span", {class: "muted"}, `${count[0] + count[1]} as they should be`)),
      h("div", {class: "tile"}, h("span", {class: "what"}, "Replicas ready"),
        h("span", {class: "value"}, number(ready), h("small", null, ` of ${number(wanted)}`)),
        h("span", {class: "muted"}, starting ? `${starting} starting` : "none starting")));
  }

  // arrange shows the rows that match the filter, in order.
  arrange() {
    const asked = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean), column = columns.find(c => c.key === this.sort.key);
    const sign = this.sort.down ? -1 : 1;
    const found = [...this.rows.values()].filter(r => (!this.level || r.data.level === this.level) &&
      asked.every(word => r.text.includes(word)));
    found.sort((a, b) => {
      const x = column.by(a.data), y = column.by(b.data);
      if (x !== y) { // what is not known comes last
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return sign * (x < y ? -1 : 1);
      }
      return a.data.id < b.data.id ? -1 : 1;
    });
    const shown = found.slice(0, most).map(r => r.e), old = [...this.body.children];
    if (shown.length !== old.length || shown.some((e, i) => e !== old[i])) {
      const focused = document.activeElement && document.activeElement.closest("tr[data-id]");
      this.body.replaceChildren(...shown);
      if (focused) this.focus(focused.dataset.id);
    }
    this.count.textContent = found.length === this.rows.size ? "" : `${found.length} of ${this.rows.size}`;
    const nothing = this.rows.size ? "No Forecast matches." :
      "There are no Forecasts that you may see. kubectl headstart report proposes one from a history of demand.";
    this.note.textContent = this.loading ? "Reading Forecasts…" : !found.length ? nothing :
      found.length > most ? `The first ${most} are shown. Filter to see others.` : "";
  }

  focus(id) {
    const e = this.body.querySelector(`tr[data-id="${CSS.escape(id)}"] a`);
    if (e) e.focus({preventScroll: true});
  }

  // key handles a key, and returns whether it did.
  key(e, typing) {
    if (e.key === "/" && !typing) {
      this.filter.focus();
      this.filter.select();
      return true;
    }
    if (e.key === "Escape" && (typing || this.filter.value)) {
      this.filter.value = "";
      this.filter.blur();
      this.arrange();
      return true;
    }
    const down = e.key === "ArrowDown" || (e.key === "j" && !typing), up = e.key === "ArrowUp" || (e.key === "k" && !typing);
    if (!down && !up || e.target.closest("select")) return false;
    const links = [...this.body.querySelectorAll("th a")], at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (down ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + (down ? 1 : -1)))];
    if (next) {
      next.focus();
      next.scrollIntoView({block: "nearest"});
    }
    return true;
  }
}
