// The charts of a service: demand with its forecast and plan, and the replicas that these ask for.
// Times are in seconds since 1970.
import {h, fill, color, number, stamp, now} from "./dom.js";

const DAY = 86400;

// tickFormats is for uPlot: the shortest distance of ticks, their format, and what is added where a
// new year or a new day begins.
export const tickFormats = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [DAY, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
];

const font = "12px system-ui, sans-serif";

export function axis(extra) {
  const line = {stroke: color("grid"), width: 1};
  return Object.assign({stroke: color("muted"), grid: line, ticks: line, font}, extra);
}

// drawMarks draws what is behind the lines: the past, named days, peaks and the present.
function drawMarks(u, marks) {
  const c = u.ctx, x = u.scales.x, {top, height} = u.bbox;
  const band = (from, to, fillStyle) => {
    if (to <= x.min || from >= x.max) return;
    const left = u.valToPos(Math.max(from, x.min), "x", true), right = u.valToPos(Math.min(to, x.max), "x", true);
    c.fillStyle = fillStyle;
    c.fillRect(left, top, Math.max(1, right - left), height);
  };
  c.save();
  band(x.min, now(), color("c-past"));
  for (const m of marks) band(m.from, m.to, color("c-" + m.kind));
  const at = now();
  if (at > x.min && at < x.max) {
    const left = Math.round(u.valToPos(at, "x", true));
    c.strokeStyle = color("muted");
    c.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    c.beginPath();
    c.moveTo(left, top);
    c.lineTo(left, top + height);
    c.stroke();
  }
  c.restore();
}

// steps repeats the last value at the end, so that a stepped line ends where its last step does.
function closed(times, values, end) {
  if (!times.length || !end) return [times, values];
  return [times.concat(end), values.concat(values[values.length - 1])];
}

// Charts draws the charts of one service.
export class Charts {
  constructor(place) {
    this.places = [h("div", {class: "chart", tabindex: 0, role: "img", "aria-label": "Chart of demand, its forecast and the plan"}),
      h("div", {class: "chart", tabindex: 0, role: "img", "aria-label": "Chart of replicas"})];
    this.range = h("span", {class: "muted range", "aria-live": "polite"});
    this.charts = [];
    this.tools = h("div", {class: "tools", role: "toolbar", "aria-label": "Time range of the charts"});
    this.status = h("span", {class: "muted status", role: "status"});
    this.notes = h("ul", {class: "muted"});
    fill(place, h("h2", null, "Demand and plan ", this.range), this.tools, this.places[0],
      h("h2", null, "Replicas"), this.places[1], this.notes);
    this.width = 0;
    this.observer = new ResizeObserver(() => {
      // Drawing changes sizes, which an observer must not do while it is told of one.
      requestAnimationFrame(() => {
        const width = this.places[0].clientWidth;
        if (!this.closed && width && width !== this.width) this.draw();
      });
    });
    this.observer.observe(this.places[0]);
    for (const p of this.places) {
      p.addEventListener("keydown", e => this.key(e));
      p.addEventListener("dblclick", () => this.show("all"));
    }
    this.view = null;
    this.setting = false;
  }

  close() {
    this.closed = true;
    this.observer.disconnect();
    for (const u of this.charts) u.destroy();
  }

  // set takes the service, and the history of demand where there is one.
  set(service, demand, live) {
    this.service = service;
    this.demand = demand;
    this.live = live;
    this.marks = service.days.map(d => ({...d, kind: "day"})).concat(service.peaks.map(p => ({...p, name: p.window, kind: "peak"})));
    if (this.width) this.draw();
  }

  // lines returns the tables of the chart of demand, and the series that show them.
  lines() {
    const {service: s, demand: d} = this, tables = [], series = [], bands = [];
    const line = options => Object.assign({points: {show: false}, value: (u, v) => number(v)}, options);
    const add = (table, ...options) => {
      tables.push(table);
      series.push(...options.map(line));
    };
    if (s.plan) {
      const [times, values] = closed(s.plan.times, s.plan.values, s.plan.end);
      add([times, values], {label: "plan", stroke: color("c-served"), width: 1.75, paths: uPlot.paths.stepped({align: 1})});
    }
    if (d && d.expected.length) {
      const times = d.expected.map((_, i) => d.expectedStart + i * d.step);
      add([times, d.expected], {label: "expected", stroke: color("c-served"), dash: [4, 3], width: 1});
    } else if (s.plan && s.plan.expected.some(v => v !== null)) {
      add([s.plan.times, s.plan.expected], {label: "expected", stroke: color("c-served"), dash: [4, 3], width: 1});
    }
    if (series.length === 2) bands.push({series: [1, 2], fill: color("c-band")});
    if (d) add([d.values.map((_, i) => d.start + i * d.step), d.values], {label: "demand", stroke: color("c-demand"), width: 1.25});
    const seen = (this.live || []).filter(v => !d || v.time > d.start + d.values.length * d.step - d.step);
    if (seen.length) {
      add([seen.map(v => v.time), seen.map(v => v.value)],
        {label: "observed", stroke: color("c-demand"), width: 1, points: {show: true, size: 5, fill: color("c-demand")}});
    }
    return {tables, series, bands};
  }

  // replicaLines are the replicas that the plan and the demand ask for, by the capacity of one.
  replicaLines() {
    const {service: s, demand: d} = this, capacity = s.capacity, tables = [], series = [];
    if (!capacity) return {tables, series, bands: []};
    const need = v => v === null ? null : Math.ceil(v / capacity - 1e-9);
    const line = options => Object.assign({points: {show: false}, value: (u, v) => number(v), paths: uPlot.paths.stepped({align: 1})},
      options);
    if (s.plan) {
      const [times, values] = closed(s.plan.times, s.plan.values.map(need), s.plan.end);
      tables.push([times, s.max === null ? values : values.map(v => v === null ? null : Math.min(v, s.max))]);
      series.push(line({label: "by plan", stroke: color("p-headstart"), width: 2}));
    }
    if (d) {
      tables.push([d.values.map((_, i) => d.start + i * d.step), d.values.map(need)]);
      series.push(line({label: "by demand", stroke: color("c-demand"), width: 1}));
    }
    if (s.ready !== null) {
      const from = this.view ? this.view.min : now() - DAY, to = this.view ? this.view.max : now() + DAY;
      tables.push([[from, to], [s.ready, s.ready]]);
      series.push(line({label: "ready now", stroke: color("p-timed"), width: 1, dash: [2, 3], paths: undefined}));
    }
    return {tables, series, bands: []};
  }

  draw() {
    if (!this.service) return;
    this.width = this.places[0].clientWidth;
    if (!this.view) this.view = this.bounds("day");
    const shown = this.charts.map(u => Object.fromEntries(u.series.map(s => [s.label, s.show])));
    for (const u of this.charts) u.destroy();
    this.charts = [];
    [this.lines(), this.replicaLines()].forEach(({tables, series, bands}, i) => {
      this.places[i].replaceChildren();
      if (!tables.length) {
        fill(this.places[i], h("p", {class: "muted"}, i ? "The capacity of one replica is not known." :
          "There is no plan: the conditions below say why."));
        return;
      }
      for (const s of series) if (shown[i] && shown[i][s.label] === false) s.show = false;
      const height = i ? Math.max(130, Math.min(170, this.width * 0.3)) : Math.max(220, Math.min(320, this.width * 0.45));
      const data = tables.length > 1 ? uPlot.join(tables) : tables[0];
      this.charts.push(new uPlot(this.options(height, series, bands, i ? "replicas" : "demand"), data, this.places[i]));
    });
    this.apply();
  }

  options(height, series, bands, label) {
    const zone = this.service.zone, narrow = this.width < 500;
    const time = {label: "time", value: (u, t) => t === null ? "–" : stamp(t, zone) + this.markNames(t)};
    return {
      width: this.width, height, bands, series: [time].concat(series.map(s => ({spanGaps: false, ...s}))),
      tzDate: t => uPlot.tzDate(new Date(t * 1000), zone),
      axes: [axis({values: tickFormats}), axis(narrow ? {size: 46} : {size: 64, label, labelSize: 22, labelGap: 2, labelFont: font})],
      scales: {x: {time: true, range: () => [this.view.min, this.view.max]}, y: {range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1]}},
      cursor: {sync: {key: "service"}, drag: {x: true, y: false, setScale: false}, focus: {prox: 30}},
      legend: {live: true},
      hooks: {
        drawAxes: [u => drawMarks(u, this.marks)],
        setSelect: [u => {
          if (u.select.width < 4) return;
          const min = u.posToVal(u.select.left, "x"), max = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
          this.setRange(min, max);
        }],
      },
    };
  }

  markNames(t) {
    const names = this.marks.filter(m => m.from <= t && t < m.to).map(m => m.name);
    return names.length ? " · " + [...new Set(names)].join(", ") : "";
  }

  // bounds are the ends of a named range.
  bounds(range) {
    const {service: s, demand: d} = this, at = now();
    const end = Math.max(s.plan ? s.plan.end : at + DAY, at + 300), start = d ? d.start : s.plan ? s.plan.times[0] : at - DAY;
    const past = d ? at : start;
    if (range === "day") return {min: d ? at - DAY / 2 : start, max: d ? Math.min(end, at + DAY / 2) : end};
    if (range === "week") return {min: Math.max(start, past - 7 * DAY), max: end};
    if (range === "plan") return {min: at - 900, max: end};
    return {min: start, max: end};
  }

  show(range) {
    const {min, max} = this.bounds(range);
    this.setRange(min, max);
  }

  setRange(min, max) {
    if (max - min < 300) max = min + 300;
    this.view = {min, max};
    this.apply();
  }

  apply() {
    for (const u of this.charts) u.setScale("x", this.view);
    this.range.textContent = `${stamp(this.view.min, this.service.zone).replace(/ [^ ]+$/, "")} to ${stamp(this.view.max, this.service.zone)}`;
  }

  move(quarters) {
    const {min, max} = this.view, by = (max - min) / 4 * quarters;
    this.setRange(min + by, max + by);
  }

  zoom(factor) {
    const {min, max} = this.view, middle = (min + max) / 2, half = (max - min) * factor / 2;
    this.setRange(middle - half, middle + half);
  }

  key(e) {
    const keys = {ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1), "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5), "-": () => this.zoom(2), Home: () => this.show("all")};
    if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    keys[e.key]();
    e.preventDefault();
    e.stopPropagation();
  }

  // drawTools shows the buttons for the ranges that there are.
  drawTools(extra) {
    const button = (text, press, label) => h("button", {type: "button", click: press, "aria-label": label}, text);
    fill(this.tools, button("Day", () => this.show("day")), this.demand && button("Week", () => this.show("week")),
      button("Plan", () => this.show("plan")), button("All", () => this.show("all")),
      button("←", () => this.move(-1), "Earlier"), button("→", () => this.move(1), "Later"),
      button("+", () => this.zoom(0.5), "Zoom in"), button("−", () => this.zoom(2), "Zoom out"), extra, this.status);
  }
}
