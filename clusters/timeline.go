package clusters

import (
	"errors"
	"fmt"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// decode sets timeline and lead from what a status says, within bounds.
func (o *Overflow) decode(in v1alpha1.Plan, lead v1alpha1.Duration, of Reference, now time.Time) error {
	out, err := decodeTimeline(in, now)
	if err == nil {
		o.Lead, err = decodeLead(lead)
	}
	if err == nil {
		o.Encoded, err = encodeTimeline(out)
	}
	if err != nil {
		return errorf(TimelineInvalid, "the overflow of cluster %q cannot be read: %s", of.Cluster, short(err))
	}
	o.Timeline = &out
	return nil
}

func decodeLead(text v1alpha1.Duration) (time.Duration, error) {
	lead, err := text.Parse()
	switch {
	case err != nil:
		return 0, fmt.Errorf("lead: %w", err)
	case lead < 0 || lead > maxLead:
		return 0, fmt.Errorf("lead: more than %s", v1alpha1.FormatDuration(maxLead))
	}
	return lead, nil
}

// decodeTimeline returns the values of a timeline. What else a plan has is left out.
func decodeTimeline(in v1alpha1.Plan, now time.Time) (plan.Plan, error) {
	if len(in.Segments) > maxSegments {
		return plan.Plan{}, fmt.Errorf("%d segments are more than %d", len(in.Segments), maxSegments)
	}
	for _, s := range in.Segments {
		if len(s.Values) > maxValuesText || len(s.Step) > maxStepText {
			return plan.Plan{}, fmt.Errorf("a segment has %d bytes of values and %d of a step, more than %d and %d",
				len(s.Values), len(s.Step), maxValuesText, maxStepText)
		}
	}
	out, err := plan.Decode(in)
	if err != nil {
		return plan.Plan{}, err
	}
	rest := maxTimeline // The sum of the segments could overflow.
	for i := range out.Segments {
		s := &out.Segments[i]
		s.Expected, s.Most = nil, nil
		n := time.Duration(len(s.Values))
		if s.Step > rest/n {
			return plan.Plan{}, fmt.Errorf("it is longer than %s", v1alpha1.FormatDuration(maxTimeline))
		}
		rest -= n * s.Step
	}
	if out.ComputedAt.Unix() < 0 || out.ComputedAt.After(now.Add(maxAhead)) {
		out.ComputedAt = out.Start
	}
	return out, checkTimes(out, now)
}

// checkTimes returns why a timeline cannot be of now. One that has ended can.
func checkTimes(p plan.Plan, now time.Time) error {
	switch {
	case p.Start.Unix() < 0:
		return errors.New("it starts before 1970")
	case p.Start.After(now.Add(maxAhead)):
		return fmt.Errorf("it starts at %s, more than %s from now: set the clocks of both clusters by NTP",
			p.Start.Format(time.RFC3339), v1alpha1.FormatDuration(maxAhead))
	case p.End().After(now.Add(maxTimeline)):
		return fmt.Errorf("it ends at %s, more than %s from now",
			p.End().Format(time.RFC3339), v1alpha1.FormatDuration(maxTimeline))
	}
	return nil
}

// encodeTimeline returns a timeline as the status here carries it.
func encodeTimeline(p plan.Plan) (*v1alpha1.Plan, error) {
	out := p.Encode()
	for _, s := range out.Segments {
		if len(s.Values) > maxValuesText {
			return nil, fmt.Errorf("a segment has %d bytes of values, more than %d", len(s.Values), maxValuesText)
		}
	}
	return &out, nil
}

// Restore returns what a Forecast's own status still knows of an overflow.
func Restore(status *v1alpha1.OverflowSource, of Reference, now time.Time) Overflow {
	if status == nil || status.Timeline == nil ||
		status.Cluster != of.Cluster || status.Forecast != of.Namespace+"/"+of.Name {
		return Overflow{}
	}
	out := Overflow{Chain: status.Chain}
	if out.decode(*status.Timeline, status.Lead, of, now) != nil {
		return Overflow{}
	}
	return out
}
