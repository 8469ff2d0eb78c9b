// One service: demand, plan, replicas, peaks, conditions, starts, and what is warm.
import {h, fill, number, duration, percent, when, stamp, clock, day} from "./dom.js";
import {Charts} from "./chart.js";
import {WhatIf} from "./whatif.js";
import {levels, tooFew} from "./fleet.js";

export class Service {
  constructor(place, id, about, follow) {
    this.place = place;
    this.id = id;
    this.about = about;
    this.drawn = {}; // what each part shows, as JSON
    this.observed = [];
    document.title = id + " · Headstart";
    fill(place, h("p", {class: "muted loading"}, `Reading ${id}…`));
    follow("api/service?forecast=" + encodeURIComponent(id), {
      service: s => this.update(s), missing: m => this.missing(m),
    });
  }

  close() {
    if (this.charts) this.charts.close();
    if (this.whatIf) this.whatIf.close();
    if (this.reading) this.reading.close();
    this.closed = true;
  }

  redraw() {
    if (this.charts) this.charts.draw();
    if (this.whatIf) this.whatIf.redraw();
  }

  missing({access}) {
    const of = access.filter(a => a.kind === "forecasts");
    if (of.some(a => a.state === "loading")) return;
    const why = of.filter(a => a.message).map(a => a.message + ". ").join("");
    fill(this.place, h("p", null, h("a", {href: "#/"}, "← Fleet")), h("h1", null, this.id),
      h("p", {class: "problem"}, `There is no Forecast ${this.id} that you may see. ${why}`));
    this.frame = null;
  }

  build() {
    const section = (name, title) => {
      const body = h("div");
      return Object.assign(h("section", {class: name}, h("h2", null, title), body), {body});
    };
    this.frame = {
      head: h("div"), issues: h("div"), tiles: h("div", {class: "tiles"}), charts: h("section", {class: "charts"}),
      peaks: section("peaks", "Peaks and named days"), starts: section("starts", "Starts by phase"),
      warm: section("warm", "What is warm"), model: section("model", "The forecast"),
      conditions: section("conditions", "Conditions"), whatIf: h("section", {class: "whatif", id: "whatif"}),
    };
    const f = this.frame;
    fill(this.place, f.head, f.issues, f.tiles, f.charts, h("div", {class: "columns"},
      h("div", null, f.conditions, f.model, f.warm), h("div", null, f.starts, f.peaks)), f.whatIf);
    this.charts = new Charts(f.charts);
    this.charts.drawTools();
    this.whatIf = new WhatIf(f.whatIf, this.id, this.about);
    this.readDemand();
  }

  // update shows what has changed.
  update(s) {
    const before = this.service;
    this.service = s;
    if (!this.frame) this.build();
    const f = this.frame;
    const part = (name, data, draw) => {
      const key = JSON.stringify(data);
      if (this.drawn[name] === key) return;
      this.drawn[name] = key;
      draw();
    };
    if (s.observed && (!before || !before.observed || before.observed.time !== s.observed.time)) {
      this.observed = this.observed.concat(s.observed).slice(-500);
    }
    part("head", [s.mode, s.target, s.autoscaler, s.contract, s.zone, s.notes, s.query], () => this.drawHead(f.head, s));
    part("issues", s.attention, () => fill(f.issues, s.attention.map(i => h("p", {class: "issue " + levels[i.level]},
      h("b", null, i.what), " ", i.text))));
    part("tiles", [s.observed, s.served, s.planned, s.ready, s.wanted, s.max, s.lead, s.leadSource, s.skill, s.skilled, s.capacity,
      s.learned, s.attention],
      () => fill(f.tiles, tiles(s)));
    part("charts", [s.plan, s.observed, s.peaks, s.days, s.ready, s.capacity, s.max],
      () => this.charts.set(s, this.demand, this.observed));
    part("peaks", [s.peaks, s.days], () => fill(f.peaks.body, peaks(s)));
    part("starts", s.leadTime, () => this.drawStarts());
    part("pods", [s.leadTime, s.ready, s.wanted], () => this.readStarts());
    part("warm", s.warm, () => fill(f.warm.body, warm(s)));
    part("model", [s.model, s.accuracy, s.skill], () => fill(f.model.body, model(s)));
    part("conditions", [s.conditions, s.attention], () => fill(f.conditions.body, conditions(s)));
    this.whatIf.set(s);
  }

  drawHead(place, s) {
    const fact = (name, value) => value && h("span", {class: "fact"}, h("span", {class: "muted"}, name + " "), value);
    fill(place, h("p", {class: "back"}, h("a", {href: "#/"}, "← Fleet")),
      h("h1", null, h("span", {class: "muted"}, s.namespace + "/"), s.name, " ", h("span", {class: "tag"}, s.mode)),
      h("p", {class: "facts"}, fact("target", s.target), fact("read by", s.autoscaler || "nothing yet"), s.contract,
        fact("clock", s.zone)),
      s.query && h("p", {class: "query muted"}, h("code", null, s.query)),
      s.notes && s.notes.length > 0 && h("details", {class: "access", open: true}, h("summary", null, "Not all is shown"),
        h("ul", null, s.notes.map(n => h("li", null, n)))));
  }

  // readDemand reads the history of demand, where the server knows a Prometheus.
  async readDemand() {
    let about;
    try { about = await this.about; } catch { return; }
    if (this.closed) return;
    if (!about.history.known) {
      this.charts.status.textContent = "Without history: " + about.history.text;
      return;
    }
    const status = this.charts.status;
    status.textContent = "reading history…";
    if (this.reading) this.reading.close();
    this.reading = new EventSource("api/demand?forecast=" + encodeURIComponent(this.id));
    const end = text => {
      this.reading.close();
      fill(status, text, text && h("button", {type: "button", click: () => this.readDemand()}, "Try again"));
    };
    this.reading.addEventListener("progress", e => {
      const p = JSON.parse(e.data);
      status.textContent = p.what + (p.total > 1 ? ` ${Math.round(100 * p.done / p.total)} %` : "…");
    });
    this.reading.addEventListener("result", e => {
      end("");
      this.demand = JSON.parse(e.data);
      fill(this.charts.notes, this.demand.notes.map(n => h("li", null, n)));
      this.charts.demand = this.demand;
      this.charts.drawTools();
      this.charts.view = null;
      this.charts.set(this.service, this.demand, this.observed);
    });
    this.reading.addEventListener("failed", e => end(JSON.parse(e.data).message + " "));
    this.reading.onerror = () => end("The history could not be read. ");
  }

  // readStarts reads the phases of the pods that exist.
  async readStarts() {
    try {
      const answer = await fetch("api/starts?forecast=" + encodeURIComponent(this.id));
      this.phases = answer.ok ? await answer.json() : {error: await answer.text()};
    } catch (e) {
      this.phases = {error: e.message};
    }
    if (!this.closed && this.frame) this.drawStarts();
  }

  drawStarts() { fill(this.frame.starts.body, starts(this.service, this.phases)); }

  key(e, typing) {
    if (typing || e.key !== "w" || !this.whatIf) return false;
    this.whatIf.focus();
    return true;
  }
}

function tiles(s) {
  const tile = (title, value, sub, level) => h("div", {class: "tile " + (level || "")},
    h("span", {class: "what"}, title), h("span", {class: "value"}, value), h("span", {class: "muted"}, sub));
  const replicas = s.capacity && s.served ? `${number(s.served.value / s.capacity)} replicas of ${number(s.capacity)}` : "";
  return [
    tile("Served", number(s.served && s.served.value), [replicas, replicas && " · ", s.served && when(s.served.time, s.zone)]),
    tile("Observed", number(s.observed && s.observed.value), s.observed ? when(s.observed.time, s.zone) : "not known"),
    tile("Replicas ready", [s.ready ?? "–", h("small", null, ` of ${s.wanted ?? "?"}`)],
      s.max === null ? "" : `at most ${s.max}`, tooFew(s) ? "bad" : s.ready !== null && s.wanted > s.ready ? "note" : ""),
    tile("Lead", duration(s.lead), [s.leadSource && s.leadSource.toLowerCase(),
      s.leadTime && s.leadTime.counted > 0 && ` from ${s.leadTime.counted} starts`]),
    tile("Skill", percent(s.skill, 0), s.skilled && s.skill <= 0 ? "the last season is repeated" : "over simple rules",
      s.skilled === false ? "warn" : ""),
    s.learned && tile("A replica serves", number(s.learned.value), learned(s.learned)),
  ];
}

// learned says in words what the capacity of a replica rests on.
function learned(c) {
  if (c.estimate === null) return "as configured: nothing is learned yet";
  const estimate = `${c.atLeast ? "at least" : "estimate"} ${number(c.estimate)}`;
  const lower = c.lower === null || c.lower >= c.estimate ? "" : `, lower bound ${number(c.lower)}`;
  return `${c.source === "Default" ? "as configured" : "learned"}: ${estimate}${lower}, ` +
    `from ${c.steps.toLocaleString("en-US")} steps`;
}

function peaks(s) {
  const at = Date.now() / 1000;
  const rows = s.peaks.filter(p => p.to > at).slice(0, 12).map(p => h("tr", {class: p.from <= at ? "active" : ""},
    h("td", null, `${day(p.from, s.zone)} ${clock(p.from, s.zone)}`), h("td", null, `for ${duration(p.to - p.from)}`),
    h("th", {scope: "row"}, p.window), h("td", null, p.demand), h("td", {class: "muted"}, p.schedule)));
  const days = s.days.filter(d => d.to > at).slice(0, 12).map(d => h("tr", null, h("td", null, day(d.from, s.zone)),
    h("td", null, "the day"), h("th", {scope: "row"}, d.name), h("td", null, "learned"), h("td", {class: "muted"}, d.calendar)));
  if (!rows.length && !days.length) return h("p", {class: "muted"}, "None in the next two weeks.");
  return h("div", {class: "scroll list"}, h("table", null, h("tbody", null, rows, days)));
}

// phaseNames are the parts of a start that the status has.
const phaseNames = ["node", "pull", "rest"];

function starts(s, phases) {
  const lead = s.leadTime, list = lead ? lead.starts.slice(-14).reverse() : [];
  if (!list.length && phases && !phases.error && !phases.paths.length && !phases.ongoing.length) {
    return h("p", {class: "muted"}, "No start has been seen yet.");
  }
  const longest = Math.max(...list.map(x => x.total), 1);
  const bars = list.map(x => {
    const rest = Math.max(0, x.total - x.node - x.pull);
    const bar = h("span", {class: "bar" + (x.ready ? "" : " failed")},
      [x.node, x.pull, rest].map((v, i) => v > 0 && width(h("i", {class: phaseNames[i]}), v / longest)));
    return h("li", {title: `${stamp(x.created, s.zone)}: ${duration(x.total)} ` +
        `(node ${duration(x.node)}, pull ${duration(x.pull)}, start and load ${duration(rest)})`},
      h("span", {class: "muted"}, when(x.created, s.zone)), bar, h("span", null, duration(x.total), !x.ready && " not ready"));
  });
  return [
    bars.length > 0 && [h("ul", {class: "bars"}, bars), h("p", {class: "muted"}, h("i", {class: "key node"}), "waiting for a node ",
      h("i", {class: "key pull"}), "pulling the image ", h("i", {class: "key rest"}), "starting and loading")],
    phaseTable(phases),
    lead && lead.warmUp !== null && h("p", {class: "muted"}, `Lead: warm-up ${duration(lead.warmUp)} (p${lead.percentile || 90}) and control loop ` +
      `${duration(lead.controlLoop)}.`),
  ];
}

function width(e, share) {
  e.style.flexBasis = (100 * share).toFixed(2) + "%";
  return e;
}

// phaseTable shows the medians of the phases of the pods that exist.
function phaseTable(p) {
  if (!p) return h("p", {class: "muted"}, "Reading the pods…");
  if (p.error) return h("p", {class: "muted"}, "The phases of the existing pods are not shown: " + p.error);
  const paths = p.paths || [], ongoing = p.ongoing || [];
  return [
    paths.length > 0 && h("div", {class: "scroll"}, h("table", null,
      h("thead", null, h("tr", null, ["median of pods", "starts"].concat(p.phases, ["all", "p" + p.percentile])
        .map(t => h("th", {scope: "col"}, t)))),
      h("tbody", null, paths.map(x => h("tr", null, h("th", {scope: "row"}, x.name), h("td", null, x.starts),
        x.phases.map(v => h("td", null, duration(v))), h("td", null, duration(x.median)), h("td", null, duration(x.quantile))))))),
    ongoing.length > 0 && h("p", null, h("b", null, "Starting: "), ongoing.slice(0, 5).map((o, i) => [i ? ", " : "",
      `${o.pod} for ${duration(o.for)} in ${o.phase}`, o.reason && ` (${o.reason})`]),
      ongoing.length + (p.more || 0) > 5 && ` and ${ongoing.length + (p.more || 0) - 5} more`),
  ];
}

function warm(s) {
  if (!s.warm || !s.warm.length) return h("p", {class: "muted"}, "No WarmPool selects this Forecast.");
  return s.warm.map(w => {
    const line = (name, value) => value && [h("dt", null, name), h("dd", null, value)];
    return [h("h3", null, w.pool, " ", h("span", {class: "tag"}, w.mode)), h("dl", {class: "labels"},
      line("replicas", `${w.replicas || 0} exist, ${w.needed || 0} needed ahead`),
      line("nodes", `${w.held || 0} of ${w.hold || 0} held` + (w.nodesBy ? ` by ${w.nodesBy}` : "") +
        (w.nodeLead ? `, ${w.nodeLead} ahead` : "")),
      line("images", `on ${w.imageNodesReady || 0} of ${w.imageNodes || 0} nodes` + (w.imagesBy ? ` by ${w.imagesBy}` : "") +
        (w.imageLead ? `, ${w.imageLead} before that` : "")),
      line("weights", w.weightsBy && `${w.weights || "Idle"} by ${w.weightsBy}`), line("warmed by", w.warmedBy)),
    w.message && h("p", {class: "issue warn"}, w.message),
    w.conditions.filter(c => c.status !== "Unknown").map(c => h("p", {class: "muted"}, `${c.type} is ${c.status}: ${c.message}`))];
  });
}

function model(s) {
  const m = s.model, a = s.accuracy;
  if (!m && !a) return h("p", {class: "muted"}, "No forecast has been made yet.");
  const line = (name, value) => value && [h("dt", null, name), h("dd", null, value)];
  const accuracy = f => f && `${percent(Number(f.coverage), 1)} of ${f.windows.toLocaleString("en-US")} covered, skill ` +
    `${f.skill || "–"}, bias ${f.bias || "–"}`;
  return [h("dl", {class: "labels"},
    line("asked", a && `${percent(Number(a.asked), 2)} covered`), line("last day", a && (accuracy(a.lastDay) || "not measured yet")),
    line("last week", a && accuracy(a.lastWeek)), line("held-out coverage", m && m.coverage !== null && percent(m.coverage, 1)),
    line("seasons", m && (m.periods || []).join(", ")), line("fitted", m && m.fittedAt && [when(m.fittedAt, s.zone),
      ` to ${m.points.toLocaleString("en-US")} points`]),
    line("models", m && (m.weights || []).filter(w => w.share > 0.005).map(w => `${w.name} ${percent(w.share, 0)}`).join(", "))),
  m && (m.warnings || []).map(w => h("p", {class: "issue note"}, w))];
}

// conditions are shown in words. Those that are as they should be are folded.
function conditions(s) {
  const level = c => levels[(s.attention.find(i => i.condition === c.type) || {level: 3}).level];
  return (s.conditions || []).map(c => h("details", {class: "condition " + (c.wrong ? "wrong" : c.status === "Unknown" ? "unknown" : "good"),
    open: c.wrong},
  h("summary", null, h("i", {class: "dot " + (c.wrong ? level(c) : c.status === "Unknown" ? "none" : "fine")}),
    h("b", null, c.type), " ", h("span", {class: "muted"}, `${c.status}, ${c.reason}`)),
  h("p", null, c.message || "–"),
  c.meaning && h("p", {class: "muted"}, c.meaning[0].toUpperCase() + c.meaning.slice(1) + "."),
  c.remedy && h("p", null, h("b", null, "To do: "), c.remedy + "."),
  h("p", {class: "muted"}, c.says && `${c.type} says whether ${c.says}. `, "Since ", when(c.since, s.zone), ".")));
}
