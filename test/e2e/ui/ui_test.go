package ui_test

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/test/browser"
	"headstart.dev/headstart/test/harness"
)

// timeout bounds a wait. It is far longer than needed, because a machine may be slow.
const timeout = 2 * time.Minute

// serve runs headstart ui until the end of the test, and returns the address of the page.
func serve(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(world.layout.Bin, "headstart"), append([]string{"ui", "--no-open"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		killer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its exit code is looked at below
		killer.Stop()
		text := complaints.String() // without --prometheus, a note says that none was found
		if text != "" && !strings.HasPrefix(text, "note: the page shows no history") || cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("it ended with %d and wrote %q, want 0 and no more than a note", cmd.ProcessState.ExitCode(), text)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
		t.Fatalf("it began with %q, not with an address: %s", lines.Text(), complaints.String())
	}
	address := lines.Text()
	go func() {
		for lines.Scan() { // until it ends
		}
	}()
	return address
}

// page is the page in the browser.
type page struct {
	*testing.T
	b    *browser.Browser
	host string
}

// visit opens an address, and checks at the end of the test that nothing was wrong.
func visit(t *testing.T, address string, width int, scheme string) page {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := page{t, world.browser, u.Host}
	world.browser.Forget()
	p.must(p.b.Open(t.Context(), address, width, scheme))
	return p
}

// check fails the test if the page has a fault, or has asked another host than its own.
func (p page) check() {
	p.Helper()
	if problems := p.b.Problems(p.host); len(problems) > 0 {
		p.Errorf("the page has errors, or uses the network: %s", strings.Join(problems, "\n"))
	}
}

func (p page) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p page) eval(script string, out any) {
	p.Helper()
	p.must(p.b.Eval(p.Context(), script, out))
}

func (p page) until(condition string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), timeout)
	defer cancel()
	p.must(p.b.Until(ctx, condition))
}

func (p page) keys(names ...string) {
	p.Helper()
	for _, name := range names {
		p.must(p.b.Key(p.Context(), name))
	}
}

func (p page) text(selector string) (text string) {
	p.Helper()
	p.eval(fmt.Sprintf("document.querySelector(%q).textContent", selector), &text)
	return text
}

// picture saves a screenshot where HEADSTART_ARTIFACTS names a folder.
func (p page) picture(name string) {
	p.Helper()
	if dir := os.Getenv("HEADSTART_ARTIFACTS"); dir != "" {
		p.must(p.b.Screenshot(p.Context(), filepath.Join(dir, name+".png")))
	}
}

// fits fails the test if the page is wider than its window.
func (p page) fits() {
	p.Helper()
	var over float64
	p.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth", &over)
	if over > 0 {
		p.Errorf("the page is %v pixels too wide", over)
	}
}

const (
	allRows   = "document.querySelectorAll('.fleet tbody tr').length === 200"
	hasDemand = "[...document.querySelectorAll('.u-label')].some(e => e.textContent === 'demand')"
)

// The fleet is painted soon, and an update of the API is seen soon after.
func TestFleetIsLive(t *testing.T) {
	address := serve(t, world.cluster.Kubeconfig)
	began := time.Now()
	p := visit(t, address, 1280, "light")
	p.until(allRows)
	rows := time.Since(began)
	p.until("performance.getEntriesByName('first-contentful-paint').length")
	var painted float64
	p.eval("performance.getEntriesByName('first-contentful-paint')[0].startTime", &painted)
	t.Logf("first paint after %.0f ms, 200 rows after %.0f ms", painted, rows.Seconds()*1000)
	// On an idle machine, it is far less. This one may do other things.
	if painted > 10_000 {
		t.Errorf("the first paint took %.0f ms", painted)
	}
	var top string
	p.until("document.querySelector('.fleet tbody tr .reason.bad')")
	p.eval("document.querySelector('.fleet .reason').className", &top)
	if !strings.Contains(top, "bad") {
		t.Errorf("the first row has %q, not what is broken", top)
	}
	var longest time.Duration
	for i, mode := range []string{"DryRun", "Active", "DryRun", "Active", "Paused"} {
		before := time.Now()
		if err := world.cluster.Client.Discovery().RESTClient().Patch(types.MergePatchType).
			AbsPath("/apis/headstart.dev/v1alpha1/namespaces/research/forecasts/model-001").
			Body([]byte(`{"spec":{"mode":"` + mode + `"}}`)).Do(t.Context()).Error(); err != nil {
			t.Fatal(err)
		}
		p.until(fmt.Sprintf("(document.querySelector(\"tr[data-id='research/model-001'] .tag\") || "+
			"{textContent: 'Active'}).textContent === %q", mode))
		took := time.Since(before)
		longest = max(longest, took)
		t.Logf("change %d was seen after %.0f ms", i, took.Seconds()*1000)
	}
	if longest > 30*time.Second { // as above
		t.Errorf("a change was seen after %s", longest)
	}
	p.check()
}

// A user without a mouse finds a service, reads it, asks what if, and goes back.
func TestServiceByKeyboard(t *testing.T) {
	_, err := harness.AwaitForecast(t.Context(), world.cluster, "shop", "model-000", timeout, harness.Ready)
	if err != nil {
		t.Fatal(err)
	}
	p := visit(t, serve(t, world.cluster.Kubeconfig, "--prometheus", world.prometheus), 1280, "light")
	p.until(allRows)
	p.keys("/")
	for _, c := range "shop/model-000" {
		p.keys(string(c))
	}
	p.until("document.querySelectorAll('.fleet tbody tr').length === 1")
	p.keys("ArrowDown", "Enter")
	p.until("location.hash === '#/service/shop/model-000' && document.querySelectorAll('.uplot').length >= 2")
	// Demand is one of the lines as soon as the history is read.
	p.until(hasDemand)
	p.until("document.querySelector('.condition b')")
	p.until("document.querySelector('.peaks tbody tr')")
	p.until("document.querySelector('.starts tbody tr')")
	for selector, want := range map[string]string{
		".conditions": "HPALinted", ".peaks": "noon", ".facts": "Deployment/model-000", ".tiles": "of 5",
		".starts": "load", ".model": "1d",
	} {
		if got := p.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, without %q", selector, got, want)
		}
	}
	p.keys("w")
	p.eval(`document.querySelector(".whatif input").value = "0.8"`, nil)
	p.keys("Enter")
	p.until("document.querySelector('.outcomes') || document.querySelector('.answer .issue')")
	p.until("document.querySelector('.answer .uplot')")
	got := p.text(".answer")
	if !strings.Contains(got, "service level 0.8") || !strings.Contains(got, `serviceLevel: "0.8"`) {
		t.Errorf("what if says %q", got)
	}
	p.picture("ui-whatif-1280-light")
	p.eval("document.activeElement.blur()", nil)
	p.keys("u")
	p.until("location.hash === '#/' && " + allRows)
	p.keys("?")
	p.until("document.querySelector('dialog').open")
	p.keys("Escape")
	p.until("!document.querySelector('dialog').open")
	p.keys("p")
	p.until("document.querySelector('.week .window')")
	p.check()
}

// A user with rights in one namespace sees that, and why not the rest.
func TestUserOfOneNamespace(t *testing.T) {
	kubeconfig, err := world.cluster.ServiceAccountKubeconfig(t.Context(), "shop", "reader")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.cluster.Kubectl(t.Context(), nil, "config", "set-context", "local", "--namespace=shop",
		"--kubeconfig="+kubeconfig); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"default": nil, "named": {"--namespaces", "shop,research"}} {
		t.Run(name, func(t *testing.T) {
			p := visit(t, serve(t, kubeconfig, args...), 1280, "light")
			p.until("document.querySelectorAll('.fleet tbody tr').length === 100")
			p.until("document.querySelector('.access')")
			where := "in all namespaces"
			if args != nil {
				where = "in namespace research"
			}
			p.until("/You may not list [a-z., ]*forecasts[a-z., ]* " + where +
				"/.test(document.querySelector('.access').textContent)")
			var foreign int
			p.eval("document.querySelectorAll(\".fleet tbody tr:not([data-id^='shop/'])\").length", &foreign)
			if foreign > 0 {
				t.Errorf("%d rows are of other namespaces", foreign)
			}
			p.picture("ui-denied-" + name)
			p.eval("location.hash = '#/service/research/model-001'", nil)
			p.until("(document.querySelector('.problem') || {textContent: ''}).textContent.includes('may not list')")
			p.check()
		})
	}
}

// The page prints in light colours, and is dark again afterwards.
func TestPrints(t *testing.T) {
	p := visit(t, serve(t, world.cluster.Kubeconfig)+"#/service/shop/model-000", 1280, "dark")
	p.until("document.querySelectorAll('.uplot').length >= 2")
	var printed struct{ Data []byte }
	p.must(p.b.Call(t.Context(), "Page.printToPDF", map[string]any{"printBackground": true}, &printed))
	if dir := os.Getenv("HEADSTART_ARTIFACTS"); dir != "" {
		p.must(os.WriteFile(filepath.Join(dir, "ui-service.pdf"), printed.Data, 0o644))
	}
	if !strings.HasPrefix(string(printed.Data), "%PDF") {
		t.Errorf("it prints %.20q", printed.Data)
	}
	p.until("document.documentElement.dataset.theme === undefined && document.querySelectorAll('.uplot').length >= 2")
	p.check()
}

// The page works on a wide screen and on a phone, in light and dark.
func TestSizesAndSchemes(t *testing.T) {
	address := serve(t, world.cluster.Kubeconfig, "--prometheus", world.prometheus)
	views := []struct{ name, hash, ready string }{
		{"fleet", "#/", allRows},
		{
			"service", "#/service/shop/model-000",
			"document.querySelector('.condition') && document.querySelector('.starts tbody tr') && " + hasDemand,
		},
		{"week", "#/week", "document.querySelector('.week .window')"},
	}
	for _, width := range []int{1280, 400} {
		for _, scheme := range []string{"light", "dark"} {
			for _, v := range views {
				t.Run(fmt.Sprintf("%s-%d-%s", v.name, width, scheme), func(t *testing.T) {
					visit(t, "about:blank", width, scheme) // so that a changed # loads the page
					p := visit(t, address+v.hash, width, scheme)
					p.until(v.ready)
					p.fits()
					var light float64
					p.eval(`getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3)
						.reduce((a, c) => a + Number(c), 0)`, &light)
					if (light < 384) != (scheme == "dark") {
						t.Errorf("the background's lightness is %v", light)
					}
					if v.name == "fleet" { // the picture need not have all rows
						p.eval("[...document.querySelectorAll('.fleet tbody tr')].slice(25).forEach(e => e.remove())", nil)
					}
					p.picture(fmt.Sprintf("ui-%s-%d-%s", v.name, width, scheme))
					p.check()
				})
			}
		}
	}
}
