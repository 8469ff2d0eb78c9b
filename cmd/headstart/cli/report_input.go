package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/learned"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/report"
)

// readDemand reads the one series to replay. If reading stops half-way, readErr says why, and the
// series ends there.
func (o *reportOptions) readDemand(
	ctx context.Context, streams Streams, now time.Time,
) (series inputSeries, readErr, err error) {
	all, err := o.in.read(ctx, streams, now)
	if err != nil {
		if len(all) == 0 || !history.KindOf(err).Temporary() {
			return inputSeries{}, nil, err
		}
		readErr = err
	}
	series, err = selectSeries(all, o.in.series)
	return series, readErr, err
}

// readEvidence reads what the capacity is learned from, where the flags or the Forecast ask for that.
func (o *reportOptions) readEvidence(
	ctx context.Context, streams Streams, options *report.Options, fc *v1alpha1.Forecast,
) error {
	var source learned.Source
	if o.in.prometheus.Given() {
		named, err := o.in.prometheus.Source()
		if err != nil {
			return err
		}
		source = named
	}
	bar := terminal.NewProgress(streams.Err, "reading latency and replicas")
	evidence, notes, err := o.learn.Evidence(ctx, o.forecast.settings, source, options.Series, bar.Show)
	bar.End()
	options.Notes = append(options.Notes, notes...)
	if err != nil || evidence == nil {
		return err
	}
	options.Learn = evidence
	if set := o.forecast.settings; set != nil && !o.overrides("capacity") && set.CapacityIn(nil) > 0 {
		options.Capacity = set.CapacityIn(nil)
	}
	evidence.Released = learned.ReleasedAt(fc)
	return nil
}

// selectSeries returns the series of that name, or the only one if name is empty.
func selectSeries(all []inputSeries, name string) (inputSeries, error) {
	var names []string
	for _, s := range all {
		if s.Name == name || (name == "" && len(all) == 1) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	const few = 5
	more := ""
	if len(names) > few {
		more = fmt.Sprintf(" and %d more", len(names)-few)
		names = names[:few]
	}
	list := strings.Join(names, ", ") + more
	if name == "" {
		return inputSeries{}, fmt.Errorf("the input has %d series: choose one with --series (%s)", len(all), list)
	}
	return inputSeries{}, fmt.Errorf("--series: there is no series %q in the input: it has %s", name, list)
}

// firstStep returns the first step at or after --from. Without --from, the first third of the
// series is history.
func (s inputSeries) firstStep(from string) (int, error) {
	step, steps := s.Series.Step, len(s.Series.Values)
	if from == "" {
		return max(1, steps/3), nil
	}
	if d, err := v1alpha1.Duration(from).Parse(); err == nil {
		return stepsIn(d, step, steps), nil
	}
	at, ok := parseTime(from, time.UTC)
	if !ok {
		return 0, fmt.Errorf("--from %q is neither a time such as 2026-01-02T15:04:05Z nor a duration such as 14d",
			from)
	}
	first := s.Series.Start
	if t, ok := parseTime(s.stamp(0), time.UTC); ok {
		first = t // the first row need not be at the beginning of a step
	}
	return stepsIn(max(0, at.Sub(first)), step, steps), nil
}

// stepsIn returns how many steps cover d, and not more than limit.
func stepsIn(d, step time.Duration, limit int) int {
	return int(min((d+step-1)/step, time.Duration(limit)))
}
