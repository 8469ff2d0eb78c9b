package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	epochs = 3
	batch  = 128
	pace   = 2e-3 // of Adam (Kingma and Ba 2015); it falls to zero along a cosine
	decay  = 1e-4 // of the weights, each step
	// nets are trained from different starts, and their mean is the model: what one of them took from
	// chance mostly cancels.
	nets = 2
	// units are the hidden units of one of them.
	units = global.Hidden / nets
)

// train fits a model: the regressions first, and then the network on what they leave.
func train(d *regress.Design, without string) *global.Model {
	m := &global.Model{}
	levels := global.Levels()
	for k, level := range levels {
		m.Linear[k] = d.Quantile(level, 30, nil)
	}
	for k := range m.Out {
		m.Out[k] = make([]float64, global.Hidden)
	}
	linear := *m
	for k := range linear.Linear {
		linear.Linear[k] = slices.Clone(m.Linear[k])
	}
	for i := range nets {
		n := newNet(d, &linear, uint64(i))
		before := n.loss()
		n.train(uint64(i))
		n.into(m, i)
		fmt.Fprintf(os.Stderr, "without %q: %d rows, loss %.5f by the regressions, %.5f with network %d\n",
			without, d.Rows(), before, n.loss(), i+1)
	}
	return m
}

// A net is a network in training. Its inputs are standardised.
type net struct {
	d           *regress.Design
	mean, scale []float64
	left        [][global.Outputs]float64 // what the regressions leave, of each row
	weights     []float64                 // of each unit its inputs and its outputs; then the output intercepts
	gradient    []float64
	first       []float64
	second      []float64
	steps       float64
}

const unit = global.Inputs + global.Outputs

func newNet(d *regress.Design, m *global.Model, seed uint64) *net {
	n := &net{d: d, mean: make([]float64, d.P), scale: make([]float64, d.P)}
	for i := range d.Rows() {
		for k, v := range d.Row(i) {
			n.mean[k] += v
			n.scale[k] += v * v
		}
	}
	rows := float64(d.Rows())
	for k := range n.mean {
		n.mean[k] /= rows
		n.scale[k] = 1 / math.Sqrt(math.Max(n.scale[k]/rows-n.mean[k]*n.mean[k], 1e-4))
	}
	n.mean[0], n.scale[0] = 0, 1
	for i := range d.Rows() {
		var left [global.Outputs]float64
		for k := range left {
			left[k] = d.Y[i] - stats.Dot(d.Row(i), m.Linear[k])
		}
		n.left = append(n.left, left)
	}
	size := units*unit + global.Outputs
	n.weights, n.gradient = make([]float64, size), make([]float64, size)
	n.first, n.second = make([]float64, size), make([]float64, size)
	rng := rand.New(rand.NewPCG(3, 5+seed))
	for j := range units {
		w := n.weights[j*unit:]
		for k := range global.Inputs {
			w[k] = rng.NormFloat64() * math.Sqrt(2.0/global.Inputs)
		}
		for k := range global.Outputs {
			w[global.Inputs+k] = rng.NormFloat64() * 0.01
		}
	}
	return n
}

// standardised writes the inputs of a row.
func (n *net) standardised(i int, out []float64) {
	for k, v := range n.d.Row(i) {
		out[k] = (v - n.mean[k]) * n.scale[k]
	}
}

// forward returns the outputs, and sets the hidden units.
func (n *net) forward(x []float64, hidden *[units]float64) (out [global.Outputs]float64) {
	copy(out[:], n.weights[units*unit:])
	for j := range hidden {
		w := n.weights[j*unit : (j+1)*unit]
		hidden[j] = max(0, stats.Dot(x, w[:global.Inputs]))
		if hidden[j] > 0 {
			for k := range out {
				out[k] += hidden[j] * w[global.Inputs+k]
			}
		}
	}
	return out
}

// loss returns the mean loss over all rows.
func (n *net) loss() float64 {
	var x [global.Inputs]float64
	var hidden [units]float64
	levels, sum := global.Levels(), 0.0
	for i := range n.d.Rows() {
		n.standardised(i, x[:])
		for k, v := range n.forward(x[:], &hidden) {
			sum += n.d.W[i] * stats.Pinball(n.left[i][k], v, levels[k])
		}
	}
	return sum / float64(n.d.Rows())
}

func (n *net) train(seed uint64) {
	rng := rand.New(rand.NewPCG(17, 19+seed))
	total := float64(epochs * (n.d.Rows() / batch))
	for range epochs {
		order := rng.Perm(n.d.Rows())
		for len(order) >= batch {
			clear(n.gradient)
			for _, i := range order[:batch] {
				n.backward(i)
			}
			order = order[batch:]
			n.step(pace * 0.5 * (1 + math.Cos(math.Pi*n.steps/total)))
		}
	}
}

// backward adds the gradient of a row's loss.
func (n *net) backward(i int) {
	var x [global.Inputs]float64
	var hidden [units]float64
	n.standardised(i, x[:])
	out, levels := n.forward(x[:], &hidden), global.Levels()
	var slope [global.Outputs]float64
	for k, v := range out {
		slope[k] = -levels[k]
		if v > n.left[i][k] {
			slope[k] = 1 - levels[k]
		}
		slope[k] *= n.d.W[i] / batch
		n.gradient[units*unit+k] += slope[k]
	}
	for j, v := range hidden {
		if v <= 0 {
			continue
		}
		w, g := n.weights[j*unit:(j+1)*unit], n.gradient[j*unit:(j+1)*unit]
		back := 0.0
		for k, s := range slope {
			g[global.Inputs+k] += s * v
			back += s * w[global.Inputs+k]
		}
		for k, v := range x {
			g[k] += back * v
		}
	}
}

// step takes a step of Adam.
func (n *net) step(rate float64) {
	const keep1, keep2 = 0.9, 0.999
	n.steps++
	c1, c2 := 1-math.Pow(keep1, n.steps), 1-math.Pow(keep2, n.steps)
	for k, g := range n.gradient {
		n.first[k] = keep1*n.first[k] + (1-keep1)*g
		n.second[k] = keep2*n.second[k] + (1-keep2)*g*g
		n.weights[k] -= rate*n.first[k]/c1/(math.Sqrt(n.second[k]/c2)+1e-8) + decay*n.weights[k]
	}
}

// into adds network i of nets to a model, for inputs as they are.
func (n *net) into(m *global.Model, i int) {
	for k := range m.Out {
		m.Linear[k][0] += n.weights[units*unit+k] / nets
	}
	for j := range units {
		w, at := n.weights[j*unit:(j+1)*unit], i*units+j
		m.In[at] = make([]float64, global.Inputs)
		for k := range global.Inputs {
			m.In[at][k] = w[k] * n.scale[k]
			m.In[at][0] -= w[k] * n.scale[k] * n.mean[k]
		}
		for k := range m.Out {
			m.Out[k][at] = w[global.Inputs+k] / nets
		}
	}
}

// held returns the loss of a model on a source that it has not seen, relative to that of the source's
// own quantiles.
func held(all []rows, source string, m *global.Model) float64 {
	levels := global.Levels()
	var loss, constant float64
	for _, r := range all {
		if r.source != source {
			continue
		}
		sorted := slices.Clone(r.Y)
		slices.Sort(sorted)
		for i := 0; i < r.Rows(); i += 3 {
			for k, v := range m.Estimate(r.Row(i)) {
				loss += r.W[i] * stats.Pinball(r.Y[i], v, levels[k])
				constant += r.W[i] * stats.Pinball(r.Y[i], stats.Quantile(sorted, levels[k]), levels[k])
			}
		}
	}
	return loss / constant
}
