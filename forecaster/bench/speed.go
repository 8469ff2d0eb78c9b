package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"headstart.dev/headstart/forecaster"
)

// speed measures what a Forecast of 28 days of minutes costs. It does with each Forecaster what the
// server does: a step is an update, an Outlook, and Shrink. It measures processor time, not wall
// time, so that a busy machine does not spoil it.
func speed(w io.Writer, _ []string) ([]check, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const fits, updates, outlooks, forecasters = 10, 300, 30, 20
	before := heap()
	all, err := started(forecasters)
	if err != nil {
		return nil, err
	}
	size := (heap() - before) / forecasters
	update, err := perCall(updates*forecasters, func(i int) error { return all[i%forecasters].update() })
	if err != nil {
		return nil, err
	}
	outlook, err := perCall(outlooks*forecasters, func(i int) error { _ = all[i%forecasters].Outlook(); return nil })
	if err != nil {
		return nil, err
	}
	fit, err := perCall(fits, func(i int) error { return all[i].Start(all[i].known()) })
	if err != nil {
		return nil, err
	}
	runtime.KeepAlive(all)
	const forecasts = 3000
	interval := forecaster.FitInterval(time.Minute).Seconds()
	cores := forecasts * (fit.Seconds()/interval + (update+outlook).Seconds()/60)
	fmt.Fprintf(w, "fit %s, update %s, outlook of a day %s of processor time; %d KiB kept, with the series\n",
		fit.Round(time.Millisecond), update.Round(time.Microsecond), outlook.Round(time.Microsecond), size/1024)
	fmt.Fprintf(w, "%d Forecasts: %d × (%.3f s ÷ %.0f s + (%.6f s + %.6f s) ÷ 60 s) = %.3f of one core\n",
		forecasts, forecasts, fit.Seconds(), interval, update.Seconds(), outlook.Seconds(), cores)
	return []check{
		atMost("speed: a fit to 40,320 points, ms of processor time", 1000*fit.Seconds(), 230),
		atMost("speed: an update, ms of processor time", 1000*update.Seconds(), 0.05),
		atMost("speed: an Outlook of a day, ms of processor time", 1000*outlook.Seconds(), 0.9),
		atMost("speed: kept per Forecast with its series, KiB", float64(size)/(1<<10), 400),
		atMost("speed: three thousand Forecasts, cores", cores, 0.3),
	}, nil
}

// A small is a Forecaster that shrinks after each step, with the series that it is for.
type small struct {
	*forecaster.Forecaster
	series forecaster.Series // with room for the next steps
}

const month = 40_320 // minutes of four weeks

// known returns the last four weeks of the series.
func (s *small) known() forecaster.Series {
	old := len(s.series.Values) - month
	start := s.series.Start.Add(time.Duration(old) * s.series.Step)
	return forecaster.Series{Start: start, Step: s.series.Step, Values: s.series.Values[old:]}
}

// update takes one more step into account: that of four weeks ago comes again.
func (s *small) update() error {
	v := s.series.Values[len(s.series.Values)-month]
	s.series.Values = append(s.series.Values, v)
	err := s.Update(v)
	s.Shrink(s.known())
	return err
}

// started returns n Forecasters that know four weeks.
func started(n int) ([]*small, error) {
	o := forecaster.Options{
		Step: time.Minute, Lead: 10, Horizon: 1440, Contract: forecaster.Contract{ShortageCost: 20},
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var all []*small
	for range n {
		f, err := forecaster.New(o)
		if err != nil {
			return nil, err
		}
		s := &small{f, forecaster.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: o.Step}}
		s.series.Values = make([]float64, 0, month+400)
		for i := range month {
			s.series.Values = append(s.series.Values, 100+60*math.Sin(2*math.Pi*float64(i)/1440)+5*rng.NormFloat64())
		}
		if err := s.Start(s.series); err != nil {
			return nil, err
		}
		s.Shrink(s.series)
		all = append(all, s)
	}
	return all, nil
}

// perCall returns the mean processor time of n calls.
func perCall(n int, call func(i int) error) (time.Duration, error) {
	before := processor()
	for i := range n {
		if err := call(i); err != nil {
			return 0, err
		}
	}
	return (processor() - before) / time.Duration(n), nil
}

// processor returns the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heap returns the live heap in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
