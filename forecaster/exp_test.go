package forecaster

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/closedloop"
)

func envf(k string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(k), 64); err == nil {
		return v
	}
	return d
}

// TestExp dumps base predictions: columns x, last-hold floor, level, then model log-estimates.
func TestExp(t *testing.T) {
	dir := os.Getenv("EXP_DIR")
	if dir == "" {
		t.Skip()
	}
	shared, _ := closedloop.Shared()
	cases := closedloop.Cases()
	var wg sync.WaitGroup
	ch := make(chan closedloop.Case)
	for range 2 {
		wg.Go(func() {
			for c := range ch {
				at := time.Now()
				tr, err := c.Open(shared)
				if err != nil {
					panic(err)
				}
				dump(dir, tr)
				fmt.Println(c.Name, time.Since(at))
			}
		})
	}
	for _, c := range cases {
		ch <- c
	}
	close(ch)
	wg.Wait()
}

func dump(dir string, tr *closedloop.Trace) {
	o := Options{Step: tr.Step, Lead: tr.Lead, Horizon: 1, Contract: Contract{ShortageCost: 20}}.withDefaults()
	day := int(24 * time.Hour / tr.Step)
	every := max(100, int(6*time.Hour/tr.Step)) * int(envf("EXP_EVERY", 3))
	from := max(tr.Warm-4*day, tr.Warm*2/3, 2*day) // also the held-out part before
	out := []float64{float64(from), 0}
	var tk *track
	var ms *expModels
	for i := from; i <= len(tr.Raw); i++ {
		if (i-from)%every == 0 {
			lo := max(0, i-o.MaxHistory)
			tk = newTrack(tr.Start.Add(time.Duration(lo)*tr.Step), o, i-lo+every, meanKnown(tr.Raw[lo:i]))
			for _, v := range tr.Raw[lo:i] {
				tk.push(v)
			}
			n := i - lo
			week := 0
			if n > 7*day*5/4 {
				week = 7 * day
			}
			ms = expFit(tk, newFeaturizer(day, week, tr.Lead, n), n, day)
		} else {
			tk.push(tr.Raw[i-1])
		}
		row := append([]float64{tk.soft, tk.level[tk.n()]}, ms.estimate(tk, tk.n())...)
		out[1] = float64(len(row))
		out = append(out, row...)
	}
	f, _ := os.Create(filepath.Join(dir, tr.Name+".bin"))
	defer f.Close()
	buf := make([]byte, 8*len(out))
	for k, v := range out {
		binary.LittleEndian.PutUint64(buf[8*k:], math.Float64bits(v))
	}
	f.Write(buf)
}


type expModels struct {
	f           featurizer
	betas       [][]float64
	tree, pure *forest
	buf         []float64
}

func expFit(t *track, f featurizer, end, day int) *expModels {
	d := buildDesign(t, f, end)
	m := &expModels{f: f, buf: make([]float64, d.p)}
	w := make([]float64, len(d.w))
	mean := 0.0
	for i := range d.y {
		w[i] = math.Exp(d.lv[i] / 2)
		mean += w[i] / float64(len(w))
	}
	for i := range w {
		w[i] /= mean
		d.w[i] = w[i]
	}
	ridge := 1 + 0.002*float64(d.rows())
	for _, tau := range []float64{0.85, 0.6, 0.95} {
		m.betas = append(m.betas, d.regress(tau, ridge))
	}
	base := make([]float64, d.rows())
	for i := range base {
		base[i] = dot(d.row(i), m.betas[0])
	}
	m.tree = boost(d, base, 0.85)
	clear(base)
	m.pure = boost(d, base, 0.85)
	// recent
	hl := 4 * float64(day) / math.Max(1, float64(end)/float64(d.rows()))
	for i := range d.w {
		d.w[i] = w[i] * math.Exp2(-float64(i)/hl)
	}
	m.betas = append(m.betas, d.regress(0.85, ridge))
	return m
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func (m *expModels) estimate(t *track, i int) []float64 {
	m.f.fill(t, i, m.buf)
	var out []float64
	for _, b := range m.betas {
		out = append(out, dot(m.buf, b))
	}
	out = append(out, out[0]+m.tree.value(m.buf), m.pure.value(m.buf))
	// timed: quantile over weeks of the peak at the slot; or days
	prof := func(lags []int, q float64) float64 {
		var v []float64
		for _, l := range lags {
			if j := t.back(i, l); j >= 0 && j < len(t.peak) {
				v = append(v, t.peak[j])
			}
		}
		if len(v) == 0 {
			return 0
		}
		slices.Sort(v)
		return quantileSorted(v, q) - t.level[i]
	}
	lags := m.f.weeks
	if len(lags) < 2 {
		lags = m.f.days
	}
	out = append(out, prof(lags, 0.8), prof(m.f.days, 0.8))
	y := 0.0
	if m.f.day > 0 {
		if j := t.back(i, m.f.days[0]); j >= 0 && j < len(t.peak) {
			y = t.peak[j] - t.level[j]
		}
	}
	out = append(out, y)
	return out
}
