package capacity_test

import (
	"encoding/gob"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/testdata/queues"
)

var (
	seeds    = flag.Int("seeds", 3, "seeds for each world; 100 for the bars")
	recorded = flag.Int("recorded", 300, "steps recorded at each load; 8000 for the bars")
)

var monday = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// daily is the load of a day whose maximum is at 15:00.
func daily(at time.Time, highest float64) float64 {
	hour := at.Sub(monday).Hours()
	return highest * (0.575 + 0.425*math.Sin(2*math.Pi*(hour-9)/24))
}

func options(w queues.World, usual float64) capacity.Options {
	return capacity.Options{Step: time.Minute, AtMost: w.AtMost, Attain: w.Attain, Default: usual}
}

// follow gives two weeks of a daily cycle to an estimator.
func follow(t *testing.T, p *queues.Replay, o capacity.Options, highest float64) capacity.Estimate {
	t.Helper()
	e, err := capacity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 14 * 24 * 60 {
		at := monday.Add(time.Duration(i) * time.Minute)
		m := p.Step(daily(at, highest))
		e.Add(capacity.Sample{At: at, Load: m.Load, Replicas: m.Replicas, Settled: true, Latency: m.Latency})
	}
	return e.Estimate()
}

// record measures a world at fixed loads. The environment variable HEADSTART_QUEUES may name a folder
// in which it is kept for the next run.
func record(t *testing.T, w queues.World) *queues.Recording {
	t.Helper()
	dir := os.Getenv("HEADSTART_QUEUES")
	if dir == "" {
		return w.Record(1, *recorded)
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%d.gob", w.Name, *recorded))
	r := &queues.Recording{World: w}
	if f, err := os.Open(name); err == nil {
		defer f.Close()
		if err := gob.NewDecoder(f).Decode(r); err != nil {
			t.Fatal(err)
		}
		r.World = w
		return r
	}
	r = w.Record(1, *recorded)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := gob.NewEncoder(f).Encode(struct {
		Loads []float64
		Steps [][]queues.Recorded
	}{r.Loads, r.Steps}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBar1(t *testing.T) {
	for _, w := range queues.Worlds() {
		began := time.Now()
		r := record(t, w)
		truth := r.Capacity()
		tr := time.Since(began)
		for _, top := range []float64{0.9, 0.5} {
			var errs, lower, used, carried []float64
			atLeast := 0
			for seed := range *seeds {
				est := follow(t, r.Replay(uint64(seed)), options(w, truth*0.6), top*truth)
				errs = append(errs, est.Capacity/truth-1)
				lower = append(lower, est.Lower/truth-1)
				used = append(used, est.Used/truth-1)
				carried = append(carried, est.Carried/truth-1)
				if est.AtLeast {
					atLeast++
				}
			}
			q := func(v []float64, p float64) float64 { slices.Sort(v); return v[int(p*float64(len(v)-1))] }
			t.Logf("%-10s %.1f truth %.3f (rec %s, all %s): est %+.3f [%+.3f %+.3f] lower %+.3f used %+.3f carried %+.3f atleast %d", w.Name, top, truth, tr, time.Since(began),
				q(errs, .5), q(errs, .1), q(errs, .9), q(lower, .5), q(used, .5), q(carried, .5), atLeast)
		}
	}
}
