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

// speed measures fits, updates and memory on 28 days of minutes. It measures processor time, not
// wall time, so that a busy machine does not spoil it.
func speed(w io.Writer, _ []string) ([]check, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := forecaster.Series{Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: time.Minute}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 40320 {
		s.Values = append(s.Values, 100+60*math.Sin(2*math.Pi*float64(i)/1440)+5*rng.NormFloat64())
	}
	const fits, updates, outlooks, kept = 10, 300, 100, 20
	before := heap()
	all, err := started(s, kept)
	if err != nil {
		return nil, err
	}
	size := (heap() - before) / kept
	fit, err := perCall(fits, func(int) error { return all[0].Start(s) })
	if err != nil {
		return nil, err
	}
	update, err := perCall(updates*kept, func(i int) error { return all[i%kept].Update(s.Values[i/kept]) })
	if err != nil {
		return nil, err
	}
	outlook, err := perCall(outlooks, func(int) error { _ = all[0].Outlook(); return nil })
	if err != nil {
		return nil, err
	}
	runtime.KeepAlive(all)
	const forecasts = 10_000
	cores := forecasts * (fit.Seconds()/(6*3600) + update.Seconds()/60)
	fmt.Fprintf(w, "fit %s, update %s, outlook of a day %s of processor time; %d KiB kept\n",
		fit.Round(time.Millisecond), update.Round(time.Microsecond), outlook.Round(time.Microsecond), size/1024)
	fmt.Fprintf(w, "%d Forecasts: %d × (%.3f s ÷ 6 h + %.6f s ÷ 1 min) = %.2f of one core\n",
		forecasts, forecasts, fit.Seconds(), update.Seconds(), cores)
	return []check{
		atMost("speed: a fit to 40,320 points, ms of processor time", 1000*fit.Seconds(), 250),
		atMost("speed: an update, ms of processor time", 1000*update.Seconds(), 0.1),
		atMost("speed: kept per Forecast, MiB", float64(size)/(1<<20), 2),
		atMost("speed: ten thousand Forecasts, cores", cores, 0.5),
	}, nil
}

// started returns n Forecasters that were started on s.
func started(s forecaster.Series, n int) ([]*forecaster.Forecaster, error) {
	o := forecaster.Options{Step: s.Step, Lead: 10, Horizon: 1440, Contract: forecaster.Contract{ShortageCost: 20}}
	var all []*forecaster.Forecaster
	for range n {
		f, err := forecaster.New(o)
		if err != nil {
			return nil, err
		}
		if err := f.Start(s); err != nil {
			return nil, err
		}
		all = append(all, f)
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
