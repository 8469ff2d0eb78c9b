"use strict";
// The charts of the page. Each report has two: demand, and ready replicas. Times are in seconds
// since 1970.
(function () {
  const DAY = 86400;
  const root = document.documentElement;
  let printing = false; // charts are low in print, so that the first page holds both
  const color = name => getComputedStyle(root).getPropertyValue("--" + name).trim();

  // decode unpacks the JSON of a report. See timeline.go for its fields.
  function decode(text) {
    const data = JSON.parse(text);
    // fromReplay puts values of the replay at their places in the whole series.
    const fromReplay = values => values ? new Array(data.from).fill(null).concat(values) : null;
    const unpack = runs => {
      const out = [];
      for (let i = 0; i < runs.length; i += 2) {
        for (let k = 0; k < runs[i + 1]; k++) out.push(runs[i]);
      }
      return fromReplay(out);
    };
    const n = data.demand.length, {start, step} = data;
    // A capacity that was learned differs from step to step.
    const learned = data.capacities ? unpack(data.capacities) : [];
    const serves = i => learned[i] || data.capacity;
    return {
      n, start, step, end: start + n * step, replayStart: start + data.from * step, zone: data.zone,
      times: Array.from({length: n}, (_, i) => start + i * step),
      demand: data.demand, served: fromReplay(data.served), expected: fromReplay(data.expected),
      needed: data.demand.map((v, i) => v === null ? null : Math.ceil(v / serves(i) - 1e-9)),
      policies: data.policies.map(p => ({name: p.policy, ready: unpack(p.ready)})),
      capacity: data.capacity, main: data.main || [], worst: data.worst, marks: data.marks || [], short: [],
    };
  }

  // policyColor returns the colour of a policy, whatever headroom it has.
  const policyColor = name => color("p-" + name.split(" ")[0]);

  // shortRuns returns where a policy does not serve all demand, as pairs of times.
  function shortRuns(data, name) {
    const policy = data.policies.find(p => p.name === name), out = [];
    if (!policy) return out;
    data.needed.forEach((needed, i) => {
      const ready = policy.ready[i];
      if (needed === null || ready === null || needed <= ready) return;
      const from = data.start + i * data.step, last = out[out.length - 1];
      if (last && last.to === from) last.to += data.step;
      else out.push({from, to: from + data.step});
    });
    return out;
  }

  // clock writes a time as the wall clock of a zone shows it.
  function clock(zone) {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, weekday: "short",
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
    });
    return time => {
      const part = {};
      for (const {type, value} of format.formatToParts(new Date(time * 1000))) part[type] = value;
      return `${part.weekday} ${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`;
    };
  }

  // drawMarks draws what is behind the lines: history, peaks, named days and shortages.
  function drawMarks(u, data) {
    const c = u.ctx, x = u.scales.x, {top, height} = u.bbox;
    const band = (from, to, fill, minWidth) => {
      const left = u.valToPos(Math.max(from, x.min), "x", true), right = u.valToPos(Math.min(to, x.max), "x", true);
      if (right < left) return;
      c.fillStyle = fill;
      c.fillRect(left, top, Math.max(minWidth, right - left), height);
    };
    c.save();
    band(data.start, data.replayStart, color("c-past"), 0);
    for (const m of data.marks) band(m.from, m.to, color("c-" + m.kind), 0);
    const shortages = data.short.filter(s => s.to > x.min && s.from < x.max);
    if ((x.max - x.min) / u.bbox.width > data.step) drawStrip(u, shortages);
    else for (const s of shortages) band(s.from, s.to, color("c-short"), devicePixelRatio);
    c.restore();
  }

  // drawStrip draws shortages at the bottom, when a pixel is longer than a step. Bands over the
  // whole height would hide the lines.
  function drawStrip(u, shortages) {
    const c = u.ctx, {left, top, width, height} = u.bbox, stripHeight = 8 * devicePixelRatio;
    const shares = new Float32Array(Math.ceil(width) + 1); // how much of each column of pixels is short
    for (const s of shortages) {
      const from = Math.max(0, u.valToPos(s.from, "x", true) - left);
      const to = Math.min(width, u.valToPos(s.to, "x", true) - left);
      for (let x = Math.floor(from); x < to; x++) shares[x] += Math.min(to, x + 1) - Math.max(from, x);
    }
    c.fillStyle = color("c-alarm");
    shares.forEach((share, x) => {
      if (share <= 0) return;
      c.globalAlpha = 0.25 + 0.75 * Math.min(1, share);
      c.fillRect(left + x, top + height - stripHeight, 1, stripHeight);
    });
    c.globalAlpha = 1;
  }

  // tickFormats is for uPlot: the shortest distance of ticks, their format, and what is added where
  // a new year or a new day begins.
  const tickFormats = [
    [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * DAY, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
    [DAY, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  ];

  const labelFont = "12px system-ui, sans-serif";

  function axis(extra) {
    const line = {stroke: color("grid"), width: 1};
    return Object.assign({stroke: color("muted"), grid: line, ticks: line}, extra);
  }

  // line is a uPlot series with the defaults of this page.
  function line(options) {
    const value = (u, v) => v === null || v === undefined ? "–" : String(v);
    return Object.assign({value, points: {show: false}}, options);
  }

  // demandLines returns the series of the chart of demand, and their data.
  function demandLines(data) {
    const series = [], columns = [];
    if (data.expected) {
      series.push(line({label: "expected", stroke: color("c-served"), dash: [4, 3], width: 1}));
      columns.push(data.expected);
    }
    if (data.served) {
      series.push(line({label: "served", stroke: color("c-served"), width: 1.75}));
      columns.push(data.served);
    }
    // Demand is drawn last: it hides less of the others than they would hide of it.
    series.push(line({label: "demand", stroke: color("c-demand"), width: 1.25}));
    columns.push(data.demand);
    const bands = data.served && data.expected ? [{series: [2, 1], fill: color("c-band")}] : [];
    return {series, columns, bands};
  }

  // replicaLines returns the series of the chart of replicas, and their data. With many policies,
  // only the main ones are visible at first.
  function replicaLines(data) {
    const paths = uPlot.paths.stepped({align: 1});
    const series = [line({label: "needed", stroke: color("c-demand"), width: 1, paths})], columns = [data.needed];
    data.policies.forEach(p => {
      const main = data.main.includes(p.name);
      const show = data.policies.length <= 4 || main;
      series.push(line({label: p.name, stroke: policyColor(p.name), width: main ? 2 : 1.25, paths, show}));
      columns.push(p.ready);
    });
    return {series, columns, bands: []};
  }

  // Charts is the two charts of a report. They share the time range and the cursor.
  class Charts {
    constructor(report, key) {
      this.report = report;
      this.key = key;
      this.data = decode(report.querySelector("script.data").textContent);
      this.clock = clock(this.data.zone);
      this.places = [report.querySelector(".chart.demand"), report.querySelector(".chart.replicas")];
      this.charts = [];
      this.view = this.worst();
      this.mark();
      this.setting = false; // whether a range is being set by setRange
      this.listen();
      let width = 0; // a report in a closed bundle has no width, and is drawn when it is opened
      new ResizeObserver(() => {
        const now = this.places[0].clientWidth;
        if (now && now !== width) {
          width = now;
          this.draw();
        }
      }).observe(this.places[0]);
    }

    // draw makes both charts, with the range and the hidden lines of the charts before.
    draw() {
      const width = this.places[0].clientWidth, height = printing ? 140 : Math.max(200, Math.min(320, width * 0.4));
      const shown = this.charts.map(u => u.series.map(s => s.show));
      for (const u of this.charts) u.destroy();
      this.charts = [demandLines(this.data), replicaLines(this.data)].map(({series, columns, bands}, i) => {
        const label = [printing || width < 600 ? "demand" : "demand, in the unit of the input", "ready replicas"][i];
        const options = this.options(width, height, series, bands, label);
        return new uPlot(options, [this.data.times].concat(columns), this.places[i]);
      });
      shown.forEach((row, k) => row.forEach((show, i) => {
        if (i > 0 && this.charts[k].series[i].show !== show) this.charts[k].setSeries(i, {show});
      }));
      this.setRange(this.view.min, this.view.max);
    }

    // redraw draws again in other colours.
    redraw() {
      if (this.charts.length) this.draw();
    }

    // worst returns the worst day, or everything where a day has too few steps.
    worst() {
      const {worst, start, end, step} = this.data;
      return worst[1] - worst[0] >= 12 * step ? {min: worst[0], max: worst[1]} : {min: start, max: end};
    }

    // mark marks the shortfalls of the selected policy.
    mark() {
      this.data.short = shortRuns(this.data, this.report.querySelector(".marked select").value);
    }

    options(width, height, series, bands, label) {
      const time = {label: "time", value: (u, t) => t === null ? "–" : this.clock(t) + this.markNames(t)};
      return {
        width, height, bands, series: [time].concat(series),
        tzDate: t => uPlot.tzDate(new Date(t * 1000), this.data.zone),
        axes: [
          axis({values: tickFormats, label: printing ? undefined : "time, " + this.data.zone, labelSize: 20, labelFont}),
          axis({size: 64, label, labelSize: 24, labelGap: 4, labelFont}),
        ],
        scales: {x: {time: true}, y: {range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1]}},
        cursor: {sync: {key: this.key}, drag: {x: true, y: false}, focus: {prox: 30}},
        legend: {live: true},
        hooks: {
          drawAxes: [u => drawMarks(u, this.data)],
          setScale: [(u, scale) => { if (scale === "x" && !this.setting) this.followDrag(u); }],
        },
      };
    }

    // markNames names the peaks and days at a time.
    markNames(t) {
      const names = this.data.marks.filter(m => m.from <= t && t < m.to).map(m => m.name);
      return names.length ? " · " + names.join(", ") : "";
    }

    // followDrag gives the other chart the range that a drag has set on one.
    followDrag(u) {
      this.view = {min: u.scales.x.min, max: u.scales.x.max};
      this.applyView(this.charts.filter(other => other !== u));
    }

    // setRange shows a range of at least twelve steps within the data.
    setRange(min, max) {
      const {start, end, step} = this.data;
      const width = Math.min(end - start, Math.max(max - min, 12 * step));
      min = Math.min(Math.max(min, start), end - width);
      this.view = {min, max: min + width};
      this.applyView(this.charts);
    }

    applyView(charts) {
      this.setting = true;
      for (const u of charts) u.setScale("x", this.view);
      this.setting = false;
      const {min, max} = this.view;
      this.report.querySelector(".range").textContent = `${this.clock(min)} to ${this.clock(max)} ${this.data.zone}`;
    }

    showAll() { this.setRange(this.data.start, this.data.end); }

    // pan moves the range by quarters of its width.
    pan(quarters) {
      const {min, max} = this.view, by = (max - min) * 0.25 * quarters;
      this.setRange(min + by, max + by);
    }

    // zoom changes the width of the range by a factor.
    zoom(factor) {
      const {min, max} = this.view, middle = (min + max) / 2, half = (max - min) * factor / 2;
      this.setRange(middle - half, middle + half);
    }

    // showFirst shows so many seconds from the left end of the range on. If the range is
    // everything, it begins with the replay.
    showFirst(seconds) {
      const {min, max} = this.view, {start, end, step, replayStart} = this.data;
      const from = max - min >= end - start - step ? replayStart : min;
      this.setRange(from, from + seconds);
    }

    // moveReadout moves the cursor by so many steps.
    moveReadout(by) {
      const u = this.charts[0], {n, start, step, times} = this.data, {min, max} = this.view;
      const none = u.cursor.idx === null || u.cursor.idx === undefined;
      const i = none ? Math.round(((min + max) / 2 - start) / step) : u.cursor.idx + by;
      const time = times[Math.min(n - 1, Math.max(0, i))];
      u.setCursor({left: u.valToPos(time, "x"), top: u.over.clientHeight / 2});
    }

    // listen connects the buttons, the keys and the double click.
    listen() {
      this.report.querySelector(".tools").addEventListener("click", e => {
        const button = e.target.closest("button");
        if (button) this.press(button.dataset);
      });
      this.report.querySelector(".marked select").addEventListener("change", () => {
        this.mark();
        this.draw();
      });
      const keys = {
        ArrowLeft: () => this.pan(-1), ArrowRight: () => this.pan(1),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
        Home: () => this.showAll(), ",": () => this.moveReadout(-1), ".": () => this.moveReadout(1),
      };
      for (const place of this.places) {
        place.addEventListener("keydown", e => {
          if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
          keys[e.key]();
          e.preventDefault();
        });
        place.addEventListener("dblclick", () => this.showAll());
      }
    }

    press({pan, zoom, range}) {
      if (pan) this.pan(Number(pan));
      else if (zoom) this.zoom(Number(zoom));
      else if (range === "all") this.showAll();
      else if (range === "worst") this.setRange(this.worst().min, this.worst().max);
      else if (range === "replay") this.setRange(this.data.replayStart, this.data.end);
      else this.showFirst(range === "week" ? 7 * DAY : DAY);
    }
  }

  // Tiles shows the figures of one setting of Headstart, and money at a price.
  class Tiles {
    constructor(section) {
      this.section = section;
      section.querySelector(".modes").addEventListener("click", e => {
        const button = e.target.closest("button");
        if (button) this.choose(button.dataset.setting);
      });
      for (const input of section.querySelectorAll("input")) input.addEventListener("input", () => this.price());
    }

    choose(setting) {
      for (const b of this.section.querySelectorAll(".modes button")) {
        b.setAttribute("aria-pressed", String(b.dataset.setting === setting));
      }
      for (const t of this.section.querySelectorAll(".tiles")) t.hidden = t.dataset.setting !== setting;
    }

    price() {
      const amount = parseFloat(this.section.querySelector(".amount").value);
      const currency = this.section.querySelector(".currency").value.trim();
      const text = hours => {
        if (!(amount > 0)) return "–";
        return Math.round(hours * amount).toLocaleString("en-US") + (currency && " " + currency);
      };
      for (const tile of this.section.querySelectorAll("[data-month]")) {
        tile.querySelector(".value").textContent = text(Number(tile.dataset.month));
        tile.querySelector(".before span").textContent = text(Number(tile.dataset.today));
      }
      // The table of policies has the money of the whole replay, and only if a price was given.
      const report = this.section.closest(".report"), name = report.querySelector("th.money");
      if (name) name.textContent = "money" + (currency && " in " + currency);
      for (const cell of report.querySelectorAll("td.money")) {
        cell.textContent = amount > 0 ? Math.round(cell.dataset.hours * amount).toLocaleString("en-US") : "–";
      }
    }
  }
  for (const section of document.querySelectorAll(".figures")) new Tiles(section);

  // Copy buttons. A page in a file may not use the clipboard's own API, so a selection is copied.
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => {
      const range = document.createRange(), selection = getSelection();
      range.selectNodeContents(button.parentElement.querySelector("pre"));
      selection.removeAllRanges();
      selection.addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  const reports = Array.from(document.querySelectorAll(".report"), (report, i) => new Charts(report, "headstart-" + i));
  const redraw = () => { for (const r of reports) r.redraw(); };

  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  document.querySelector(".theme").addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    redraw();
  });

  let theme; // before printing, which is always light
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    printing = true;
    for (const details of document.querySelectorAll("details.one")) details.open = true;
    redraw();
  });
  addEventListener("afterprint", () => {
    printing = false;
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    redraw();
  });

  // A link of the index, or one from elsewhere, opens its report. What it names may be anything.
  const openLinked = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", openLinked);
  openLinked();
})();
