package forecaster

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// sameBits reports whether two outlooks are the same to the last bit.
func sameBits(a, b Outlook) bool {
	bits := func(values ...float64) (out []uint64) {
		for _, v := range values {
			out = append(out, math.Float64bits(v))
		}
		return out
	}
	return slices.Equal(bits(a.Median...), bits(b.Median...)) && slices.Equal(bits(a.Cover...), bits(b.Cover...)) &&
		slices.Equal(bits(a.Level, a.Benchmarks[0], a.Benchmarks[1]), bits(b.Level, b.Benchmarks[0], b.Benchmarks[1])) &&
		a.Skilled == b.Skilled && a.Start.Equal(b.Start)
}

// A Forecaster that shrinks after each update returns what one returns that never does. The series
// has gaps, outages and named days, crosses a change of the clocks, and is kept by somebody who
// drops its beginning, moves it, and disagrees about some steps.
func TestShrinkChangesNoResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, o := drawn(t)
		if rapid.Bool().Draw(t, "long") {
			n := rapid.IntRange(500, 1200).Draw(t, "steps of a long one")
			s.Step, s.Values = 10*time.Minute, synthetic.Wave(n, 144, 5)
			for range rapid.IntRange(0, 30).Draw(t, "holes") {
				at := rapid.IntRange(0, n-1).Draw(t, "hole")
				hole := rapid.SampledFrom([]float64{0, math.NaN()}).Draw(t, "of")
				for i := at; i < min(n, at+rapid.IntRange(1, 20).Draw(t, "length")); i++ {
					s.Values[i] = hole
				}
			}
			s.Start = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
			o.Step, o.Location = s.Step, mustLocation("Europe/Berlin")
			o.Lead = rapid.SampledFrom([]int{0, 3, 140}).Draw(t, "long lead")
			o.MaxHistory = rapid.IntRange(300, 1500).Draw(t, "history")
			for k := range 3 {
				day := time.Date(2026, 10, 20+2*k, 0, 0, 0, 0, time.UTC)
				o.Days = append(o.Days, Day{Name: "sale", Start: day, End: day.AddDate(0, 0, 1)})
			}
		}
		compareShrunk(t, s, o)
	})
}

func compareShrunk(t *rapid.T, s Series, o Options) {
	n := len(s.Values)
	part := rapid.IntRange(n/2, n).Draw(t, "part")
	whole, small := started(t, s, o, part), started(t, s, o, part)
	kept := slices.Clone(s.Values)
	for range rapid.IntRange(0, 5).Draw(t, "differences") {
		if n > 0 {
			kept[rapid.IntRange(0, n-1).Draw(t, "different")] = 7
		}
	}
	first, every := 0, rapid.IntRange(1, 9).Draw(t, "every")
	for i := part; ; i++ {
		if i%every == 0 || i == part {
			if rapid.IntRange(0, 9).Draw(t, "move") == 0 {
				kept = slices.Clone(kept)
				first = rapid.IntRange(first, min(i, first+5)).Draw(t, "first")
			}
			start := s.Start.Add(time.Duration(first) * s.Step)
			small.Shrink(Series{Start: start, Step: s.Step, Values: kept[first:i]})
		}
		if want, got := whole.Outlook(), small.Outlook(); !sameBits(want, got) {
			t.Fatalf("step %d of %d: the outlook is\n%v, want\n%v", i, n, got, want)
		}
		if i == n || i == part+60 {
			break
		}
		update(t, whole, s.Values[i])
		update(t, small, s.Values[i])
		if rapid.IntRange(0, 40).Draw(t, "new lead") == 0 {
			lead := rapid.IntRange(0, 30).Draw(t, "lead")
			if whole.SetLead(lead) != nil || small.SetLead(lead) != nil {
				t.Fatal("a lead is refused")
			}
		}
	}
}

func started(t *rapid.T, s Series, o Options, part int) *Forecaster {
	f, err := New(o)
	if err == nil {
		err = f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:part]})
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func update(t *rapid.T, f *Forecaster, v float64) {
	if err := f.Update(v); err != nil {
		t.Fatal(err)
	}
}

func mustLocation(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return l
}

// What a Forecaster of 28 days of minutes keeps, beside a series that its owner keeps anyway.
func TestShrunkForecasterIsSmall(t *testing.T) {
	const most = 100 << 10
	got := keptBytes(4)
	t.Logf("%d bytes", got)
	if got > most {
		t.Errorf("a Forecaster keeps more than %d bytes", most)
	}
}

func BenchmarkShrunk(b *testing.B) {
	s := month()
	f := mustNew(b, Options{Step: s.Step, Lead: 10, Horizon: 1440, Contract: Contract{ShortageCost: 20}})
	if err := f.Start(s); err != nil {
		b.Fatal(err)
	}
	outlook := func(b *testing.B) {
		for b.Loop() {
			f.Outlook()
		}
	}
	b.Run("outlook before", outlook)
	f.Shrink(s)
	b.Run("outlook", outlook)
	b.Run("update", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			f.state.push(s.Values[i%len(s.Values)])
		}
	})
}
