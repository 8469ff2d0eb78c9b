package learned

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/pflag"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report/learned"
)

// Flags say what the capacity is learned from in a dry run.
type Flags struct {
	latency, replicas string
	atMost, attain    float64
}

// Register registers the flags.
func (f *Flags) Register(flags *pflag.FlagSet) {
	flags.StringVar(&f.latency, "latency", "",
		"learn the capacity from this latency: a CSV `FILE` beside --input, PromQL beside --prometheus")
	flags.StringVar(&f.replicas, "replicas", "", "ready replicas, for --latency: a CSV `FILE` or PromQL")
	flags.Float64Var(&f.atMost, "at-most", 0,
		"objective: the `LATENCY` that a step must not exceed, in the unit of --latency")
	flags.Float64Var(&f.attain, "attain", 0,
		"`SHARE` of the steps that must meet --at-most (default that of the Forecast, or 0.99)")
}

// Given reports whether the capacity is to be learned by the flags.
func (f *Flags) Given() bool {
	return f.latency != "" || f.replicas != "" || f.atMost != 0 || f.attain != 0
}

// Evidence reads what the capacity is learned from, for the steps of a demand. set are those of a
// Forecast, or nil. source is nil for files. It returns nil where nothing asks for it, and notes.
func (f *Flags) Evidence(
	ctx context.Context, set *planner.Settings, source Source, demand history.Series, progress func(done, total int),
) (*learned.Evidence, []string, error) {
	asked := set != nil && set.Learn != nil
	if !f.Given() && !asked {
		return nil, nil, nil
	}
	objective, err := f.objective(set)
	if err != nil {
		return nil, nil, err
	}
	out := &learned.Evidence{Objective: objective}
	if source != nil {
		read, err := Read(ctx, source, objective, demand, progress)
		out.Latency, out.Replicas = read.Latency, read.Replicas
		return out, read.Notes, err
	}
	if f.latency == "" || f.replicas == "" {
		if f.Given() {
			return nil, nil, errors.New("--at-most needs --latency and --replicas, the files to learn from")
		}
		note := "the capacity is not learned in this report: give --latency and --replicas, two files beside --input"
		return nil, []string{note}, nil
	}
	// A file has no query to propose.
	out.Objective.Query, out.Objective.ReplicasQuery = "", ""
	if out.Latency, err = readFile("--latency", f.latency, demand.Step); err != nil {
		return nil, nil, err
	}
	out.Replicas, err = readFile("--replicas", f.replicas, demand.Step)
	return out, nil, err
}

// objective returns that of a Forecast, as far as no flag says otherwise.
func (f *Flags) objective(set *planner.Settings) (planner.LearnSettings, error) {
	out := planner.LearnSettings{Attain: planner.DefaultAttain, Max: math.Inf(1)}
	if set != nil && set.Learn != nil {
		out = *set.Learn
	}
	if f.attain != 0 {
		out.Attain = f.attain
	}
	if f.latency != "" {
		out.Query = f.latency
	}
	if f.replicas != "" {
		out.ReplicasQuery = f.replicas
	}
	if f.atMost != 0 {
		out.AtMost = f.atMost
	}
	switch {
	case out.Query == "" || out.ReplicasQuery == "" && set == nil:
		return out, errors.New("to learn the capacity, give both --latency and --replicas")
	case !(out.AtMost > 0) || math.IsInf(out.AtMost, 0):
		return out, errors.New("to learn the capacity, give --at-most, the latency that a step must not exceed, above 0")
	case !(out.Attain >= 0.5 && out.Attain <= 0.9999):
		return out, fmt.Errorf("--attain %g must be from 0.5 to 0.9999", out.Attain)
	}
	return out, nil
}

// readFile reads the one series of a file.
func readFile(flag, path string, step time.Duration) (forecaster.Series, error) {
	all, err := csvfile.Open(path, csvfile.Options{Step: step})
	if err != nil {
		return forecaster.Series{}, fmt.Errorf("%s: %w", flag, err)
	}
	if len(all) != 1 {
		return forecaster.Series{}, fmt.Errorf("%s: %s has %d series, and one is needed", flag, path, len(all))
	}
	return forecaster.Series(all[0].Series), nil
}
