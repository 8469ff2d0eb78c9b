// What another setting would have led to, and the plan that it would give now.
import {h, fill, number, percent, duration, stamp, color, copyButton} from "./dom.js";
import {tickFormats, axis} from "./chart.js";

export class WhatIf {
  constructor(place, id, about) {
    this.place = place;
    this.id = id;
    this.output = h("div", {class: "answer", "aria-live": "polite"});
    const field = (label, input) => h("label", null, label, " ", input);
    this.kind = h("select", null, h("option", {value: "serviceLevel"}, "service level"),
      h("option", {value: "shortageCost"}, "shortage cost"));
    this.value = h("input", {type: "text", inputmode: "decimal", size: 7, "aria-label": "its value"});
    this.kind.addEventListener("change", () => { this.value.value = this.kind.value === "shortageCost" ? "20" : "0.99"; });
    this.lead = h("input", {type: "text", size: 6, placeholder: "as now", title: "Such as 90s, 5m or 1h"});
    this.peaks = h("input", {type: "checkbox", checked: true});
    this.days = h("select", null, [3, 7, 14, 28].map(n => h("option", {value: n, selected: n === 7}, `${n} days`)));
    this.run = h("button", {type: "submit", class: "primary"}, "Replay");
    this.form = h("form", {submit: e => { e.preventDefault(); this.ask(); }},
      field("Plan for a", this.kind), this.value, field("lead", this.lead), field("peaks", this.peaks),
      field("replay the last", this.days), this.run);
    fill(place, h("h2", null, "What if"), h("p", {class: "muted"},
      "Replays the history with another setting, by the code of headstart report. Nothing in the cluster changes."),
    this.form, this.output);
    about.then(a => {
      if (a.history.known) return;
      this.run.disabled = true;
      fill(this.output, h("p", {class: "muted"}, "A replay needs the history: " + a.history.text + "."));
    }).catch(() => {});
  }

  // set shows the setting of now in the form, until the user has changed it.
  set(service) {
    this.service = service;
    if (this.touched) return;
    this.touched = true;
    const [, kind, value] = service.contract.match(/^(service level|shortage cost) (.*)$/);
    this.kind.value = kind === "shortage cost" ? "shortageCost" : "serviceLevel";
    this.value.value = value;
    if (service.lead !== null) this.lead.placeholder = duration(service.lead);
    this.peaks.disabled = !service.peaks.length;
  }

  focus() {
    this.place.scrollIntoView({block: "start"});
    this.value.focus({preventScroll: true});
  }

  close() { if (this.source) this.source.close(); }

  ask() {
    this.close();
    const q = new URLSearchParams({forecast: this.id, days: this.days.value});
    q.set(this.kind.value, this.value.value.trim());
    if (this.lead.value.trim()) q.set("lead", this.lead.value.trim());
    if (!this.peaks.checked) q.set("peaks", "off");
    const bar = h("progress", {max: 1}), text = h("span", {class: "muted"}, "starting…");
    fill(this.output, h("p", {class: "progress"}, bar, " ", text, " ", h("button", {type: "button", click: () => {
      this.close();
      fill(this.output, h("p", {class: "muted"}, "Cancelled."));
    }}, "Cancel")));
    const source = this.source = new EventSource("api/whatif?" + q);
    const fail = message => {
      source.close();
      fill(this.output, h("p", {class: "issue bad"}, message));
    };
    source.addEventListener("progress", e => {
      const p = JSON.parse(e.data);
      text.textContent = p.what + "…";
      if (p.total > 1) bar.value = Math.min(1, p.done / p.total);
      else bar.removeAttribute("value");
    });
    source.addEventListener("failed", e => fail(JSON.parse(e.data).message));
    source.addEventListener("result", e => {
      source.close();
      this.answer = JSON.parse(e.data);
      this.draw();
    });
    source.onerror = async () => {
      source.close();
      // A refusal has words, which an EventSource does not show.
      try {
        const answer = await fetch("api/whatif?" + q, {headers: {Accept: "text/plain"}});
        fail(answer.ok ? "The connection was lost: ask again." : await answer.text());
        if (answer.body) answer.body.cancel();
      } catch (e) { fail("The server does not answer: is headstart ui still running? " + e.message); }
    };
  }

  redraw() { if (this.answer && this.output.querySelector(".outcomes")) this.draw(); }

  draw() {
    const a = this.answer, zone = this.service.zone;
    const rows = [["now", a.now], ["what if", a.asked], ["without Headstart", a.today]].filter(([, o]) => o);
    const pre = h("pre", {tabindex: 0}, a.manifest), chart = h("div", {class: "chart"});
    const picture = h("div");
    const parsed = new DOMParser().parseFromString(a.wide + a.narrow, "text/html");
    picture.append(...parsed.body.childNodes);
    fill(this.output,
      h("p", {class: "muted"}, `Replayed from ${stamp(a.from, zone)} to ${stamp(a.to, zone)}.`),
      h("div", {class: "scroll outcomes"}, h("table", null,
        h("thead", null, h("tr", null, ["", "setting", "unserved", "longest shortfall", "replica-hours", "most replicas"]
          .map(t => h("th", {scope: "col"}, t)))),
        h("tbody", null, rows.map(([name, o]) => h("tr", {class: name === "what if" ? "best" : ""}, h("th", {scope: "row"}, name),
          h("td", {class: "words"}, o.setting), h("td", null, percent(o.unserved, 3)), h("td", null, duration(o.longest)),
          h("td", null, number(Math.round(o.hours))), h("td", null, number(o.peak))))))),
      h("div", {class: "pair"}, h("div", null, h("h3", null, "What service costs"), a.wide ? [picture,
        h("p", {class: "chips"}, a.policies.map((p, i) => h("span", {class: `chip p-${p} main`}, p)))] :
        h("p", {class: "muted"}, "There is nothing to compare with.")),
      h("div", null, h("h3", null, "The plan now"), chart)),
      a.headline && a.headline.map(t => h("p", null, t)),
      a.notes && a.notes.length > 0 && h("ul", {class: "muted"}, a.notes.map(n => h("li", null, n))),
      a.manifest && h("details", null, h("summary", null, "The Forecast with this setting, to apply yourself"),
        h("div", {class: "manifest"}, copyButton(pre), pre)));
    this.drawPlans(chart, a, zone);
  }

  drawPlans(place, a, zone) {
    const plans = [["now", a.now.plan, color("c-demand"), 1], ["what if", a.asked.plan, color("c-served"), 2]].filter(([, p]) => p);
    if (!plans.length) {
      fill(place, h("p", {class: "muted"}, "Neither setting gives a plan."));
      return;
    }
    const tables = plans.map(([, p]) => [p.values.map((_, i) => p.start + i * p.step), p.values]);
    const series = plans.map(([label, , stroke, width]) => ({label, stroke, width, points: {show: false},
      value: (u, v) => number(v), paths: uPlot.paths.stepped({align: 1})}));
    if (plans.some(([, p]) => p.values.includes(null))) {
      place.after(h("p", {class: "muted"}, "Where there is no line, observed demand is served."));
    }
    new uPlot({
      width: place.clientWidth || 320, height: 280, series: [{label: "time", value: (u, t) => t === null ? "–" : stamp(t, zone)}].concat(series),
      tzDate: t => uPlot.tzDate(new Date(t * 1000), zone), axes: [axis({values: tickFormats}), axis({size: 56})],
      scales: {y: {range: (u, min, max) => [0, max > 0 ? max * 1.05 : 1]}},
    }, uPlot.join(tables), place);
  }
}
