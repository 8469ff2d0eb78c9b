package forecaster

import (
	"math"
	"time"
)

const (
	// learningRate is how sharply an expert's weight falls with its cost, relative to the least
	// cost.
	learningRate = 100
	// defaultHalfLife is the unit of halfLives when no day is known.
	defaultHalfLife = 24 * time.Hour
	// otherLoadShare is the weight of a cost from quiet times in busy times, and the reverse.
	otherLoadShare = 0.35
	// negligible is the excess cost, times the learning rate, from which on a weight is zero.
	negligible = 14
)

// halfLives returns the half-lives of the trailing costs, in days. Sometimes the best expert
// changes within hours, and sometimes within weeks. Nobody knows in advance which. The average over
// several half-lives forgets fast enough, and still remembers rare bursts.
func halfLives() []float64 { return []float64{0.25, 1, 4} }

// trailingCosts are the costs of following each expert. Older costs count less. They become weights
// by the exponentially weighted average forecaster (Cesa-Bianchi and Lugosi 2006).
//
// Costs of decisions that were made while demand was below its mean are kept apart from those
// above. What is noise in a busy hour is a multiple of demand in a quiet one, and a model may be
// good at one of the two.
type trailingCosts struct {
	decay       float32 // factor on trailing costs per block
	quiet, busy []float32
}

func newTrailingCosts(experts int, decay float64) trailingCosts {
	return trailingCosts{
		decay: float32(decay), quiet: make([]float32, experts), busy: make([]float32, experts),
	}
}

// byLoad returns the costs of times with the given load, and those of the other times.
func (c *trailingCosts) byLoad(busy bool) (same, other []float32) {
	if busy {
		return c.busy, c.quiet
	}
	return c.quiet, c.busy
}

// add adds the costs of decisions, one for each expert, that were made in busy or in quiet times.
func (c *trailingCosts) add(busy bool, costs []float64) {
	same, other := c.byLoad(busy)
	for e, cost := range costs {
		same[e] = same[e]*c.decay + float32(cost)
		other[e] *= c.decay
	}
}

// addWeights adds the experts' weights, which sum to total, to weights. An expert's weight falls
// with its cost above the cheapest's. Costs of times with the other load count for otherLoadShare.
// The buffer has room for a number for each expert.
func (c *trailingCosts) addWeights(busy bool, otherLoadShare, total float64, weights, buffer []float64) {
	same, other := c.byLoad(busy)
	least := math.Inf(1)
	for e := range buffer { // the costs of all times, and then the weights
		buffer[e] = float64(same[e]) + otherLoadShare*float64(other[e])
		least = min(least, buffer[e])
	}
	rate := learningRate / math.Max(least, 1e-9)
	sum := 0.0
	for e, cost := range buffer {
		w := 0.0
		if over := rate * (cost - least); over < negligible {
			w = math.Exp(-over)
			sum += w
		}
		buffer[e] = w
	}
	total /= sum
	for e, w := range buffer {
		weights[e] += total * w
	}
}
