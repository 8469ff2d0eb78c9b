package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

// demand reads the one series to replay. Where reading stopped half-way, partial says why, and the series ends there.
func (o *reportOptions) demand(ctx context.Context, streams Streams, now time.Time) (chosen named, partial, err error) {
	all, err := o.in.read(ctx, streams, now)
	if err != nil {
		err = reachable(err)
		if len(all) == 0 || !history.KindOf(err).Temporary() {
			return named{}, nil, err
		}
		partial = err
	}
	chosen, err = choose(all, o.in.series)
	return chosen, partial, err
}

// choose picks the one series to replay.
func choose(all []named, name string) (named, error) {
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
	if name == "" {
		return named{}, fmt.Errorf("the input has %d series: choose one with --series (%s%s)", len(all), strings.Join(names, ", "), more)
	}
	return named{}, fmt.Errorf("there is no series %q in the input: it has %s%s", name, strings.Join(names, ", "), more)
}

// timeLayouts are how --from may be written; without an offset it is UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// index is the first step at or after --from; a third of the series without it.
func (n named) index(from string) (int, error) {
	s := n.Series
	if from == "" {
		return max(1, len(s.Values)/3), nil
	}
	if d, err := v1alpha1.Duration(from).Parse(); err == nil {
		return int(min((d+s.Step-1)/s.Step, time.Duration(len(s.Values)))), nil
	}
	at, ok := parseTime(from)
	if !ok {
		return 0, fmt.Errorf("--from %q is neither a time such as 2006-01-02T15:04:05Z nor a duration such as 14d", from)
	}
	first := s.Start
	if t, ok := parseTime(n.stamp(0)); ok {
		first = t // rows need not stand on the grid
	}
	since := at.Sub(first)
	if since <= 0 {
		return 0, nil
	}
	return int(min((since+s.Step-1)/s.Step, time.Duration(len(s.Values)))), nil
}
