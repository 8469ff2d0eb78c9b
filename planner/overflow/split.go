package overflow

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/planner/plan"
)

// Reason is why a part of a plan does not fit.
type Reason string

// What bounds the replicas of a service in its cluster.
const (
	// MaxReplicas is the upper bound of the autoscaler.
	MaxReplicas Reason = "MaxReplicas"
	// Nodes are the nodes that there are, where no others are added.
	Nodes Reason = "Nodes"
	// Pool is the size to which the node pool can grow.
	Pool Reason = "Pool"
	// Quota is a ResourceQuota of the namespace.
	Quota Reason = "Quota"
	// Shared means that services of the same priority that share nodes are short together.
	Shared Reason = "Shared"
	// Priority means that the service leaves its place to one of a higher priority.
	Priority Reason = "Priority"
)

// remedies say what to do about what does not fit.
var remedies = map[Reason]string{
	MaxReplicas: "raise the maximum of the autoscaler",
	Nodes:       "add nodes, or let spec.nodes of the WarmPool bring them up",
	Pool:        "let the node pool grow further, or correct spec.nodes.capacity of the WarmPool",
	Quota:       "raise the namespace's ResourceQuota",
	Shared:      "add nodes for the services that are short together, or set spec.priority",
	Priority:    "add nodes: the places go to Forecasts with a higher spec.priority",
}

// Remedy says what to do.
func (r Reason) Remedy() string { return remedies[r] }

// margin is the hysteresis on the way back, as a share of what the cluster can serve: demand comes
// back once it is that much below.
const margin = 0.05

// Limits are what bounds a service in its cluster. The zero value knows of no bound.
type Limits struct {
	// MaxReplicas of the autoscaler; 0 is no bound.
	MaxReplicas int
	// Alone is how many replicas there can be if no other service needed any, and By what bounds
	// them. They count where By is not empty.
	Alone int
	By    Reason
	// Common is the resource that the service shares with others; nil where it shares none.
	Common *Common
	// Release is how long the service takes to give a replica up: its place is free that much later.
	Release time.Duration
	// Last is what overflowed at the beginning of the plan by the last plan, in the unit of demand.
	Last float64
}

// Known reports whether anything bounds the service.
func (l Limits) Known() bool { return l.MaxReplicas > 0 || l.By != "" || l.Common != nil }

// Common is a resource that several services share, such as the GPUs of a node pool.
type Common struct {
	// Most is how much of the resource they can have together, and By what bounds that.
	Most float64
	By   Reason
	// Own is the service itself, without its need. Others are the other services.
	Own    Claim
	Others []Member
}

// Member is another service that shares the resource.
type Member struct {
	Claim
	// Plan and Capacity say what it needs over time. MaxReplicas bounds that; 0 is no bound.
	Plan        *plan.Plan
	Capacity    float64
	MaxReplicas int
}

// Timeline is the part of a plan that does not fit.
type Timeline struct {
	// Values are that part at each step of the plan, in the unit of demand; NaN where the plan has
	// no value.
	Values []float64
	// Most is what may be served at most at each step, so that services of a higher priority get
	// their places; nil where nothing is to be given up. NaN is no bound.
	Most []float64
	// From is when something does not fit for the first time, and Reason why. From is zero where
	// everything fits.
	From   time.Time
	Reason Reason
	// Peak is the largest part that does not fit, at PeakAt, and PeakReason why. Replicas is how
	// many replicas that is.
	Peak       float64
	PeakAt     time.Time
	PeakReason Reason
	Replicas   int
	// TakesFrom is when services of a lower priority first leave their places to this one; zero where
	// they never do.
	TakesFrom time.Time
}

// Fits reports whether the whole plan fits.
func (t *Timeline) Fits() bool { return t == nil || t.From.IsZero() }

// Split returns the part of a plan of one segment that the cluster cannot serve; nil where that
// cannot be known: without the capacity of a replica, or without any bound.
func Split(p plan.Plan, capacity float64, l Limits) *Timeline {
	if !(capacity > 0) || !l.Known() || len(p.Segments) != 1 {
		return nil
	}
	s := p.Segments[0]
	out := &Timeline{Values: make([]float64, len(s.Values))}
	most, reasons := l.most(p.Start, s, capacity, out)
	before := l.Last
	for i, v := range s.Values {
		if math.IsNaN(v) {
			out.Values[i], before = math.NaN(), 0
			continue
		}
		fits := float64(most[i]) * capacity
		over := max(0, v-fits)
		if over < slack*v {
			over = 0 // the rounding error of replicas times capacity
		}
		// What overflows comes back only when demand is a margin below what fits. Until then, as
		// much stays in the other cluster as was there, and never more than needed for the margin.
		over = max(over, min(before, v-fits*(1-margin)))
		out.add(over, p.Start.Add(time.Duration(i)*s.Step), reasons[i], i)
		before = over
	}
	out.Replicas = plan.Replicas(out.Peak, capacity)
	return out
}

// add sets the value of step i.
func (t *Timeline) add(over float64, at time.Time, why Reason, i int) {
	t.Values[i] = over
	if over <= 0 {
		return
	}
	if t.From.IsZero() {
		t.From, t.Reason = at, why
	}
	if over > t.Peak {
		t.Peak, t.PeakAt, t.PeakReason = over, at, why
	}
}

// most returns how many replicas the service can have at each step, and what bounds them. It sets
// out.Most.
func (l Limits) most(start time.Time, s plan.Segment, capacity float64, out *Timeline) ([]int, []Reason) {
	most, reasons := make([]int, len(s.Values)), make([]Reason, len(s.Values))
	for i := range most {
		most[i] = math.MaxInt32
		if l.By != "" {
			most[i], reasons[i] = l.Alone, l.By
		}
		if l.MaxReplicas > 0 && l.MaxReplicas <= most[i] {
			most[i], reasons[i] = l.MaxReplicas, MaxReplicas
		}
	}
	if l.Common == nil {
		return most, reasons
	}
	c := newContest(l.Common, start, s, capacity, most)
	for i := range most {
		n, why, takes := c.at(i)
		if n < most[i] {
			most[i], reasons[i] = n, why
		}
		if takes && out.TakesFrom.IsZero() {
			out.TakesFrom = start.Add(time.Duration(i) * s.Step)
		}
	}
	l.giveUp(s, capacity, most, reasons, out)
	return most, reasons
}

// giveUp has the service give its places up as much earlier as that takes.
func (l Limits) giveUp(s plan.Segment, capacity float64, most []int, reasons []Reason, out *Timeline) {
	ahead := 0
	if s.Step > 0 {
		ahead = min(len(most), int((l.Release+s.Step-1)/s.Step))
	}
	if !slices.Contains(reasons, Priority) {
		return
	}
	out.Most = make([]float64, len(most))
	for i, n := range slidingMin(most, reasons, ahead) {
		out.Most[i] = math.NaN()
		if n < 0 {
			continue
		}
		if n <= most[i] {
			most[i], reasons[i] = n, Priority
		}
		// Half a replica less than n is rounded up to n, whatever the rounding error of the division.
		out.Most[i] = max(float64(n)-0.5, 0) * capacity
	}
}

// slidingMin returns, for each step, the smallest of most within the steps from there to ahead later
// in which the service gives its place up; -1 where there is none.
func slidingMin(most []int, reasons []Reason, ahead int) []int {
	out := make([]int, len(most))
	var best []int // steps of ever larger values, of which the first is the smallest
	head, next := 0, 0
	for i := range out {
		for ; next < min(i+ahead+1, len(most)); next++ {
			if reasons[next] != Priority {
				continue
			}
			for len(best) > head && most[best[len(best)-1]] >= most[next] {
				best = best[:len(best)-1]
			}
			best = append(best, next)
		}
		for head < len(best) && best[head] < i {
			head++
		}
		out[i] = -1
		if head < len(best) {
			out[i] = most[best[head]]
		}
	}
	return out
}
