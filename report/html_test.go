package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
)

// page renders a replay with everything that a page can show.
func page(t *testing.T) (*Report, []byte) {
	t.Helper()
	peaks, err := ReadPeaks(strings.NewReader(noonYAML))
	if err != nil {
		t.Fatal(err)
	}
	s := load(t, filepath.Join("..", "testdata", "gaps_10m.csv.gz"))
	o := DefaultOptions()
	o.Series, o.From, o.Lead, o.Capacity, o.Contract = s, len(s.Values)/2, 10*time.Minute, 20, forecaster.Contract{ServiceLevel: 0.95}
	o.Name, o.Peaks, o.Policies, o.Headroom = `</script><b>"gaps"`, peaks.Schedules, AllPolicies(), true
	o.GPUs, o.Price, o.Sweep = 2, 3, []time.Duration{20 * time.Minute}
	o.Days = []forecaster.Day{{Name: "holiday", Start: s.Start.Add(48 * time.Hour), End: s.Start.Add(72 * time.Hour)}}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.Bytes()
}

func TestHTMLIsSelfContained(t *testing.T) {
	r, text := page(t)
	if found := regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:)?//`).Find(text); found != nil {
		t.Errorf("the page refers to the network: %s", found)
	}
	if bytes.Contains(text, []byte(`<b>"gaps"`)) {
		t.Error("the name of the series is not escaped")
	}
	for _, want := range []string{"Permission is hereby granted", "uPlot", html.EscapeString(r.Verdict), "kind: HorizontalPodAutoscaler", "head-room"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Four weeks of minutes with all policies stay under 2 MB.
func TestHTMLSize(t *testing.T) {
	values := make([]float64, 28*1440)
	for i := range values {
		values[i] = 12345.678 * (2 + math.Sin(2*math.Pi*float64(i)/1440) + 0.3*math.Sin(float64(i*i%977)))
	}
	o := DefaultOptions()
	o.Series = history.Series{Start: start, Step: time.Minute, Values: values}
	o.From, o.Lead, o.Capacity, o.Contract = 14*1440, 10*time.Minute, 1000, forecaster.Contract{ShortageCost: 20}
	o.Policies = nil
	for _, name := range AllPolicies() {
		if policies[name].demand != nil && name != PolicyCrane {
			o.Policies = append(o.Policies, name)
		}
	}
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	noisy := r.Policies[1] // stands for the replays, which are not worth their time here
	for len(r.Policies) < len(AllPolicies()) {
		r.Policies = append(r.Policies, noisy)
	}
	r.replay = &Replay{Served: values[o.From:], Expected: values[o.From:]}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 2_000_000 {
		t.Errorf("the page has %d bytes", b.Len())
	}
	t.Logf("%d bytes for four weeks of minutes", b.Len())
}

// probe uses the page as a reader would, and leaves what it saw in the document.
const probe = `<script>
(async function () {
  const frame = () => new Promise(done => setTimeout(done, 60));
  const text = id => document.getElementById(id).textContent;
  const saw = {errors: window.trapped, resources: performance.getEntriesByType("resource").map(e => e.name), charts: document.querySelectorAll(".uplot canvas").length};
  const over = () => document.querySelector("#demand .u-over");
  const mouse = (type, target, x) => { const box = over().getBoundingClientRect(); target.dispatchEvent(new MouseEvent(type, {bubbles: true, cancelable: true, view: window, button: 0, movementX: 5, clientX: box.left + x, clientY: box.top + 40})); };
  const key = async k => { document.getElementById("demand").dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true, cancelable: true})); await frame(); };
  await frame();
  saw.whole = text("range");
  const width = over().getBoundingClientRect().width;
  mouse("mousemove", over(), width * 0.6); await frame();
  mouse("mousedown", over(), width * 0.6); mouse("mousemove", over(), width * 0.7); await frame();
  mouse("mousemove", document, width * 0.7); mouse("mouseup", document, width * 0.7); await frame();
  saw.dragged = text("range");
  mouse("mousemove", over(), width * 0.5); await frame();
  saw.hover = Array.from(document.querySelectorAll("#demand .u-legend .u-series")).map(e => [e.querySelector(".u-label").textContent, e.querySelector(".u-value").textContent]);
  saw.hoverReplicas = Array.from(document.querySelectorAll("#replicas .u-legend .u-series")).map(e => [e.querySelector(".u-label").textContent, e.querySelector(".u-value").textContent]);
  await key("ArrowRight"); saw.panned = text("range");
  await key("+"); saw.zoomed = text("range");
  await key("Home"); saw.home = text("range");
  saw.tabs = Array.from(document.querySelectorAll("button, [tabindex='0'], summary")).length;
  saw.light = getComputedStyle(document.body).backgroundColor;
  document.getElementById("theme").click(); await frame();
  saw.dark = getComputedStyle(document.body).backgroundColor;
  saw.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const out = document.createElement("pre"); out.id = "probe"; out.textContent = JSON.stringify(saw); document.body.append(out);
})();
</script></body>`

const trap = `<head><script>window.trapped = [];
addEventListener("error", e => trapped.push(String(e.message))); addEventListener("unhandledrejection", e => trapped.push(String(e.reason)));
addEventListener("securitypolicyviolation", e => trapped.push("blocked " + e.blockedURI));
for (const kind of ["error", "warn"]) { const was = console[kind]; console[kind] = (...a) => { trapped.push(a.join(" ")); was(...a); }; }</script>`

// chromium runs a headless browser on a page and returns what it wrote; false where there is none.
func chromium(t *testing.T, path string, args ...string) (string, bool) {
	t.Helper()
	browser := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			browser = found
			break
		}
	}
	if browser == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no chromium, and CHROMIUM does not name one: in CI the page has to be seen in a browser")
		}
		t.Log("NOT SEEN IN A BROWSER: there is no chromium here, and CHROMIUM does not name one")
		return "", false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
	}, append(args, "file://"+path)...)
	out, err := exec.CommandContext(ctx, browser, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	return string(out), true
}

// The page does in a real browser what it promises: no error, no request, zoom, readout, keyboard, dark, and no overflow.
func TestHTMLInABrowser(t *testing.T) {
	r, text := page(t)
	probed := strings.Replace(strings.Replace(string(text), "<head>", trap, 1), "</body>", probe, 1)
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, []byte(probed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{1280, 400} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			dom, ok := chromium(t, path, fmt.Sprintf("--window-size=%d,1400", width), "--virtual-time-budget=8000", "--dump-dom")
			if !ok {
				return
			}
			_, rest, found := strings.Cut(dom, `<pre id="probe">`)
			if !found {
				t.Fatal("the page did not come to the end of the probe")
			}
			rest, _, _ = strings.Cut(rest, "</pre>")
			var saw struct {
				Errors, Resources                    []string
				Charts, Tabs                         int
				Whole, Dragged, Panned, Zoomed, Home string
				Hover, HoverReplicas                 [][2]string
				Light, Dark                          string
				Overflow                             float64
			}
			if err := json.Unmarshal([]byte(html.UnescapeString(rest)), &saw); err != nil {
				t.Fatal(err)
			}
			if len(saw.Errors) > 0 || len(saw.Resources) > 0 {
				t.Errorf("errors %q, requests %q", saw.Errors, saw.Resources)
			}
			if saw.Charts != 2 || saw.Tabs < 10 {
				t.Errorf("%d charts, %d stops for the keyboard", saw.Charts, saw.Tabs)
			}
			if saw.Dragged == saw.Whole || saw.Panned == saw.Dragged || saw.Zoomed == saw.Panned || saw.Home != saw.Whole {
				t.Errorf("ranges: whole %s, dragged %s, panned %s, zoomed %s, home %s", saw.Whole, saw.Dragged, saw.Panned, saw.Zoomed, saw.Home)
			}
			if saw.Light == saw.Dark || saw.Overflow > 0 {
				t.Errorf("background %s, dark %s; %v pixels too wide", saw.Light, saw.Dark, saw.Overflow)
			}
			checkReadout(t, r, saw.Hover, saw.HoverReplicas)
		})
	}
}

// checkReadout compares what the legend shows with the replay itself.
func checkReadout(t *testing.T, r *Report, demand, replicas [][2]string) {
	t.Helper()
	at, err := time.Parse("Mon 2006-01-02 15:04", demand[0][1])
	if err != nil {
		t.Fatalf("the legend begins with %q", demand[0])
	}
	i := int(at.Sub(r.trace.start) / r.trace.step)
	k := i - r.trace.from
	if k < 0 {
		t.Fatalf("the probe looked at %s, before the replay", at)
	}
	want := map[string]float64{"demand": r.trace.raw[i], "served": r.replay.Served[k], "expected": r.replay.Expected[k]}
	for _, p := range r.Policies {
		if p.Figures != nil {
			want[p.Policy] = p.ready[k]
		}
	}
	seen := 0
	for _, pair := range append(demand[1:], replicas[1:]...) {
		name := strings.TrimSuffix(pair[0], ":")
		v, ok := want[name]
		if !ok || pair[1] == "–" || pair[1] == "--" {
			continue // a hidden line shows nothing
		}
		seen++
		if got := mustFloat(pair[1]); math.Abs(got-v) > 1e-4*math.Abs(v) {
			t.Errorf("at %s the legend says %s of %s, the replay %v", at, pair[1], name, v)
		}
	}
	if seen < 5 {
		t.Errorf("only %d values to compare in %v %v", seen, demand, replicas)
	}
}

// Screenshots are kept where HEADSTART_ARTIFACTS says, for people to look at.
func TestHTMLScreenshots(t *testing.T) {
	dir := os.Getenv("HEADSTART_ARTIFACTS")
	if dir == "" {
		t.Log("no screenshots are kept: HEADSTART_ARTIFACTS names no folder")
		return
	}
	_, text := page(t)
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{1280, 400} {
		shot := filepath.Join(dir, fmt.Sprintf("report-%d.png", width))
		if _, ok := chromium(t, path, fmt.Sprintf("--window-size=%d,3600", width), "--virtual-time-budget=3000", "--screenshot="+shot); ok && !exists(shot) {
			t.Errorf("there is no %s", shot)
		}
	}
}
