package main

import (
	"compress/gzip"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/manystep"
)

// An m4Score sums the competition's measures over n series.
type m4Score struct {
	smape, mase, msis, covered float64
	naiveSMAPE, naiveMASE      float64
	n                          float64
}

// m4 measures forecasts of 48 h on tests within the training data of M4.
func m4(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("m4", flag.ContinueOnError)
	every := fs.Int("every", 1, "measure every k-th series")
	ends := fs.Int("ends", 3, "tests, each 48 h before the last one")
	command := fs.String("headstart", "bin/headstart", "the command whose time and memory are measured; empty for none")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return nil, err
	}
	input := filepath.Join(shared, "data", "m4_hourly_train.csv.gz")
	series, err := loadM4(input)
	if err != nil {
		return nil, err
	}
	var total m4Score
	for end := range *ends {
		var s m4Score
		n := (len(series) + *every - 1) / *every
		for _, x := range each(n, func(i int) m4Score { return m4Series(series[i**every], 48*(end+1)) }) {
			s.add(x)
		}
		s.print(w, fmt.Sprintf("ending %3d h before the end", 48*end))
		total.add(s)
	}
	total.print(w, "all")
	checks := []check{
		atMost("M4 pseudo tests: OWA", total.owa(), 0.42),
		atMost("M4 pseudo tests: 95 % MSIS", total.msis/total.n, 7.5),
		{"M4 pseudo tests: coverage of 95 %", total.covered / total.n, 0.93, 0.97},
	}
	if *command == "" {
		return checks, nil
	}
	_, used, err := execute(*command, "forecast", "--input", input, "--horizon", "48h",
		"--quantiles", "0.025,0.5,0.975")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "all %d series by the command line: %.1f s, %.1f s of processor time, %d MiB\n",
		len(series), used.wall.Seconds(), used.processor.Seconds(), used.resident>>20)
	return append(checks,
		atMost("M4, all series by the command line: seconds", used.wall.Seconds(), 60),
		atMost("M4, all series by the command line: MiB", float64(used.resident)/(1<<20), 500)), nil
}

func (s *m4Score) add(x m4Score) {
	s.smape += x.smape
	s.mase += x.mase
	s.msis += x.msis
	s.covered += x.covered
	s.naiveSMAPE += x.naiveSMAPE
	s.naiveMASE += x.naiveMASE
	s.n += x.n
}

// owa returns the competition's overall weighted average: the mean of both measures over Naive2's.
func (s *m4Score) owa() float64 { return (s.smape/s.naiveSMAPE + s.mase/s.naiveMASE) / 2 }

func (s *m4Score) print(w io.Writer, what string) {
	fmt.Fprintf(w, "%s: OWA %.4f  sMAPE %.3f  MASE %.3f  MSIS %.3f  coverage %.4f  (Naive2 %.2f %.3f)\n", what,
		s.owa(), s.smape/s.n, s.mase/s.n, s.msis/s.n, s.covered/s.n, s.naiveSMAPE/s.n, s.naiveMASE/s.n)
}

// m4Series forecasts the 48 hours that begin back steps before the end.
func m4Series(v []float64, back int) m4Score {
	const h, m = 48, 24
	n := len(v) - back
	train, test := v[:n], v[n:n+h]
	start := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	b, err := manystep.Forecast(forecaster.Series{Start: start, Step: time.Hour, Values: train},
		manystep.Options{Horizon: h, Quantiles: []float64{0.025, 0.5, 0.975}})
	if err != nil {
		panic(err)
	}
	scale := 0.0
	for i := m; i < n; i++ {
		scale += math.Abs(train[i] - train[i-m])
	}
	scale /= float64(n - m)
	naive := naive2(train, h, m)
	s := m4Score{n: 1}
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

// naive2 is the competition's benchmark: the last value, adjusted by seasonal indices where the
// series is seasonal.
func naive2(x []float64, h, m int) []float64 {
	index := make([]float64, m)
	for i := range index {
		index[i] = 1
	}
	if isSeasonal(x, m) {
		index = seasonalIndices(x, m)
	}
	n := len(x)
	out := make([]float64, h)
	for i := range out {
		out[i] = x[n-1] / index[(n-1)%m] * index[(n+i)%m]
	}
	return out
}

// isSeasonal is the competition's test: whether the autocorrelation at lag m is significant at 90
// %.
func isSeasonal(x []float64, m int) bool {
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
	return math.Abs(acf[m]/acf[0]) > 1.645*math.Sqrt((1+2*sum)/float64(n))
}

// seasonalIndices returns the factors of classical multiplicative decomposition.
func seasonalIndices(x []float64, m int) []float64 {
	n := len(x)
	ratios := make([][]float64, m)
	for i := m / 2; i+m/2 < n; i++ {
		ma := (x[i-m/2] + x[i+m/2]) / 2
		for _, v := range x[i-m/2+1 : i+m/2] {
			ma += v
		}
		ratios[i%m] = append(ratios[i%m], x[i]/(ma/float64(m)))
	}
	index := make([]float64, m)
	total := 0.0
	for i, r := range ratios {
		for _, v := range r {
			index[i] += v / float64(len(r))
		}
		total += index[i] / float64(m)
	}
	for i := range index {
		index[i] /= total
	}
	return index
}

// loadM4 reads the series of the M4 file, in its order.
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
