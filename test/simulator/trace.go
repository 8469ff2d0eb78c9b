package simulator

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trace is a recorded demand.
type Trace struct {
	// Times and Values of the samples, the oldest first.
	Times  []time.Time
	Values []float64
}

// ReadTrace reads a CSV file (plain or .gz) with the header timestamp,value, as `headstart report`
// does. A row without a value is a gap.
func ReadTrace(path string) (Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return Trace{}, fmt.Errorf("read the trace: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return Trace{}, fmt.Errorf("read the trace %s: %w", path, err)
		}
	}
	t, err := parseTrace(r)
	if err != nil {
		return Trace{}, fmt.Errorf("read the trace %s: %w", path, err)
	}
	return t, nil
}

func parseTrace(r io.Reader) (Trace, error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return Trace{}, fmt.Errorf("no header: %w", err)
	}
	at, val := slices.Index(header, "timestamp"), slices.Index(header, "value")
	if at < 0 || val < 0 || slices.Contains(header, "series") {
		return Trace{}, fmt.Errorf("header is %q: want timestamp,value (one series)", strings.Join(header, ","))
	}
	var t Trace
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Trace{}, err
		}
		if err := t.add(row[at], row[val]); err != nil {
			line, _ := rows.FieldPos(0)
			return Trace{}, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(t.Times) < 2 {
		return Trace{}, fmt.Errorf("%d values: a trace needs at least two", len(t.Times))
	}
	return t, nil
}

// add adds one row. Without a value it is a gap.
func (t *Trace) add(at, value string) error {
	if value == "" {
		return nil
	}
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return fmt.Errorf("timestamp %q is not RFC 3339, such as 2026-11-23T08:00:00Z", at)
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return fmt.Errorf("value %q is not a finite number of at least 0", value)
	}
	if n := len(t.Times); n > 0 && !when.After(t.Times[n-1]) {
		return fmt.Errorf("time %s is not after that of the line before", at)
	}
	t.Times, t.Values = append(t.Times, when), append(t.Values, v)
	return nil
}

// Fit returns the last whole days of the trace, at most the given number, at a number of steps per
// day. The values are scaled so that all but the highest two in a thousand steps are at most peak.
// Between two samples it interpolates linearly.
func (t Trace) Fit(days, stepsPerDay int, peak float64) ([]float64, error) {
	const day = 24 * time.Hour
	last := t.Times[len(t.Times)-1]
	have := int(last.Sub(t.Times[0]) / day)
	if have < 1 {
		return nil, fmt.Errorf("the trace spans %s: it needs at least a day", last.Sub(t.Times[0]))
	}
	days = min(days, have)
	begin := last.Add(-time.Duration(days) * day)
	step := day / time.Duration(stepsPerDay)
	values := make([]float64, days*stepsPerDay)
	for i := range values {
		values[i] = t.mean(begin.Add(time.Duration(i)*step), step)
	}
	sorted := slices.Sorted(slices.Values(values))
	top := sorted[(len(sorted)-1)*998/1000]
	if top <= 0 {
		return nil, errors.New("the trace has no demand to speak of in its last days")
	}
	for i := range values {
		values[i] *= peak / top
	}
	return values, nil
}

// mean returns the mean of the samples in a step. If there are none, it interpolates at the middle
// of the step.
func (t Trace) mean(begin time.Time, step time.Duration) float64 {
	lo, _ := slices.BinarySearchFunc(t.Times, begin, time.Time.Compare)
	hi, _ := slices.BinarySearchFunc(t.Times, begin.Add(step), time.Time.Compare)
	if hi > lo {
		sum := 0.0
		for _, v := range t.Values[lo:hi] {
			sum += v
		}
		return sum / float64(hi-lo)
	}
	if lo == 0 {
		return t.Values[0]
	}
	if lo == len(t.Times) {
		return t.Values[lo-1]
	}
	share := float64(begin.Add(step/2).Sub(t.Times[lo-1])) / float64(t.Times[lo].Sub(t.Times[lo-1]))
	return t.Values[lo-1] + share*(t.Values[lo]-t.Values[lo-1])
}
