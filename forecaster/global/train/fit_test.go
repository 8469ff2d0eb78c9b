package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/regress"
)

// made returns rows whose targets depend on two inputs, one of them not linearly.
func made(rows int) *regress.Design {
	rng := rand.New(rand.NewPCG(1, 2))
	d := &regress.Design{P: global.Inputs, Stride: 1}
	for range rows {
		row := make([]float64, global.Inputs)
		row[0] = 1
		for k := 1; k < len(row); k++ {
			row[k] = rng.NormFloat64()
		}
		d.X = append(d.X, row...)
		d.Y = append(d.Y, 0.5*row[1]+math.Abs(row[2])+0.1*rng.NormFloat64())
		d.W = append(d.W, 1)
	}
	return d
}

// The network finds what a regression cannot, and the model that is written estimates what the
// network in training does. The same rows give the same model.
func TestTrain(t *testing.T) {
	d := made(20_000)
	m := train(d, "nothing")
	all := []rows{{"made", made(3000)}}
	if got := held(all, "made", m); got > 0.55 {
		t.Errorf("the loss is %.2f of that of a constant: a line along the first input leaves about 0.8", got)
	}
	first, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(train(d, "nothing"))
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(again) {
		t.Error("trained again, the model differs")
	}
}
