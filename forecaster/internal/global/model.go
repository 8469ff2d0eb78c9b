// Package global holds a global model (Montero-Manso and Hyndman 2021): one regression that was
// fitted to many series at once. It estimates a high quantile of the lead-window maximum for a
// series of which little is known yet. What it knows is a table of numbers, made by
// forecaster/global/train.
package global

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Levels are the quantiles that a Model estimates, ascending.
func Levels() [Outputs]float64 { return [...]float64{0.66, 0.85, 0.945} }

const (
	// Inputs is the number of inputs of a Model.
	Inputs = 60
	// Outputs is the number of estimates of a Model: one for each of the Levels.
	Outputs = 3
	// Hidden is the number of hidden units of a Model.
	Hidden = 64
)

// A Model is a linear quantile regression for each level, and a network with one hidden layer of
// rectified linear units that adds to them what is not linear.
type Model struct {
	Linear [Outputs][]float64 `json:"linear"` // a coefficient for each input
	In     [Hidden][]float64  `json:"in"`     // weights of the inputs in each hidden unit
	Out    [Outputs][]float64 `json:"out"`    // weights of the hidden units
}

//go:embed table.json
var table []byte

// Default returns the model that is shipped.
var Default = sync.OnceValues(func() (*Model, error) { return Parse(table) })

// Parse reads a model from its table. It fails on a table of another shape.
func Parse(text []byte) (*Model, error) {
	var m Model
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read the table of the global model: %w", err)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("table of the global model: %w", err)
	}
	return &m, nil
}

var errShape = errors.New("wrong number of weights, or one that is not finite")

func (m *Model) validate() error {
	for k := range Outputs {
		if !finite(m.Linear[k], Inputs) || !finite(m.Out[k], Hidden) {
			return errShape
		}
	}
	for _, w := range m.In {
		if !finite(w, Inputs) {
			return errShape
		}
	}
	return nil
}

// finite reports whether there are n weights, all finite.
func finite(weights []float64, n int) bool {
	for _, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return false
		}
	}
	return len(weights) == n
}

// Estimate returns the estimates for the inputs, on their scale. A higher level never has a lower
// estimate.
func (m *Model) Estimate(inputs []float64) [Outputs]float64 {
	var out [Outputs]float64
	for k := range out {
		out[k] = dot(inputs, m.Linear[k])
	}
	for j := range m.In {
		v := dot(inputs, m.In[j])
		if v <= 0 {
			continue
		}
		for k := range out {
			out[k] += v * m.Out[k][j]
		}
	}
	for k := 1; k < Outputs; k++ {
		out[k] = max(out[k], out[k-1])
	}
	return out
}

// dot returns the inner product. It adds up four sums, which a processor does at once.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
