package main

import (
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// A tally of the competition's measures.
type m4Score struct {
	smape, mase, msis, covered float64
	naiveSMAPE, naiveMASE      float64
	n                          float64
}

func m4(args []string) error {
	fs := flag.NewFlagSet("m4", flag.ContinueOnError)
	every := fs.Int("every", 1, "measure every k-th series")
	ends := fs.Int("ends", 3, "pseudo tests, each 48 h before the last")
	if err := fs.Parse(args); err != nil {
		return err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return err
	}
	series, err := loadM4(filepath.Join(shared, "data", "m4_hourly_train.csv.gz"))
	if err != nil {
		return err
	}
	at := time.Now()
	for end := range *ends {
		scores := each((len(series)+*every-1) / *every, func(i int) m4Score {
			return m4Series(series[i**every], 48*(end+1))
		})
		var s m4Score
		for _, x := range scores {
			s.smape += x.smape
			s.mase += x.mase
			s.msis += x.msis
			s.covered += x.covered
			s.naiveSMAPE += x.naiveSMAPE
			s.naiveMASE += x.naiveMASE
			s.n++
		}
		fmt.Printf("ending %3d h before the end: OWA %.4f  sMAPE %.3f  MASE %.3f  MSIS %.3f  coverage %.4f  (Naive2 %.2f %.3f)\n", 48*end,
			(s.smape/s.naiveSMAPE+s.mase/s.naiveMASE)/2, s.smape/s.n, s.mase/s.n, s.msis/s.n, s.covered/s.n, s.naiveSMAPE/s.n, s.naiveMASE/s.n)
	}
	fmt.Printf("%.1f s\n", time.Since(at).Seconds())
	return nil
}

// m4Series forecasts the 48 hours that begin back steps before the end.
func m4Series(v []float64, back int) m4Score {
	const h, m = 48, 24
	n := len(v) - back
	train, test := v[:n], v[n:n+h]
	b, err := forecaster.Quantiles(forecaster.Series{Start: time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Values: train},
		forecaster.QuantileOptions{Horizon: h, Quantiles: []float64{0.025, 0.5, 0.975}})
	if err != nil {
		panic(err)
	}
	scale := 0.0
	for i := m; i < n; i++ {
		scale += math.Abs(train[i] - train[i-m])
	}
	scale /= float64(n - m)
	naive := naive2(train, h, m)
	var s m4Score
	for i, y := range test {
		lo, q, hi := b.Values[i][0], b.Values[i][1], b.Values[i][2]
		s.smape += 200 * math.Abs(y-q) / (math.Abs(y) + math.Abs(q)) / h
		s.mase += math.Abs(y-q) / scale / h
		s.naiveSMAPE += 200 * math.Abs(y-naive[i]) / (math.Abs(y) + math.Abs(naive[i])) / h
		s.naiveMASE += math.Abs(y-naive[i]) / scale / h
		s.msis += (hi - lo + 40*math.Max(0, lo-y) + 40*math.Max(0, y-hi)) / scale / h
		if lo <= y && y <= hi {
			s.covered += 1.0 / h
		}
	}
	return s
}

// naive2 is the competition's benchmark: the last value, adjusted by classical multiplicative seasonal indices where the series is
// seasonal.
func naive2(x []float64, h, m int) []float64 {
	n := len(x)
	mean := 0.0
	for _, v := range x {
		mean += v / float64(n)
	}
	acf := make([]float64, m+1)
	for k := range acf {
		for i := k; i < n; i++ {
			acf[k] += (x[i] - mean) * (x[i-k] - mean)
		}
	}
	sum := 0.0
	for k := 1; k < m; k++ {
		sum += math.Pow(acf[k]/acf[0], 2)
	}
	index := make([]float64, m)
	for i := range index {
		index[i] = 1
	}
	if math.Abs(acf[m]/acf[0]) > 1.645*math.Sqrt((1+2*sum)/float64(n)) {
		ratios := make([][]float64, m)
		for i := m / 2; i+m/2 < n; i++ {
			ma := (x[i-m/2] + x[i+m/2]) / 2
			for _, v := range x[i-m/2+1 : i+m/2] {
				ma += v
			}
			ratios[i%m] = append(ratios[i%m], x[i]/(ma/float64(m)))
		}
		total := 0.0
		for i, r := range ratios {
			index[i] = 0
			for _, v := range r {
				index[i] += v / float64(len(r))
			}
			total += index[i] / float64(m)
		}
		for i := range index {
			index[i] /= total
		}
	}
	out := make([]float64, h)
	for i := range out {
		out[i] = x[n-1] / index[(n-1)%m] * index[(n+i)%m]
	}
	return out
}

func loadM4(path string) ([][]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the M4 series: %w", err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read the M4 series: %w", err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the M4 series: %w", err)
	}
	var out [][]float64
	last := ""
	for _, r := range slices.Clip(rows[1:]) {
		v, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			return nil, fmt.Errorf("read the M4 series: %w", err)
		}
		if r[0] != last {
			out, last = append(out, nil), r[0]
		}
		out[len(out)-1] = append(out[len(out)-1], v)
	}
	return out, nil
}
