package forecaster

import (
	"math"
	"time"
)

const (
	coldness = 100 // how sharply an expert's share falls with its cost, relative to the least
	halfLife = 24 * time.Hour

	elsewhere = 0.35 // what a cost counts for in the other of quiet and busy times
)

// memories are how long the ledgers remember, in half-lives. What is best now changes in hours at some times and in weeks at others, and which it is is not known
// before: averaging over a few forgets fast enough where it has to, and remembers rare bursts where it may.
func memories() []float64 { return []float64{0.25, 1, 4} }

// A ledger keeps what following each expert has cost, the older the less, and shares trust out by that.
//
// Two books are kept, of what was decided while demand was below its mean and above: what is noise in a busy hour is a multiple of demand in
// a quiet one, and a model may be good at one of them.
type ledger struct {
	forget   float64      // factor on trailing costs per block
	books    [2][]float64 // trailing cost of each expert, in quiet and in busy times
	trailing []float64    // of each, as it counts now, and then its weight
}

func newLedger(experts int, forget float64) ledger {
	return ledger{forget: forget, books: [2][]float64{make([]float64, experts), make([]float64, experts)}, trailing: make([]float64, experts)}
}

// book returns the one of busy times, or of quiet ones, and the other.
func (l *ledger) book(busy bool) (here, other []float64) {
	if busy {
		return l.books[1], l.books[0]
	}
	return l.books[0], l.books[1]
}

// charge adds what the experts' decisions of busy times, or of quiet ones, came to cost.
func (l *ledger) charge(busy bool, costs []float64) {
	here, other := l.book(busy)
	for e, cost := range costs {
		here[e] = here[e]*l.forget + cost
		other[e] *= l.forget
	}
}

// share adds part of the trust to the experts, by how close to the cheapest they came. A cost in the other book counts for so much.
func (l *ledger) share(busy bool, elsewhere, part float64, shares []float64) {
	here, other := l.book(busy)
	least := math.Inf(1)
	for e := range l.trailing {
		l.trailing[e] = here[e] + elsewhere*other[e]
		least = math.Min(least, l.trailing[e])
	}
	sharpness := coldness / math.Max(least, 1e-9)
	total := 0.0
	for e, cost := range l.trailing {
		w := 0.0
		if over := sharpness * (cost - least); over < 20 {
			w = math.Exp(-over)
			total += w
		}
		l.trailing[e] = w
	}
	part /= total
	for e, w := range l.trailing {
		shares[e] += part * w
	}
}
