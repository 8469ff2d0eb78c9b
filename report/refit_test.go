package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history/csvfile"
)

// refitted returns by how much the replica-hours of a replay of its own differ from those of the
// frontier at the same service, as a share, for each setting. Where neither leaves demand unserved,
// the frontier may be cheaper without an error.
func refitted(t *testing.T, o Options) map[string]float64 {
	t.Helper()
	o.Policies, o.Headroom = []string{PolicyHeadstart, PolicyReactive}, false
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	head, _ := r.Result(PolicyHeadstart)
	out := map[string]float64{}
	for _, c := range knobs(o.Contract) {
		own := o
		own.Contract, own.alone, own.Policies = c, true, []string{PolicyHeadstart}
		alone, err := Run(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := alone.Result(PolicyHeadstart)
		if hours, ok := head.Frontier.HoursAt(got.Unserved); ok {
			out[contractName(c)] = hours/got.ReplicaHours - 1
		}
	}
	return out
}

// The frontier is close to replays of their own with the models fitted for each setting.
// HEADSTART_REFIT names a CSV file with a line for each trace: file, lead, history before the
// replay. docs/report.md has the figures for real ones.
func TestFrontierIsCloseToReplays(t *testing.T) {
	contracts := []forecaster.Contract{{ShortageCost: 20}, {ServiceLevel: 0.99}}
	if testing.Short() {
		contracts = contracts[:1]
	}
	list := os.Getenv("HEADSTART_REFIT")
	if list == "" {
		values := make([]float64, 21*24)
		for i := range values {
			wobble := math.Sin(float64(i*i%97)) + math.Sin(float64(i*i*7%89))
			values[i] = 100 - 60*math.Cos(2*math.Pi*float64(i)/24) + 12*wobble
		}
		for _, c := range contracts {
			o := optionsFor(values, 14*24)
			o.Series.Step, o.Lead, o.Contract = time.Hour, time.Hour, c
			for name, off := range refitted(t, o) {
				if math.Abs(off) > 0.25 {
					t.Errorf("%s: the frontier is off by %.1f %%", name, 100*off)
				}
			}
		}
		return
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		words := strings.Split(strings.TrimSpace(row), ",")
		all, err := csvfile.Open(words[0], csvfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lead, err := v1alpha1.Duration(words[1]).Parse()
		if err != nil {
			t.Fatal(err)
		}
		past, err := v1alpha1.Duration(words[2]).Parse()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range contracts {
			o := optionsFor(all[0].Series.Values, int(past/all[0].Series.Step))
			o.Series, o.Lead, o.Contract = all[0].Series, lead, c
			sum, n := 0.0, 0.0
			for _, v := range o.Series.Values[:o.From] {
				if !math.IsNaN(v) {
					sum, n = sum+v, n+1
				}
			}
			o.Capacity = sum / n / 20
			line := ""
			off := refitted(t, o)
			for _, k := range knobs(c) {
				if v, ok := off[contractName(k)]; ok {
					line += fmt.Sprintf(" %v: %+.1f %%", knob(k), 100*v)
				}
			}
			t.Logf("%s, from %s:%s", filepath.Base(words[0]), contractName(c), line)
		}
	}
}
