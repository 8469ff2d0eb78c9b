// Package traces makes synthetic demand: the files of the folder testdata, which tests and
// documentation use, and longer series on demand.
//
// The same arguments give the same values, on any machine and on any day. Values are whole requests
// per second, so that differences in the last bit of a sine do not matter. This command writes the
// files:
//
//	go run ./testdata/generate
//
// A test of package history checks that the files are up to date.
package traces

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Trace is a synthetic demand series.
type Trace struct {
	// Name describes the demand and ends with the step, such as constant_1h.
	Name string
	// Start is the start of the first step, in the time zone of the file.
	Start time.Time
	// Step is the length of a step.
	Step time.Duration
	// Values is the demand in requests per second; NaN is a gap.
	Values []float64
	// Drop has the steps without a row in the file. This is the second way to write a gap.
	Drop map[int]bool
	// Series is the value of the series column. With "", the file has no such column.
	Series string
}

// Monday is the start of all traces: 2 March 2026, 00:00 UTC. Summer time in Europe begins four
// weeks later.
var Monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// Files returns the traces by file name without extension. Most files have one series.
func Files() map[string][]Trace {
	berlin := time.FixedZone("CET", 3600)
	return map[string][]Trace{
		"office_hours_5m":  {OfficeHours(5*time.Minute, 28, 1)},
		"morning_ramp_1m":  {MorningRamp(time.Minute, 7, 2)},
		"level_shift_10m":  {levelShift()},
		"gaps_10m":         {withGaps()},
		"intermittent_5m":  {intermittent()},
		"constant_1h":      {constant()},
		"holidays_1h":      {holidays()},
		"clock_change_1h":  {clockChange(berlin)},
		"two_services_10m": {twoServices("chat", 8), twoServices("images", 9)},
	}
}

// OfficeHours has a daily and a weekly pattern: a broad peak in working hours, which is half as
// high on Saturdays and 0.3 times as high on Sundays. The benchmarks of
// speed use it with 28 days in steps of 1 min.
func OfficeHours(step time.Duration, days int, seed uint64) Trace {
	return sample("office_hours", step, days, seed, func(t time.Time) float64 {
		return 20 + 180*workday(t)*weekday(t)
	})
}

// MorningRamp is low at night, and rises to six times as much within ten minutes at 08:30. The rise
// is smaller at weekends. A service that starts slowly cannot follow it.
func MorningRamp(step time.Duration, days int, seed uint64) Trace {
	return sample("morning_ramp", step, days, seed, func(t time.Time) float64 {
		up := ramp(hour(t), 8.5, 8.5+1.0/6)
		down := ramp(hour(t), 17, 20)
		return 30 + 150*(up-down)*weekday(t)
	})
}

func levelShift() Trace {
	shift := Monday.Add(20*day + 9*time.Hour)
	return sample("level_shift", 10*time.Minute, 28, 3, func(t time.Time) float64 {
		level := 1.0
		if !t.Before(shift) {
			level = 2
		}
		return level * (20 + 80*workday(t))
	})
}

// withGaps has empty values (one in fifty, and a whole day) and missing rows (six hours).
func withGaps() Trace {
	t := sample("gaps", 10*time.Minute, 21, 4, func(t time.Time) float64 { return 20 + 80*workday(t)*weekday(t) })
	r := rng(104)
	for i := range t.Values {
		at := t.Start.Add(time.Duration(i) * t.Step)
		outage := !at.Before(Monday.Add(8*day)) && at.Before(Monday.Add(9*day))
		if outage || i > 0 && r.IntN(50) == 0 {
			t.Values[i] = math.NaN()
		}
		if !at.Before(Monday.Add(15*day)) && at.Before(Monday.Add(15*day+6*time.Hour)) {
			t.Drop[i] = true
		}
	}
	return t
}

// intermittent is 0, except for a batch of half an hour about four times a day.
func intermittent() Trace {
	t := sample("intermittent", 5*time.Minute, 14, 5, func(time.Time) float64 { return 0 })
	r := rng(105)
	for i := 0; i < len(t.Values); i++ {
		if r.IntN(72) != 0 {
			continue
		}
		height := 40 + float64(r.IntN(80))
		for j := i; j < min(i+6, len(t.Values)); j++ {
			t.Values[j] = height
		}
		i += 6
	}
	return t
}

func constant() Trace {
	t := sample("constant", time.Hour, 28, 6, func(time.Time) float64 { return 0 })
	for i := range t.Values {
		t.Values[i] = 40
	}
	return t
}

// holidays has twelve weeks with three days off (a Monday, a Thursday and the Friday after it) and
// a sale with three times the demand.
func holidays() Trace {
	off := map[string]bool{"2026-04-06": true, "2026-04-30": true, "2026-05-01": true}
	return sample("holidays", time.Hour, 84, 7, func(t time.Time) float64 {
		switch date := t.Format(time.DateOnly); {
		case off[date]:
			return 20 + 30*workday(t)
		case date == "2026-05-13":
			return 3 * (20 + 180*workday(t))
		}
		return 20 + 180*workday(t)*weekday(t)
	})
}

// clockChange follows the wall clock of Berlin, and its timestamps have that offset. The offset
// changes on 29 March. winter is the offset before.
func clockChange(winter *time.Location) Trace {
	change := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	t := sample("clock_change", time.Hour, 42, 10, func(t time.Time) float64 {
		local := t.In(winter)
		if !t.Before(change) {
			local = local.Add(time.Hour)
		}
		return 20 + 180*workday(local)*weekday(local)
	})
	t.Start = t.Start.In(winter)
	return t
}

func twoServices(name string, seed uint64) Trace {
	t := sample("two_services", 10*time.Minute, 7, seed, func(t time.Time) float64 {
		return 10 + float64(seed)*10*workday(t)
	})
	t.Series = name
	return t
}

// sample returns mean at the middle of each step, plus the noise of independent arrivals. The
// variance of the noise is the mean.
func sample(name string, step time.Duration, days int, seed uint64, mean func(time.Time) float64) Trace {
	n := int(time.Duration(days) * day / step)
	t := Trace{Name: name + "_" + short(step), Start: Monday, Step: step, Values: make([]float64, n), Drop: map[int]bool{}}
	r := rng(seed)
	for i := range t.Values {
		m := mean(t.Start.Add(time.Duration(i)*step + step/2))
		t.Values[i] = max(0, math.Round(m+math.Sqrt(m)*r.NormFloat64()))
	}
	return t
}

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 20260302)) }

// hour returns the time of day in hours.
func hour(t time.Time) float64 {
	return float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
}

// workday rises from 0 at 06:00 to 1 at 14:00 and back to 0 at 22:00.
func workday(t time.Time) float64 {
	h := hour(t)
	if h < 6 || h > 22 {
		return 0
	}
	s := math.Sin(math.Pi * (h - 6) / 16)
	return s * s
}

func weekday(t time.Time) float64 {
	switch t.Weekday() {
	case time.Saturday:
		return 0.5
	case time.Sunday:
		return 0.3
	}
	return 1
}

// ramp rises linearly from 0 at hour from to 1 at hour to.
func ramp(h, from, to float64) float64 { return min(max((h-from)/(to-from), 0), 1) }

func short(step time.Duration) string {
	if step%time.Hour == 0 {
		return fmt.Sprintf("%dh", step/time.Hour)
	}
	return fmt.Sprintf("%dm", step/time.Minute)
}

// Write writes traces as one CSV file, in the format that package history reads.
func Write(w io.Writer, all ...Trace) error {
	out := csv.NewWriter(w)
	header := []string{"timestamp", "value"}
	if len(all) > 0 && all[0].Series != "" {
		header = []string{"series", "timestamp", "value"}
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for _, t := range all {
		for i, v := range t.Values {
			if t.Drop[i] {
				continue
			}
			row := []string{stamp(t, i), ""}
			if !math.IsNaN(v) {
				row[1] = strconv.FormatFloat(v, 'f', 0, 64)
			}
			if t.Series != "" {
				row = append([]string{t.Series}, row...)
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// stamp writes the start of step i. On the clock of Berlin, it has the offset of the season.
func stamp(t Trace, i int) string {
	at := t.Start.Add(time.Duration(i) * t.Step)
	if _, offset := at.Zone(); offset == 3600 && !at.Before(time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)) {
		at = at.In(time.FixedZone("CEST", 7200))
	}
	return at.Format(time.RFC3339)
}
