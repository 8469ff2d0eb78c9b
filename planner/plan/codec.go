package plan

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// fineSteps keep the plan's own step: an hour at one minute, twelve times the interval at
	// which a plan is written.
	fineSteps = 60
	// middleBucket steps share a value in the second segment: 5 min at one minute.
	middleBucket = 5
	// coarseValues is the most values of a coarser segment: a day in steps of 5 min.
	coarseValues = 288
	// digits is how many significant digits a value keeps. It is rounded up by 0.1 % at most.
	digits = 4
	// mostDigits is the same for the upper bounds of what is served.
	mostDigits = 6

	// noValue stands for a step without a value.
	noValue = "-"
)

// Encode returns the plan as a Forecast's status carries it. The first 60 steps stay as they are.
// Later steps are merged into ever larger ones, each with the largest value of its steps. Values
// keep four significant digits, rounded up. So the encoded plan is nowhere below the plan, and it
// ends when the plan ends.
//
// Expected is kept for the first 60 steps only, since nobody acts on it further ahead. Times are
// kept to the second. A day at one minute takes less than 4 KiB.
func (p Plan) Encode() v1alpha1.Plan {
	out := v1alpha1.Plan{
		ComputedAt: metav1.NewTime(p.ComputedAt.UTC().Truncate(time.Second)),
		Start:      metav1.NewTime(p.Start.UTC().Truncate(time.Second)),
	}
	for _, s := range p.coarsen() {
		out.Segments = append(out.Segments, v1alpha1.PlanSegment{
			Step: v1alpha1.FormatDuration(s.Step), Values: formatValues(s.Values), Expected: formatValues(s.Expected),
			Most: formatMost(s.Most),
		})
	}
	out.End = metav1.NewTime(out.Start.Add(p.End().Sub(p.Start)))
	return out
}

// formatMost returns upper bounds to the nearest of six digits: a bound is half a replica above the
// whole number that it means.
func formatMost(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = noValue
		if !math.IsNaN(v) {
			words[i] = strconv.FormatFloat(max(0, v), 'g', mostDigits, 64)
		}
	}
	return strings.Join(words, " ")
}

func formatValues(values []float64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = formatValue(v)
	}
	return strings.Join(words, " ")
}

// coarsen cuts a plan of one segment into at most four. A plan of several segments stays as it is.
func (p Plan) coarsen() (out []Segment) {
	if len(p.Segments) != 1 || len(p.Segments[0].Values) <= fineSteps {
		return p.Segments
	}
	step, rest, most := p.Segments[0].Step, p.Segments[0].Values, p.Segments[0].Most
	out = []Segment{{Step: step, Values: rest[:fineSteps]}}
	if len(most) == len(rest) {
		defer func() { setMost(out, most) }()
	}
	if e := p.Segments[0].Expected; len(e) >= fineSteps {
		out[0].Expected = e[:fineSteps]
	}
	rest = rest[fineSteps:]
	middle := min(len(rest)/middleBucket, coarseValues)
	if middle > 0 {
		out = append(out, bucketed(rest[:middle*middleBucket], step, middleBucket))
		rest = rest[middle*middleBucket:]
	}
	if len(rest) > middleBucket {
		bucket := max(6*middleBucket, (len(rest)+coarseValues-1)/coarseValues)
		if n := len(rest) / bucket; n > 0 {
			out = append(out, bucketed(rest[:n*bucket], step, bucket))
			rest = rest[n*bucket:]
		}
	}
	if len(rest) > 0 {
		out = append(out, bucketed(rest, step, len(rest)))
	}
	return out
}

// setMost sets the upper bounds of segments that follow each other: of each coarse step the smallest
// of its fine ones. Segments without a bound have none.
func setMost(segments []Segment, most []float64) {
	fine, step := 0, segments[0].Step
	for k := range segments {
		s := &segments[k]
		bucket := int(s.Step / step)
		bounds, bounded := make([]float64, len(s.Values)), false
		for i := range bounds {
			bounds[i] = math.NaN()
			for _, v := range most[fine : fine+bucket] {
				if v < bounds[i] || math.IsNaN(bounds[i]) {
					bounds[i] = v
				}
			}
			bounded = bounded || !math.IsNaN(bounds[i])
			fine += bucket
		}
		if bounded {
			s.Most = bounds
		}
	}
}

// bucketed merges each run of bucket values into their maximum.
func bucketed(values []float64, step time.Duration, bucket int) Segment {
	s := Segment{Step: time.Duration(bucket) * step}
	for i := 0; i < len(values); i += bucket {
		largest := math.NaN()
		for _, v := range values[i : i+bucket] {
			if math.IsNaN(largest) || v > largest {
				largest = v
			}
		}
		s.Values = append(s.Values, largest)
	}
	return s
}

// formatValue returns v with four significant digits, rounded up, in the shorter notation.
func formatValue(v float64) string {
	switch {
	case math.IsNaN(v):
		return noValue
	case v <= 0:
		return "0"
	case math.IsInf(v, 1):
		v = math.MaxFloat64 / 2
	}
	text := strconv.FormatFloat(v, 'e', digits-1, 64)
	if got, err := strconv.ParseFloat(text, 64); err == nil && got < v {
		// The number was rounded down: add one unit of its last digit.
		exponent, _ := strconv.Atoi(text[strings.IndexByte(text, 'e')+1:])
		unit := math.Pow(10, float64(exponent-digits+1))
		text = strconv.FormatFloat(got+unit, 'e', digits-1, 64)
	}
	rounded, err := strconv.ParseFloat(text, 64)
	if err != nil || rounded < v { // The last digit cannot be raised: keep all digits.
		rounded = v
	}
	plain := strconv.FormatFloat(rounded, 'f', -1, 64)
	if short := strconv.FormatFloat(rounded, 'e', -1, 64); len(short) < len(plain) && len(plain) > 9 {
		return short
	}
	return plain
}

// Decode reads a plan from a Forecast's status. It is the only decoder of plans. The error says
// which segment is wrong and why; a plan of another version can be unreadable, for example.
// Expected and Most only qualify the values: where they cannot be read they are left out.
func Decode(in v1alpha1.Plan) (Plan, error) {
	p := Plan{ComputedAt: in.ComputedAt.UTC(), Start: in.Start.UTC()}
	if in.Start.IsZero() || len(in.Segments) == 0 {
		return Plan{}, errors.New("the plan in status is empty")
	}
	for i, s := range in.Segments {
		step, err := s.Step.Parse()
		if err != nil {
			return Plan{}, fmt.Errorf("the plan in status cannot be read: segment %d: %w", i, err)
		}
		if step <= 0 {
			return Plan{}, fmt.Errorf("the plan in status cannot be read: segment %d: step must be above 0", i)
		}
		values, err := parseValues(s.Values)
		if err != nil {
			return Plan{}, fmt.Errorf("the plan in status cannot be read: segment %d: %w", i, err)
		}
		segment := Segment{Step: step, Values: values}
		if expected, err := parseValues(s.Expected); err == nil && len(expected) == len(values) {
			segment.Expected = expected
		}
		if most, err := parseValues(s.Most); err == nil && len(most) == len(values) {
			segment.Most = most
		}
		p.Segments = append(p.Segments, segment)
	}
	return p, nil
}

func parseValues(text string) ([]float64, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, errors.New("no values")
	}
	values := make([]float64, len(words))
	for i, w := range words {
		if w == noValue {
			values[i] = math.NaN()
			continue
		}
		v, err := strconv.ParseFloat(w, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return nil, fmt.Errorf("value %d, %q, is not a number, 0 or above", i, w)
		}
		values[i] = v
	}
	return values, nil
}
