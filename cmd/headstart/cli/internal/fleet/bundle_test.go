package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// oneOfMany returns a function that makes reports, each with a saving of its own.
func oneOfMany(t *testing.T) func(saved float64) *report.Report {
	t.Helper()
	o := report.DefaultOptions()
	values := make([]float64, 7*24)
	for i := range values {
		values[i] = 50 - 40*math.Cos(2*math.Pi*float64(i)/24)
	}
	o.Series = history.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: time.Hour, Values: values}
	o.From, o.Lead, o.Capacity, o.Contract = 4*24, time.Hour, 10, forecaster.Contract{ShortageCost: 20}
	o.Policies = []string{report.PolicyHeadstart, report.PolicyHPA}
	one, err := report.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return func(saved float64) *report.Report {
		r, today, figures := *one, *one.Baseline, *one.Baseline.Figures
		hours := figures.ReplicaHours - saved
		figures.HeadstartHours, today.Figures = &hours, &figures
		r.Baseline, r.Policies = &today, slices.Clone(one.Policies)
		return &r
	}
}

// A bundle of many services keeps the details of those that save most, and the figures of all.
func TestBundleKeepsTheDetailsThatMatter(t *testing.T) {
	of := oneOfMany(t)
	const services = detailedServices + 20
	for _, output := range []string{"text", "html", "json", "csv"} {
		t.Run(output, func(t *testing.T) {
			b := Bundler{Title: "all", What: "services", Output: output}
			for i := range services {
				b.Add(fmt.Sprint("service-", i), of(float64((i*37)%services)), nil)
			}
			var page bytes.Buffer
			err := b.Write(func(d render.Document) error {
				return map[string]func() error{
					"text": func() error { return d.Text(&page, render.TextOptions{}) },
					"html": func() error { return d.HTML(&page) },
					"json": func() error { return d.JSON(&page) },
					"csv":  func() error { return d.CSV(&page) },
				}[output]()
			})
			if err != nil {
				t.Fatal(err)
			}
			detailed := 0
			for i, one := range b.reports {
				p, _ := one.Report.Result(report.PolicyHPA)
				if p.Figures == nil || one.Report.Decision == nil {
					t.Errorf("%s lost its figures", one.Name)
				}
				if p.Paid == nil {
					continue
				}
				if detailed++; (i*37)%services < services-detailedServices {
					t.Errorf("%s saves less than others, and has details", one.Name)
				}
			}
			want := map[string]int{"text": detailedServices, "html": detailedServices}[output]
			if detailed != want {
				t.Errorf("%d services have details, want %d", detailed, want)
			}
			if missing := fmt.Sprint("service-", services-1); !strings.Contains(page.String(), missing) {
				t.Errorf("%s is missing", missing)
			}
			if says := strings.Contains(page.String(), fmt.Sprintf("the %d services", want)); says != (want > 0) {
				t.Errorf("the output says that details are left out: %v", says)
			}
			if lines := bytes.Count(page.Bytes(), []byte(`"frontier"`)); output == "json" && lines != 2*services {
				t.Errorf("JSON has %d frontiers, want %d", lines, 2*services)
			}
			if output == "json" && !json.Valid(page.Bytes()) {
				t.Error("not JSON")
			}
		})
	}
}

// An error names a few of the services that failed, not thousands.
func TestBundleNamesAFewFailures(t *testing.T) {
	b := Bundler{What: "services", Output: "csv"}
	b.Add("good", oneOfMany(t)(1), nil)
	for i := range 1000 {
		b.Add(fmt.Sprint("bad-", i), nil, errors.New("no rows"))
	}
	err := b.Write(func(render.Document) error { return nil })
	if err == nil || !strings.HasSuffix(err.Error(), "bad-4: no rows; and 995 more") ||
		!strings.HasPrefix(err.Error(), "1000 of 1001 services") {
		t.Errorf("%v", err)
	}
}
