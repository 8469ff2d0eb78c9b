package queues

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// A modelServer is the law of a model server with continuous batching. Times are in seconds.
type modelServer struct {
	prompt, answer []float64 // tables of numbers of tokens
	perPrompt      float64   // time for a token of a prompt; 0 where another role does them
	iteration      float64   // time of an iteration
	perRunning     float64   // time that a running request adds to an iteration
	slots          int       // running requests at most
	chunk          float64   // tokens of an iteration at most; with 0, prompts go first and answers wait
	measure        measure
}

// measure says which time of a request counts.
type measure int

const (
	firstToken measure = iota
	perToken
)

type request struct {
	arrived, first float64
	prompt, answer float64 // tokens
	ends           float64 // see engine.virtual
}

// An engine is one replica of a model server.
type engine struct {
	law     *modelServer
	now     float64
	waiting []request
	left    float64 // tokens of the prompt of waiting[0] that remain; 0 before it begins
	// virtual is the number of tokens that a request would have that runs since the beginning. All
	// running requests progress alike, so it orders their ends.
	virtual float64
	running []request // the next to end is the last one
	out     *finished
}

func (e *engine) offer(at float64, w work, r *rand.Rand) {
	e.advance(at)
	e.waiting = append(e.waiting, request{
		arrived: at,
		prompt:  max(1, draw(e.law.prompt, r)*w.length*(1-w.cached)),
		answer:  max(1, draw(e.law.answer, r)*w.length),
	})
}

// advance simulates up to a time.
func (e *engine) advance(to float64) {
	for e.now < to {
		prefill := e.begin()
		b := float64(len(e.running))
		if !prefill && b == 0 {
			e.now = to
			return
		}
		promptRate, tokenRate := e.law.rates(prefill, b)
		dt := to - e.now
		promptEnds, answerEnds := false, false
		if prefill && e.left <= dt*promptRate {
			dt, promptEnds = e.left/promptRate, true
		}
		if tokenRate > 0 && b > 0 && e.remaining() <= dt*tokenRate {
			dt, promptEnds, answerEnds = e.remaining()/tokenRate, false, true
		}
		e.now += dt
		e.virtual += dt * tokenRate
		if prefill && !promptEnds {
			e.left = max(e.left-dt*promptRate, 1e-9)
		}
		if answerEnds {
			e.endAnswer()
		}
		if promptEnds {
			e.endPrompt()
		}
	}
}

// remaining returns the tokens until the next answer ends.
func (e *engine) remaining() float64 { return max(0, e.running[len(e.running)-1].ends-e.virtual) }

// begin reports whether a prompt is being processed. Who waited longer than patience is gone.
func (e *engine) begin() bool {
	for len(e.waiting) > 0 && e.left == 0 {
		if e.now-e.waiting[0].arrived <= e.out.patience {
			break
		}
		e.out.add(e.out.patience)
		e.waiting = e.waiting[1:]
	}
	if len(e.waiting) == 0 || len(e.running) >= e.law.slots && e.left == 0 {
		return false
	}
	if e.left == 0 {
		e.left = e.waiting[0].prompt
	}
	return true
}

// rates returns the tokens of prompts per second, and those of each answer.
func (l *modelServer) rates(prefill bool, running float64) (prompt, token float64) {
	iteration := l.iteration + l.perRunning*running
	switch {
	case !prefill:
		return 0, 1 / iteration
	case l.perPrompt == 0:
		return 1e9, 1 / iteration
	case l.chunk == 0:
		return 1 / l.perPrompt, 0
	}
	part := l.chunk - running
	iteration += l.perPrompt * part
	return part / iteration, 1 / iteration
}

func (e *engine) endPrompt() {
	r := e.waiting[0]
	e.waiting, e.left = e.waiting[1:], 0
	r.first, r.ends = e.now, e.virtual+r.answer
	if e.law.measure == firstToken {
		e.out.add(e.now - r.arrived)
	}
	i, _ := slices.BinarySearchFunc(e.running, r.ends, func(o request, ends float64) int {
		return cmp.Compare(ends, o.ends)
	})
	e.running = slices.Insert(e.running, i, r)
}

func (e *engine) endAnswer() {
	last := len(e.running) - 1
	r := e.running[last]
	e.running = e.running[:last]
	if e.law.measure == perToken {
		e.out.add((e.now - r.first) / r.answer)
	}
}

func (e *engine) idle() bool { return len(e.waiting) == 0 && len(e.running) == 0 }
