package queues

import "math/rand/v2"

// A workers is one replica of a web service: some workers, and one queue in order of arrival.
type workers struct {
	mean float64 // time of a request, exponentially distributed
	free []float64
	pending
}

// pending are requests whose end is known, and not reached.
type pending struct {
	requests []struct{ ends, latency float64 }
	out      *finished
}

func (p *pending) add(ends, latency float64) {
	latency = min(latency, p.out.patience)
	p.requests = append(p.requests, struct{ ends, latency float64 }{ends, latency})
}

func (p *pending) finish(to float64) {
	kept := p.requests[:0]
	for _, r := range p.requests {
		if r.ends <= to {
			p.out.add(r.latency)
		} else {
			kept = append(kept, r)
		}
	}
	p.requests = kept
}

func (q *workers) offer(at float64, w work, r *rand.Rand) {
	first := 0
	for i, t := range q.free {
		if t < q.free[first] {
			first = i
		}
	}
	starts := max(at, q.free[first])
	if starts-at > q.out.patience {
		q.add(at+q.out.patience, q.out.patience)
		return
	}
	ends := starts + r.ExpFloat64()*q.mean*w.length
	q.free[first] = ends
	q.add(ends, ends-at)
}

func (q *workers) advance(to float64) { q.finish(to) }

func (q *workers) idle() bool { return len(q.requests) == 0 }

// A batcher is one replica of a diffusion model: it takes up to a number of requests at once, and
// the next ones when all of these are done.
type batcher struct {
	setup, each float64 // times of a batch, and of each request in it
	size        int
	free        float64
	waiting     []float64 // arrivals
	length      float64
	pending
}

func (q *batcher) offer(at float64, w work, _ *rand.Rand) {
	q.start(at)
	q.length = w.length
	q.waiting = append(q.waiting, at)
}

func (q *batcher) advance(to float64) {
	q.start(to)
	q.finish(to)
}

// start starts the batches that can start before a time.
func (q *batcher) start(to float64) {
	for len(q.waiting) > 0 {
		starts := max(q.free, q.waiting[0])
		if starts >= to {
			return
		}
		n := 0
		for n < len(q.waiting) && n < q.size && q.waiting[n] <= starts {
			n++
		}
		q.free = starts + (q.setup+q.each*float64(n))*q.length
		for _, arrived := range q.waiting[:n] {
			q.add(q.free, q.free-arrived)
		}
		q.waiting = q.waiting[n:]
		for len(q.waiting) > 0 && q.free-q.waiting[0] > q.out.patience {
			q.add(q.waiting[0]+q.out.patience, q.out.patience)
			q.waiting = q.waiting[1:]
		}
	}
}

func (q *batcher) idle() bool { return len(q.waiting) == 0 && len(q.requests) == 0 }
