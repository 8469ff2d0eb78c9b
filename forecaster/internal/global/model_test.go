package global

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestDefaultIsAModel(t *testing.T) {
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	var still [Inputs]float64
	still[0] = 1
	// Demand that has not moved for hours hardly rises within a lead window.
	if got := m.Estimate(still[:]); got[0] < -0.3 || got[2] > 0.5 {
		t.Errorf("estimates %v for demand that stands still", got)
	}
}

func TestParseRefusesOtherShapes(t *testing.T) {
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(m *Model){
		"short linear": func(m *Model) { m.Linear[1] = m.Linear[1][1:] },
		"short in":     func(m *Model) { m.In[3] = nil },
		"long out":     func(m *Model) { m.Out[0] = append(slices.Clone(m.Out[0]), 1) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			changed := *m
			change(&changed)
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(text); err == nil {
				t.Error("it is taken for a model")
			}
		})
	}
	if _, err := Parse([]byte("{")); err == nil {
		t.Error("half a table is taken for a model")
	}
}

// A higher level never has a lower estimate, whatever the inputs are.
func TestEstimatesAscend(t *testing.T) {
	m, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var in [Inputs]float64
		for k := range in {
			in[k] = 12*rng.Float64() - 6
		}
		if got := m.Estimate(in[:]); !slices.IsSorted(got[:]) {
			t.Fatalf("estimates %v", got)
		}
	}
}

// The inner product is that of the textbook, for any length.
func TestDot(t *testing.T) {
	for n := range 12 {
		a, b, want := make([]float64, n), make([]float64, n), 0.0
		for i := range a {
			a[i], b[i] = float64(i+1), float64(2*i-3)
			want += a[i] * b[i]
		}
		if got := dot(a, b); got != want {
			t.Errorf("%d numbers: %g, want %g", n, got, want)
		}
	}
}
