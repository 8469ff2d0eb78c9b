// The week of declared peaks and named days.
import {h, fill, clock, day, duration, localZone, accessNotes, number, now} from "./dom.js";

const DAY = 86400;
const most = 300; // schedules that are shown at once

export class Week {
  constructor(place, follow) {
    this.place = place;
    this.follow = follow;
    this.zone = localZone();
    this.from = null; // the week that has the present
    document.title = "Peaks · Headstart";
    this.range = h("span", {class: "range muted", "aria-live": "polite"});
    this.filter = h("input", {type: "search", placeholder: "Filter by schedule, Forecast…", "aria-label": "Filter",
      title: "Press / to type here", input: () => this.draw()});
    this.zones = h("select", {"aria-label": "Time zone", change: () => { this.zone = this.zones.value; this.open(); }});
    this.body = h("div");
    const button = (text, days, label) => h("button", {type: "button", "aria-label": label, click: () => {
      this.from = days === 0 ? null : (this.from || now()) + days * DAY;
      this.open();
    }}, text);
    fill(place, h("h1", null, "Declared peaks ", this.range), h("div", {class: "tools"}, button("←", -7, "A week earlier"),
      button("Today", 0), button("→", 7, "A week later"), this.zones, this.filter), this.body);
    this.open();
  }

  open() {
    const at = this.from === null ? "" : "&from=" + Math.round(this.from);
    this.follow(`api/week?zone=${encodeURIComponent(this.zone)}${at}`, {week: w => { this.week = w; this.draw(); }});
  }

  draw() {
    const w = this.week;
    if (!w) return;
    this.drawZones(w);
    const days = w.midnights.slice(0, 7);
    this.range.textContent = `${day(days[0], w.zone)} to ${day(days[6], w.zone)}`;
    const asked = this.filter.value.toLowerCase();
    const rows = (w.schedules || []).filter(s => [s.id, ...(s.forecasts || []), ...(s.windows || []).map(x => x.window)].join(" ")
      .toLowerCase().includes(asked));
    fill(this.body, accessNotes(w.access.filter(a => a.kind === "peakschedules" || a.kind === "calendars")),
      (w.problems || []).map(p => h("p", {class: "issue bad"}, p)),
      h("div", {class: "scroll week"}, h("table", null,
        h("thead", null, h("tr", null, h("th", {scope: "col"}, "PeakSchedule"), days.map((t, i) => this.dayHead(t, i)))),
        h("tbody", null, rows.slice(0, most).map(s => this.row(s))))),
      !rows.length && h("p", {class: "muted"}, w.schedules && w.schedules.length ? "No PeakSchedule matches." :
        "There are no PeakSchedules that you may see."),
      rows.length > most && h("p", {class: "muted"}, `The first ${most} of ${rows.length} are shown. Filter to see others.`),
      h("p", {class: "muted"}, h("i", {class: "key pull"}), "declared peak ", h("i", {class: "key day"}), "named day ",
        h("i", {class: "key off"}), "no window starts on this day"));
  }

  drawZones(w) {
    const names = [...new Set([localZone(), w.zone, "UTC", ...(w.schedules || []).map(s => s.zone)])];
    if (names.join() !== this.zoneNames) {
      this.zoneNames = names.join();
      fill(this.zones, names.map(z => h("option", null, z)));
    }
    this.zones.value = w.zone;
  }

  dayHead(t, i) {
    const w = this.week, today = t <= now() && now() < w.midnights[i + 1];
    const named = (w.days || []).filter(d => d.from < w.midnights[i + 1] && d.to > t);
    return h("th", {scope: "col", class: today ? "today" : ""}, day(t, w.zone),
      [...new Set(named.map(d => d.name))].map(n => h("span", {class: "tag day", title: named.filter(d => d.name === n)
        .map(d => "Calendar " + d.calendar).join(", ")}, n)));
  }

  row(s) {
    const w = this.week, forecasts = s.forecasts || [];
    const name = h("th", {scope: "row"}, h("b", null, s.id), s.suspended && h("span", {class: "tag"}, "suspended"),
      h("span", {class: "muted"}, forecasts.length ? `for ${forecasts.slice(0, 4).join(", ")}` +
        (forecasts.length > 4 ? ` and ${forecasts.length - 4} more` : "") : "for no Forecast", ` · ${s.zone}`));
    const cells = w.midnights.slice(0, 7).map((from, i) => {
      const to = w.midnights[i + 1], here = (s.windows || []).filter(x => x.from < to && x.to > from);
      return h("td", {class: (s.excluded || []).includes(i) ? "off" : "", "data-title": day(from, w.zone)}, strip(here, from, to),
        here.map(x => h("div", {class: "window", title: `${x.window}: ${x.demand}, for ${duration(x.to - x.from)}`},
          h("b", null, x.from < from ? "…" : clock(x.from, w.zone)), "–", x.to > to ? "…" : clock(x.to, w.zone), " ",
          x.window, h("span", {class: "muted"}, " " + short(x.demand)))));
    });
    return h("tr", null, name, cells);
  }

  key(e, typing) {
    if (e.key === "/" && !typing) {
      this.filter.focus();
      return true;
    }
    if (e.key === "Escape" && typing) {
      this.filter.value = "";
      this.filter.blur();
      this.draw();
      return true;
    }
    return false;
  }
}

// strip shows where in a day the windows are.
function strip(windows, from, to) {
  if (!windows.length) return null;
  const x = t => (100 * (Math.min(to, Math.max(from, t)) - from) / (to - from)).toFixed(2);
  return h("svg:svg", {class: "strip", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true"},
    h("svg:rect", {class: "rail", width: 100, height: 6}),
    windows.map(w => h("svg:rect", {class: "on", x: x(w.from), width: Math.max(0.8, x(w.to) - x(w.from)).toFixed(2), height: 6})));
}

// short leaves the ramps out, which the title has.
const short = demand => demand.split(", ")[0].replace(/\d+(\.\d+)?/, n => number(Number(n)));
