package render

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"time"

	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// CSV implements Document. The columns are timestamp, demand, the demand that Headstart would have
// served, the demand that the forecast expected, and for each policy the replicas that are paid. An
// unknown value is empty.
func (d single) CSV(w io.Writer) error {
	out := csv.NewWriter(w) // keeps its first error until Flush
	head := []string{"timestamp", "demand", "served", "expected"}
	var run []report.Result
	for _, result := range d.report.Policies {
		if result.Figures != nil {
			run = append(run, result)
			head = append(head, result.Policy)
		}
	}
	_ = out.Write(head)
	steps := d.report.Steps
	for i, demand := range steps.Replayed() {
		served, expected := math.NaN(), math.NaN()
		if steps.Served != nil {
			served, expected = steps.Served[i], steps.Expected[i]
		}
		row := []string{
			steps.At(steps.From + i).UTC().Format(time.RFC3339), number(demand), number(served), number(expected),
		}
		for _, result := range run {
			row = append(row, number(result.Paid[i]))
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// CSV implements Document. The last column says why a Forecast or a policy was not replayed.
func (d several) CSV(w io.Writer) error {
	out := csv.NewWriter(w) // keeps its first error until Flush
	_ = out.Write([]string{
		"forecast", "policy", "unserved", "short", "replicaHours", "utilisation", "scalings", "costOverOracle", "notRun",
	})
	for _, one := range d.bundle.Reports {
		name := csvfile.Cell(one.Name)
		if one.Report == nil {
			_ = out.Write([]string{name, "", "", "", "", "", "", "", csvfile.Cell(one.NotRun)})
			continue
		}
		for _, result := range one.Report.Policies {
			row := []string{name, result.Policy, "", "", "", "", "", "", result.NotRun}
			if f := result.Figures; f != nil {
				row = []string{
					name, result.Policy, number(f.Unserved), number(f.Short), number(f.ReplicaHours),
					number(f.Utilisation), strconv.Itoa(f.Scalings), number(f.CostOverOracle), "",
				}
			}
			_ = out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

// number writes a number. NaN is empty.
func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return format.Number(v)
}
