"use strict";
(function () {
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const mounted = []; // what draws the charts of each report anew
  function mount(report) {
    const data = JSON.parse(report.querySelector("script.data").textContent);
    const places = {demand: report.querySelector(".chart.demand"), replicas: report.querySelector(".chart.replicas")};
    const n = data.demand.length, start = data.start, step = data.step, end = start + n * step;
    const times = Array.from({length: n}, (_, i) => start + i * step);
    const late = values => values ? new Array(data.from).fill(null).concat(values) : null; // arrays of the replay begin at data.from
    const unpack = runs => {
      const out = [];
      for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < runs[i + 1]; k++) out.push(runs[i]);
      return late(out);
    };
    const served = late(data.served), expected = late(data.expected);
    const lines = data.policies.map(p => ({policy: p.policy, ready: unpack(p.ready)}));
    const need = data.demand.map(v => v === null ? null : Math.ceil(v / data.capacity - 1e-9));
    const head = lines.find(l => l.policy === "headstart") || lines[0];
    const when = s => {
      const parts = new Intl.DateTimeFormat("en-GB", {timeZone: data.zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", weekday: "short"}).formatToParts(new Date(s * 1000));
      const get = t => parts.find(p => p.type === t).value;
      return get("weekday") + " " + get("year") + "-" + get("month") + "-" + get("day") + " " + get("hour") + ":" + get("minute");
    };
    const named = s => { // the peaks and days that a moment lies in
      const names = (data.marks || []).filter(m => m.from <= s && s < m.to).map(m => m.name);
      return names.length ? " · " + names.join(", ") : "";
    };
    const show = v => v === null || v === undefined ? "–" : String(v);

    const key = "headstart-" + mounted.length; // one cursor for the charts of a report
    let charts = [], moving = false, view = {min: start, max: end};
    function marks(u) { // behind the lines: history, peaks, days, shortfalls
      const c = u.ctx, {top, height} = u.bbox;
      const box = (a, b, color, least) => {
        const x0 = u.valToPos(Math.max(a, u.scales.x.min), "x", true), x1 = u.valToPos(Math.min(b, u.scales.x.max), "x", true);
        if (x1 < x0) return;
        c.fillStyle = color; c.fillRect(x0, top, Math.max(least || 0, x1 - x0), height);
      };
      c.save();
      box(start, start + data.from * step, css("--c-past"));
      for (const m of data.marks || []) box(m.from, m.to, css(m.kind === "peak" ? "--c-peak" : "--c-day"));
      const short = data.short || [], wide = (u.scales.x.max - u.scales.x.min) / u.bbox.width > step; // pairs: a step of the replay, and how many are short from there on
      const columns = wide ? new Float32Array(Math.ceil(u.bbox.width) + 1) : null; // the share of each column of pixels that is short
      for (let i = 0; i < short.length; i += 2) {
        const from = start + (data.from + short[i]) * step, to = from + short[i + 1] * step;
        if (to <= u.scales.x.min || from >= u.scales.x.max) continue;
        if (!wide) { box(from, to, css("--c-short"), devicePixelRatio); continue; }
        const a = Math.max(0, u.valToPos(from, "x", true) - u.bbox.left), b = Math.min(u.bbox.width, u.valToPos(to, "x", true) - u.bbox.left);
        for (let x = Math.floor(a); x < b; x++) columns[x] += Math.min(b, x + 1) - Math.max(a, x);
      }
      if (wide) { // a strip at the foot: whole bands would hide what they are about
        const tall = 8 * devicePixelRatio;
        c.fillStyle = css("--c-alarm");
        columns.forEach((share, x) => { if (share > 0) { c.globalAlpha = 0.25 + 0.75 * Math.min(1, share); c.fillRect(u.bbox.left + x, top + height - tall, 1, tall); } });
        c.globalAlpha = 1;
      }
      c.restore();
    }
    const dates = [ // least distance of ticks in seconds, then the format, and what is added where year, month, day … begin
      [31536000, "{YYYY}", null, null, null, null, null, null, 1], [2419200, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
      [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1], [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
      [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    ];
    function axis(extra) { return Object.assign({stroke: css("--muted"), grid: {stroke: css("--grid"), width: 1}, ticks: {stroke: css("--grid"), width: 1}}, extra); }
    function options(width, height, series, bands) {
      return {
        width, height, series, bands, tzDate: s => uPlot.tzDate(new Date(s * 1000), data.zone),
        axes: [axis({values: dates}), axis({size: 60})], scales: {x: {time: true}, y: {range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1]}},
        cursor: {sync: {key}, drag: {x: true, y: false}, focus: {prox: 30}}, legend: {live: true},
        hooks: {
          drawAxes: [marks],
          setScale: [(u, key) => {
            if (key !== "x" || moving) return;
            view = {min: u.scales.x.min, max: u.scales.x.max}; // a drag; what range() sets comes out as it went in
            moving = true;
            for (const other of charts) if (other !== u) other.setScale("x", view);
            moving = false; say();
          }],
        },
      };
    }
    const timeSeries = {label: "time", value: (u, s) => s === null ? "–" : when(s) + named(s)};
    const stepped = uPlot.paths.stepped({align: 1});
    const value = (u, v) => show(v);
    function build() {
      const width = places.demand.clientWidth;
      const hidden = charts.map(u => u.series.map(s => s.show));
      for (const u of charts) u.destroy();
      charts = [];
      const tall = Math.max(200, Math.min(320, width * 0.4));
      const series = [timeSeries], columns = [times], bands = [];
      const add = (values, how) => { series.push(Object.assign({value, points: {show: false}}, how)); columns.push(values); };
      if (expected) add(expected, {label: "expected", stroke: css("--c-served"), dash: [4, 3], width: 1});
      if (served) add(served, {label: "served", stroke: css("--c-served"), width: 1.75});
      if (served && expected) bands.push({series: [2, 1], fill: css("--c-band")});
      add(data.demand, {label: "demand", stroke: css("--c-demand"), width: 1.25}); // over the others, which it hides less than they would hide it
      charts.push(new uPlot(options(width, tall, series, bands), columns, places.demand));
      const second = [timeSeries, {label: "needed", stroke: css("--c-demand"), width: 1, paths: stepped, value, points: {show: false}}], counts = [times, need];
      lines.forEach((l, i) => {
        const few = ["headstart", "reactive", "static", "oracle"];
        second.push({label: l.policy, stroke: css("--c-" + i % 9), width: l === head ? 2 : 1.25, paths: stepped, value, points: {show: false}, show: lines.length <= 4 || few.includes(l.policy)});
        counts.push(l.ready);
      });
      charts.push(new uPlot(options(width, tall, second), counts, places.replicas));
      hidden.forEach((row, k) => row.forEach((on, i) => { if (i > 0 && charts[k].series[i].show !== on) charts[k].setSeries(i, {show: on}); }));
      range(view.min, view.max);
    }
    function range(min, max) { // held within the data, a dozen steps wide at least
      const width = Math.min(end - start, Math.max(max - min, 12 * step));
      min = Math.min(Math.max(min, start), end - width);
      view = {min, max: min + width};
      moving = true;
      for (const u of charts) u.setScale("x", view);
      moving = false; say();
    }
    const now = () => view;
    function say() { report.querySelector(".range").textContent = when(now().min) + " to " + when(now().max) + " " + data.zone; }
    function pan(by) { const {min, max} = now(), w = (max - min) * 0.25 * by; range(min + w, max + w); }
    function zoom(by) { const {min, max} = now(), mid = (min + max) / 2, w = (max - min) * by / 2; range(mid - w, mid + w); }
    function ahead(seconds) { const {min, max} = now(), from = max - min >= end - start - step ? start + data.from * step : min; range(from, from + seconds); }
    function readout(by) {
      const u = charts[0], at = u.cursor.idx === null || u.cursor.idx === undefined ? Math.round(((now().min + now().max) / 2 - start) / step) : u.cursor.idx + by;
      const i = Math.min(n - 1, Math.max(0, at));
      u.setCursor({left: u.valToPos(times[i], "x"), top: u.over.clientHeight / 2});
    }
    report.querySelector(".tools").addEventListener("click", e => {
      const b = e.target.closest("button"); if (!b) return;
      if (b.dataset.pan) pan(Number(b.dataset.pan));
      else if (b.dataset.zoom) zoom(Number(b.dataset.zoom));
      else if (b.dataset.range === "all") range(start, end);
      else if (b.dataset.range === "replay") range(start + data.from * step, end);
      else ahead(b.dataset.range === "week" ? 7 * 86400 : 86400);
    });
    for (const el of report.querySelectorAll(".chart")) el.addEventListener("keydown", e => {
      const act = {ArrowLeft: () => pan(-1), ArrowRight: () => pan(1), "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: () => range(start, end), ",": () => readout(-1), ".": () => readout(1)}[e.key];
      if (act && !e.ctrlKey && !e.metaKey && !e.altKey) { act(); e.preventDefault(); }
    });
    report.addEventListener("dblclick", e => { if (e.target.closest && e.target.closest(".chart")) range(start, end); });
    let width = 0;
    new ResizeObserver(() => { const w = places.demand.clientWidth; if (w && w !== width) { width = w; build(); } }).observe(places.demand); // draws at first sight
    mounted.push(() => { if (charts.length) build(); });
  }
  for (const report of document.querySelectorAll(".report")) mount(report);
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => { for (const draw of mounted) draw(); };
  document.querySelector(".theme").addEventListener("click", () => {
    const is = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = is === "dark" ? "light" : "dark"; redraw();
  });
  dark.addEventListener("change", redraw);
  let theme; // paper is white
  addEventListener("beforeprint", () => { theme = root.dataset.theme; root.dataset.theme = "light"; for (const d of document.querySelectorAll("details.one")) d.open = true; redraw(); });
  addEventListener("afterprint", () => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; redraw(); });
  addEventListener("hashchange", () => { const d = document.querySelector(location.hash || "#none"); if (d && d.tagName === "DETAILS") d.open = true; });
})();
