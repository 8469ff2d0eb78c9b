package forecaster

import (
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// month is 28 days of minutes with a daily wave.
func month() Series {
	return Series{Start: epoch.Add(-90 * time.Minute), Step: time.Minute, Values: synthetic.Wave(40320, 1440, 7)}
}

func BenchmarkFit(b *testing.B) {
	s := month()
	f := mustNew(b, Options{Step: s.Step, Lead: 10, Horizon: 1440, Contract: Contract{ShortageCost: 20}})
	for b.Loop() {
		if err := f.Start(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := month()
	f := mustNew(b, Options{Step: s.Step, Lead: 10, Horizon: 1440, Contract: Contract{ShortageCost: 20}})
	if err := f.Start(s); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		f.state.push(s.Values[i%len(s.Values)])
		i++
	}
}
