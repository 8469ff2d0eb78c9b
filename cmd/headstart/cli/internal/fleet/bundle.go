package fleet

import (
	"errors"
	"fmt"
	"strings"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/render"
)

// detailedServices is how many services of a bundle have more than a row in a text and on a page.
// Each takes about a megabyte of either.
const detailedServices = 50

// Bundler collects the reports of a bundle. It keeps no more of each than the output shows, so that
// thousands fit into memory.
type Bundler struct {
	Title  string
	What   string // what the services are called, such as Forecasts
	Output string // text, json, csv or html

	reports  []report.Bundled
	detailed []*report.Report
	failed   []string
	failures int
}

// Add adds the report of a service, or why there is none, or only one of a part.
func (b *Bundler) Add(name string, r *report.Report, err error) {
	one := report.Bundled{Name: name, Report: r}
	if err != nil {
		one.NotRun = err.Error()
		const named = 5
		if b.failures++; b.failures <= named {
			b.failed = append(b.failed, fmt.Sprintf("%s: %v", name, err))
		}
	}
	b.reports = append(b.reports, one)
	switch {
	case r == nil:
	case b.Output == "json":
		r.DropSteps()
	case b.Output == "csv":
		r.KeepFigures()
	default:
		b.keepDetails(r)
	}
}

// keepDetails keeps the details of the services that save most.
func (b *Bundler) keepDetails(r *report.Report) {
	b.detailed = append(b.detailed, r)
	if len(b.detailed) <= detailedServices {
		return
	}
	least := 0
	for i, other := range b.detailed {
		if other.Saved() < b.detailed[least].Saved() {
			least = i
		}
	}
	b.detailed[least].KeepFigures()
	b.detailed[least] = b.detailed[len(b.detailed)-1]
	b.detailed = b.detailed[:len(b.detailed)-1]
}

// Write writes the bundle. It returns an error that names services without a report.
func (b *Bundler) Write(write func(render.Document) error) error {
	failed := strings.Join(b.failed, "; ")
	if more := b.failures - len(b.failed); more > 0 {
		failed += fmt.Sprintf("; and %d more", more)
	}
	if b.failures == len(b.reports) {
		return errors.New(failed)
	}
	if err := write(render.Bundle(report.NewBundle(b.Title, b.reports))); err != nil {
		return err
	}
	if b.failures > 0 {
		return fmt.Errorf("%d of %d %s could not be replayed: %s", b.failures, len(b.reports), b.What, failed)
	}
	return nil
}
