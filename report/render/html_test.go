package render

import (
	"bytes"
	"context"
	"html"
	"math"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/scheduler"
)

// example is a report with everything that a page can show. It is replayed once, because that takes
// long, and no test changes it.
var example = sync.OnceValues(func() (*report.Report, error) {
	s, err := load("gaps_10m.csv.gz")
	if err != nil {
		return nil, err
	}
	peaks, err := noon()
	if err != nil {
		return nil, err
	}
	holidays, err := scheduler.CompileCalendar("holidays", v1alpha1.CalendarSpec{Days: []v1alpha1.CalendarDay{{
		Name: "holiday", Dates: []string{s.Start.Add(48 * time.Hour).Format(time.DateOnly)},
	}}})
	if err != nil {
		return nil, err
	}
	learned, err := readGolden()
	if err != nil {
		return nil, err
	}
	o := report.DefaultOptions()
	o.Series, o.From, o.Lead, o.Capacity = s, len(s.Values)/2, 10*time.Minute, 20
	o.Contract = forecaster.Contract{ServiceLevel: 0.95}
	o.Name, o.Peaks, o.Policies, o.Headroom = `</script><b>"gaps"`, peaks.Schedules, report.AllPolicies(), true
	o.GPUs, o.Price, o.Sweep = 2, 3, []time.Duration{20 * time.Minute}
	o.Calendars = planner.Calendars{Named: []*scheduler.Calendar{holidays}}
	r, err := report.Run(context.Background(), o)
	if err != nil {
		return nil, err
	}
	r.Capacity = learned.Capacity
	return r, nil
})

// examplePage returns the example and its page.
func examplePage(t *testing.T) (*report.Report, []byte) {
	t.Helper()
	r, err := example()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Report(r).HTML(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.Bytes()
}

func TestHTMLIsSelfContained(t *testing.T) {
	r, text := examplePage(t)
	if found := regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:)?//`).Find(text); found != nil {
		t.Errorf("the page uses the network: %s", found)
	}
	if bytes.Contains(text, []byte(`<b>"gaps"`)) {
		t.Error("the name of the series is not escaped")
	}
	for _, want := range []string{
		"Permission is hereby granted", "uPlot", html.EscapeString(sentence(r.Decision.Reasons[0])),
		"kind: HorizontalPodAutoscaler", "headroom",
		"What a replica serves", "objective: at most 0.5", "estimate 21.2", "lower bound 19.6", "met in 99.3 % of the steps",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page does not contain %q", want)
		}
	}
}

// A page of four weeks of minutes with all policies has less than 2 MB.
func TestHTMLSize(t *testing.T) {
	values := make([]float64, 28*1440)
	for i := range values {
		values[i] = 12345.678 * (2 + math.Sin(2*math.Pi*float64(i)/1440) + 0.3*math.Sin(float64(i*i%977)))
	}
	o := report.DefaultOptions()
	o.Series = history.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: time.Minute, Values: values}
	o.From, o.Lead, o.Capacity = 14*1440, 10*time.Minute, 1000
	o.Contract = forecaster.Contract{ShortageCost: 20}
	// The replays and Crane would take long. Another policy takes their place below.
	slow := []string{report.PolicyHeadstart, report.PolicyHeadstartNoPeaks, report.PolicyCrane}
	o.Policies = slices.DeleteFunc(report.AllPolicies(), func(name string) bool { return slices.Contains(slow, name) })
	r, err := report.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	noisy := r.Policies[1]
	for len(r.Policies) < len(report.AllPolicies()) {
		r.Policies = append(r.Policies, noisy)
	}
	r.Steps.Served, r.Steps.Expected = values[o.From:], values[o.From:]
	var b bytes.Buffer
	if err := Report(r).HTML(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 2_000_000 {
		t.Errorf("the page has %d bytes", b.Len())
	}
	t.Logf("%d bytes for four weeks of minutes", b.Len())
}
