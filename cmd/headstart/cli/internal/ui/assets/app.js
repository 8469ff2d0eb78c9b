// The page: which view is shown, the stream that feeds it, the theme and the keys.
import {h} from "./dom.js";
import {Fleet} from "./fleet.js";
import {Service} from "./service.js";
import {Week} from "./week.js";

const main = document.querySelector("main"), live = document.querySelector(".live");
const root = document.documentElement, help = document.querySelector("dialog.help");
let view = null, stream = null;

// about is what the server says about itself.
const about = fetch("api/about").then(r => r.json());
about.then(a => { document.querySelector(".context").textContent = a.context; }).catch(() => {});

function setLive(state) {
  live.dataset.state = state;
  live.lastElementChild.textContent = state;
}

// follow feeds the view with the events of a stream. The browser connects again by itself.
function follow(address, handlers) {
  if (stream) stream.close();
  setLive("connecting");
  stream = new EventSource(address);
  stream.onopen = () => setLive("live");
  stream.onerror = () => setLive(stream.readyState === EventSource.CLOSED ? "ended" : "reconnecting");
  for (const [name, handle] of Object.entries(handlers)) {
    stream.addEventListener(name, e => handle(JSON.parse(e.data)));
  }
}

// names splits the address behind the #.
function names() { return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent); }

function show() {
  const [page, namespace, name] = names();
  if (location.hash === "#main") return;
  if (view && view.close) view.close();
  const id = namespace + "/" + name;
  if (page === "service" && name) view = new Service(main, id, about, follow);
  else if (page === "week") view = new Week(main, follow);
  else view = new Fleet(main, follow);
  for (const a of document.querySelectorAll("nav a")) {
    const here = a.dataset.page === (page === "week" ? "week" : page === "service" ? "" : "fleet");
    if (here) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}
addEventListener("hashchange", show);

// The theme is that of the system until it is switched.
const dark = matchMedia("(prefers-color-scheme: dark)");
const redraw = () => { if (view && view.redraw) view.redraw(); };
function switchTheme() {
  const is = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = is === "dark" ? "light" : "dark";
  redraw();
}
dark.addEventListener("change", redraw);
document.querySelector(".theme").addEventListener("click", switchTheme);
document.querySelector(".keys").addEventListener("click", () => help.showModal());
document.querySelector(".skip").addEventListener("click", e => { e.preventDefault(); main.focus(); });

let themeBefore; // printing is always light
addEventListener("beforeprint", () => {
  themeBefore = root.dataset.theme;
  root.dataset.theme = "light";
  redraw();
});
addEventListener("afterprint", () => {
  if (themeBefore) root.dataset.theme = themeBefore;
  else delete root.dataset.theme;
  redraw();
});

const keys = {
  f: () => { location.hash = "#/"; }, u: () => { location.hash = "#/"; }, p: () => { location.hash = "#/week"; },
  t: switchTheme, "?": () => help.showModal(),
};

addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || help.open) return;
  const typing = e.target.closest("input, select, textarea");
  if (view && view.key && view.key(e, Boolean(typing))) {
    e.preventDefault();
    return;
  }
  if (typing || !keys[e.key]) return;
  keys[e.key]();
  e.preventDefault();
});

// A fault is shown, and not only in the console.
addEventListener("error", e => { main.prepend(h("p", {class: "problem"}, `This page has a fault: ${e.message}`)); });

show();
