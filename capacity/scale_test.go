package capacity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// served simulates replicas that follow the capacity a lead of five steps later. Latency follows a
// queue that saturates at 10 per replica, times factor: the objective is met up to 9 times factor.
func served(e *Estimator, steps int, seed uint64, factor func(i int) float64, look func(i int, used float64)) {
	r := rand.New(rand.NewPCG(seed, 5))
	const lead = 5
	var planned []float64 // replicas, by step
	ready, quiet := math.Ceil(100/e.opts.Default), 0
	for i := range steps {
		load := 100 * (0.95 + 0.05*math.Sin(float64(i)/50))
		if planned = append(planned, math.Ceil(load/e.Estimate().Used)); i >= lead {
			// A replica is ready when it was wanted for a lead. It goes at once.
			now := max(slices.Min(planned[i-lead:]), min(ready, planned[i]))
			if quiet++; now != ready {
				ready, quiet = now, 0
			}
		}
		x := min(load/ready/factor(i), 9.9)
		e.Add(Sample{
			At: monday.Add(minutes(i)), Load: load, Replicas: ready, Settled: quiet >= 2,
			Latency: (0.3 + 0.07*x/(10-x)) * math.Exp(0.08*r.NormFloat64()),
		})
		look(i, e.Estimate().Used)
	}
}

// TestSizeOfADrop asserts that a drop of any size is known soon after the first misses: not in
// rounds.
func TestSizeOfADrop(t *testing.T) {
	const change, soon = 2 * 1440, 15
	for _, size := range []float64{0.9, 0.8, 0.7, 0.6, 0.5} {
		for seed := range uint64(3) {
			o := valid()
			o.Default = 9
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			served(e, change+240, seed, func(i int) float64 { return pick(i < change, 1, size) }, func(i int, used float64) {
				if i < change && i > 1440 && used < 0.85*9 {
					t.Errorf("size %.1f: uses %.2f in step %d, before the drop", size, used, i)
				}
				if got := used / (9 * size); i >= change+soon && (got > 1.05 || i >= change+120 && got < 0.75) {
					t.Errorf("size %.1f, seed %d: uses %.2f of the capacity %d steps after the drop", size, seed, got, i-change)
				}
			})
		}
	}
}

func TestLikelihoodIsFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := profile{limit: 1}
		for i := range p.mid {
			p.mid[i] = rapid.Float64Range(-14, 2).Draw(t, "mid")
			p.spread[i] = rapid.Float64Range(0.05, 1).Draw(t, "spread")
		}
		at := rapid.Float64Range(-1e3, 1e3).Draw(t, "at")
		latency := math.Exp(rapid.Float64Range(-14, 14).Draw(t, "latency"))
		if l := p.likelihood(at, latency); !(math.Abs(l) < 10) {
			t.Fatalf("the likelihood is %v", l)
		}
	})
}
