package render

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report"
)

// The page works in a real browser, on a wide screen and on a phone: no errors, no requests, no
// overflow; zoom, readout, keyboard and dark mode. HEADSTART_ARTIFACTS names a folder for
// screenshots.
func TestHTMLInABrowser(t *testing.T) {
	b := openBrowser(t)
	r, text := examplePage(t)
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{1280, 400} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d-%s", width, scheme), func(t *testing.T) {
				b.t = t
				b.open(path, width, scheme)
				if dir := os.Getenv("HEADSTART_ARTIFACTS"); dir != "" {
					b.screenshot(filepath.Join(dir, fmt.Sprintf("report-%d-%s.png", width, scheme)))
				}
				checkFirstScreen(t, b)
				checkRanges(t, b)
				checkReadout(t, r, b)
				checkKeys(t, b)
				checkScheme(t, b, scheme)
				if problems := b.problems(path); len(problems) > 0 {
					t.Errorf("the page has errors, or uses the network: %s", strings.Join(problems, "\n"))
				}
			})
		}
	}
}

// The tests can fail: they notice a page that has errors and uses the network.
func TestBrowserNoticesProblems(t *testing.T) {
	b := openBrowser(t)
	_, text := examplePage(t)
	path := filepath.Join(t.TempDir(), "page.html")
	const faults = `<img src="http://example.invalid/x.png"><script>console.error("oh"); missing();</script></body>`
	bad := bytes.Replace(text, []byte("</body>"), []byte(faults), 1)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	b.open(path, 1280, "light")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // events may arrive late
		problems := strings.Join(b.problems(path), "\n")
		missing := slices.DeleteFunc([]string{"exceptionThrown", "consoleAPICalled", "Log.entryAdded"},
			func(want string) bool { return strings.Contains(problems, want) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q were not noticed in %s", missing, problems)
		}
	}
}

// checkFirstScreen looks at the tiles, the picture of the frontiers and the copy buttons.
func checkFirstScreen(t *testing.T, b *browser) {
	t.Helper()
	served := func() (text string) {
		b.eval(`document.querySelector(".tiles:not([hidden]) .value").textContent`, &text)
		return text
	}
	before := served()
	b.eval(`document.querySelector("[data-setting=asked]").click()`, nil)
	var shown int
	b.eval(`document.querySelectorAll(".tiles:not([hidden])").length`, &shown)
	if after := served(); shown != 1 || after == before {
		t.Errorf("%d sets of tiles are shown, and the first says %s, and %s before", shown, after, before)
	}
	b.eval(`(() => {
		const set = (selector, value) => {
			const input = document.querySelector(selector);
			input.value = value;
			input.dispatchEvent(new Event("input", {bubbles: true}));
		};
		set(".amount", "7.5");
		set(".currency", "CHF");
	})()`, nil)
	if money := b.text(".tiles:not([hidden]) [data-month] .value"); !strings.HasSuffix(money, " CHF") {
		t.Errorf("the tile of money says %q", money)
	}
	var stale []string
	b.eval(`Array.from(document.querySelectorAll("td.money"))
		.filter(e => e.textContent !== Math.round(e.dataset.hours * 7.5).toLocaleString("en-US"))
		.map(e => e.textContent)`, &stale)
	if name := b.text("th.money"); len(stale) > 0 || name != "money in CHF" {
		t.Errorf("the table has %q at another price, under %q", stale, name)
	}
	b.eval(`document.querySelector(".modes button").click()`, nil)
	var lines int
	b.eval(`Array.from(document.querySelectorAll("svg.frontier"))
		.filter(s => s.clientWidth > 0)
		.filter(s => s.querySelector("polyline.head") && s.querySelector("polyline.today")).length`, &lines)
	if lines != 1 {
		t.Errorf("%d pictures of the frontiers are shown", lines)
	}
	var colours []string
	b.eval(`["polyline.head", "circle.p-headstart"].map(s => {
		const style = getComputedStyle(document.querySelector(".frontier " + s));
		return s.startsWith("circle") ? style.fill : style.stroke;
	})`, &colours)
	if colours[0] != colours[1] || colours[0] == "none" {
		t.Errorf("Headstart has the colours %v", colours)
	}
	checkCapacityPicture(t, b)
	b.eval(`document.querySelector(".copy").click()`, nil)
	var copied bool
	b.eval(`getSelection().toString().trim().startsWith("apiVersion: headstart.dev/v1alpha1")`, &copied)
	if label := b.text(".copy"); !copied || label == "Copy" {
		t.Errorf("the button says %q, and the manifest is selected: %v", label, copied)
	}
	b.eval(`getSelection().removeAllRanges()`, nil)
}

// checkCapacityPicture looks at the picture of latency against load per replica.
func checkCapacityPicture(t *testing.T, b *browser) {
	t.Helper()
	var shown int
	b.eval(`Array.from(document.querySelectorAll("svg.capacity"))
		.filter(s => s.clientWidth > 0)
		.filter(s => s.querySelectorAll("polyline").length === 2 && s.querySelectorAll("line.objective").length === 1)
		.length`, &shown)
	if shown != 1 {
		t.Errorf("%d pictures of the capacity are shown", shown)
	}
	var outside []string
	b.eval(`Array.from(document.querySelectorAll("svg.capacity")).filter(s => s.clientWidth > 0).flatMap(s => {
		const page = s.getBoundingClientRect();
		return Array.from(s.querySelectorAll("text"), e => [e, e.getBoundingClientRect()])
			.filter(([, r]) => r.left < page.left - 1 || r.right > page.right + 1 || r.bottom > page.bottom + 1)
			.map(([e]) => e.textContent);
	})`, &outside)
	if len(outside) > 0 {
		t.Errorf("these words are cut: %q", outside)
	}
	var strokes []string
	b.eval(`["line.objective", "line.estimate", "polyline.quantile"]
		.map(s => getComputedStyle(document.querySelector(".capacity " + s)).stroke)`, &strokes)
	for _, stroke := range strokes {
		if stroke == "none" || stroke == "" {
			t.Errorf("a line has no colour: %q", strokes)
		}
	}
}

// The page of the default policies prints on two pages.
func TestHTMLPrintsOnTwoPages(t *testing.T) {
	b := openBrowser(t)
	o := report.DefaultOptions()
	o.Series, o.Contract, o.Name = invented(3), forecaster.Contract{ShortageCost: 20}, "checkout"
	o.Lead, o.Capacity, o.From, o.GPUs, o.Price, o.Currency = time.Hour, 5, 14*24, 2, 2.5, "EUR"
	r, err := report.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Report(r).HTML(&text); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open(path, 1280, "light")
	var printed struct{ Data []byte }
	b.call("Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true}, &printed)
	if dir := os.Getenv("HEADSTART_ARTIFACTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "report.pdf"), printed.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(printed.Data, -1)); n != 2 {
		t.Errorf("it prints on %d pages", n)
	}
}

// box is a rectangle of the page, in pixels.
type box struct{ X, Y, Width, Height float64 }

// plot scrolls to the chart of demand and returns the place of its plot.
func (b *browser) plot() (at box) {
	b.t.Helper()
	b.eval(`(() => {
		const e = document.querySelector(".demand .u-over");
		e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect();
		return {x: r.x, y: r.y, width: r.width, height: r.height};
	})()`, &at)
	return at
}

func checkRanges(t *testing.T, b *browser) {
	t.Helper()
	b.eval("document.querySelector('[data-range=all]').click()", nil)
	whole := b.text(".range")
	at := b.plot()
	y := at.Y + at.Height/2
	b.mouse("mouseMoved", at.X+at.Width*0.6, y, false)
	b.mouse("mousePressed", at.X+at.Width*0.6, y, true)
	b.mouse("mouseMoved", at.X+at.Width*0.7, y, true)
	b.mouse("mouseMoved", at.X+at.Width*0.75, y, true)
	b.mouse("mouseReleased", at.X+at.Width*0.75, y, true)
	b.until(fmt.Sprintf("document.querySelector('.range').textContent !== %q", whole))
	for _, press := range []string{
		"[data-range=worst]", "[data-range=week]", "[data-pan='-1']", "[data-zoom='0.5']", "[data-range=all]",
	} {
		before := b.text(".range")
		b.eval(fmt.Sprintf("document.querySelector(%q).click()", press), nil)
		if after := b.text(".range"); after == before {
			t.Errorf("the button %s leaves the range at %s", press, before)
		}
	}
	if again := b.text(".range"); again != whole {
		t.Errorf("the whole range is %s, and was %s", again, whole)
	}
}

func checkKeys(t *testing.T, b *browser) {
	t.Helper()
	whole := b.text(".range")
	b.eval(`document.querySelector(".chart.demand").focus()`, nil)
	for _, key := range []string{"+", "+", "ArrowRight", "-", "Home"} {
		before := b.text(".range")
		b.key(key)
		if after := b.text(".range"); after == before {
			t.Errorf("the key %s leaves the range at %s", key, before)
		}
	}
	if again := b.text(".range"); again != whole {
		t.Errorf("after Home the range is %s, and was %s", again, whole)
	}
	before := b.text(".demand .u-series .u-value")
	b.key(".")
	if after := b.text(".demand .u-series .u-value"); after == before {
		t.Errorf("the key . leaves the readout at %s", before)
	}
	// Everything that can be clicked can be reached by the keyboard.
	var stops int
	b.eval(`document.querySelectorAll("button, [tabindex='0'], summary").length`, &stops)
	if stops < 10 {
		t.Errorf("the keyboard reaches only %d elements", stops)
	}
}

func checkScheme(t *testing.T, b *browser, scheme string) {
	t.Helper()
	lightness := func() (sum float64) {
		b.eval(`getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3)
			.reduce((a, c) => a + Number(c), 0)`, &sum)
		return sum
	}
	if l := lightness(); (l < 384) != (scheme == "dark") {
		t.Errorf("the background's lightness is %v in %s", l, scheme)
	}
	before := lightness()
	b.eval(`document.querySelector(".theme").click()`, nil)
	if (lightness() < 384) == (before < 384) {
		t.Error("the button does not switch between light and dark")
	}
	var overflow float64
	b.eval(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow)
	if overflow > 0 {
		t.Errorf("the page is %v pixels too wide", overflow)
	}
}

// checkReadout moves the pointer over a chart, and compares the legend with the replay.
func checkReadout(t *testing.T, r *report.Report, b *browser) {
	t.Helper()
	b.eval("document.querySelector('[data-range=replay]').click()", nil)
	at := b.plot()
	b.mouse("mouseMoved", at.X+at.Width*0.37, at.Y+at.Height/2, false)
	b.until(`/\d/.test(document.querySelector(".demand .u-series .u-value").textContent)`)
	var shown [][2]string
	b.eval(`Array.from(document.querySelectorAll(".u-legend .u-series"),
		e => [e.querySelector(".u-label").textContent, e.querySelector(".u-value").textContent])`, &shown)
	stamp, _, _ := strings.Cut(shown[0][1], " · ")
	hovered, err := time.Parse("Mon 2006-01-02 15:04", stamp)
	if err != nil {
		t.Fatalf("the legend begins with %q", shown[0])
	}
	i := int(hovered.Sub(r.Steps.Start) / r.Steps.Step)
	k := i - r.Steps.From
	if k < 0 {
		t.Fatalf("the pointer is at %s, before the replay", hovered)
	}
	want := map[string]float64{
		"demand": r.Steps.Demand[i], "served": r.Steps.Served[k], "expected": r.Steps.Expected[k],
	}
	for _, p := range r.Policies {
		if p.Figures != nil {
			want[p.Policy] = p.Ready[k]
		}
	}
	seen := 0
	for _, pair := range shown {
		name := strings.TrimSuffix(pair[0], ":")
		v, ok := want[name]
		if !ok || pair[1] == "–" || pair[1] == "--" {
			continue // a hidden line shows nothing
		}
		seen++
		if got, err := strconv.ParseFloat(pair[1], 64); err != nil || math.Abs(got-v) > 1e-4*math.Abs(v) {
			t.Errorf("at %s the legend says %s of %s, the replay %v", hovered, pair[1], name, v)
		}
	}
	if seen < 5 {
		t.Errorf("only %d values to compare in %v", seen, shown)
	}
	b.eval("document.querySelector('[data-range=all]').click()", nil)
}

// A page of several reports draws each report when it is opened.
func TestBundleInABrowser(t *testing.T) {
	b := openBrowser(t)
	r, _ := examplePage(t)
	var text bytes.Buffer
	if err := bundle(r).HTML(&text); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open(path, 1280, "light")
	var charts int
	if b.eval(`document.querySelectorAll(".uplot").length`, &charts); charts != 2 {
		t.Errorf("%d charts are drawn before a second report is opened", charts)
	}
	b.eval(`document.querySelectorAll(".index a")[1].click()`, nil)
	b.until(`document.querySelectorAll(".uplot").length === 4`)
	if dir := os.Getenv("HEADSTART_ARTIFACTS"); dir != "" {
		b.screenshot(filepath.Join(dir, "reports-1280.png"))
	}
	if problems := b.problems(path); len(problems) > 0 {
		t.Errorf("the page has errors, or uses the network: %s", strings.Join(problems, "\n"))
	}
}
