package planner

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// DefaultSync is how often the HPA controller looks at an HPA, unless the cluster says otherwise.
const DefaultSync = 15 * time.Second

// PolicyKind is what the value of a scale-up policy counts.
type PolicyKind string

// What the value of a scale-up policy counts.
const (
	PolicyPods    PolicyKind = "Pods"
	PolicyPercent PolicyKind = "Percent"
)

// Policy is one scale-up policy of an HPA: so many pods, or so many percent of the replicas, more within a period.
type Policy struct {
	Kind   PolicyKind
	Value  int
	Period time.Duration
}

// Select is which of several policies counts.
type Select string

// Which of several policies counts.
const (
	SelectMax      Select = "Max"
	SelectMin      Select = "Min"
	SelectDisabled Select = "Disabled"
)

// Ramp is how fast an HPA adds replicas, from its spec.behavior.scaleUp. The zero value is an HPA without any behavior:
// max(2 × replicas, 4) at each sync.
type Ramp struct {
	// None says that replicas follow at once, as they do for an HPA that was told to.
	None bool
	// Sync is how often the HPA is looked at; DefaultSync when it is 0.
	Sync time.Duration
	// Policies of scaleUp; without any, the rule of an HPA without behavior.
	Policies []Policy
	// Select says which policy counts; Max when it is empty.
	Select Select
	// Stabilization is scaleUp.stabilizationWindowSeconds: the HPA follows the lowest wish of that time.
	Stabilization time.Duration
}

// BehaviorDefaults are the scale-up rules of an HPA that has a behavior without scaleUp policies: the larger of 4 pods and 100 %
// within 15 s.
func BehaviorDefaults() Ramp {
	return Ramp{Policies: []Policy{
		{Kind: PolicyPods, Value: 4, Period: 15 * time.Second},
		{Kind: PolicyPercent, Value: 100, Period: 15 * time.Second},
	}}
}

// ProposedRamp is that of the HPA that Headstart proposes: the larger of 20 pods and 900 % within 15 s.
func ProposedRamp() Ramp {
	return Ramp{Policies: []Policy{
		{Kind: PolicyPods, Value: 20, Period: 15 * time.Second},
		{Kind: PolicyPercent, Value: 900, Period: 15 * time.Second},
	}}
}

func (r Ramp) validate() error {
	if r.Sync < 0 || r.Stabilization < 0 {
		return errors.New("ramp: sync and stabilization must not be below 0")
	}
	switch r.Select {
	case "", SelectMax, SelectMin, SelectDisabled:
	default:
		return fmt.Errorf("ramp: select policy %q is not Max, Min or Disabled", r.Select)
	}
	for _, p := range r.Policies {
		if p.Kind != PolicyPods && p.Kind != PolicyPercent {
			return fmt.Errorf("ramp: policy type %q is not Pods or Percent", p.Kind)
		}
		if p.Value <= 0 || p.Period <= 0 {
			return fmt.Errorf("ramp: policy %s: value and period must be above 0", p.Kind)
		}
	}
	return nil
}

func (r Ramp) sync() time.Duration {
	if r.Sync > 0 {
		return r.Sync
	}
	return DefaultSync
}

// still says whether the HPA adds replicas only at once or never, so that starting early changes nothing.
func (r Ramp) still() bool { return r.None || r.Select == SelectDisabled }

// limit is the most replicas that a policy allows, from n at the start of its period.
func (p Policy) limit(n int) int {
	if p.Kind == PolicyPods {
		return n + p.Value
	}
	return int(math.Ceil(float64(n) * (1 + float64(p.Value)/100)))
}

// least is the fewest replicas from which a policy reaches n within one period.
func (p Policy) least(n int) int {
	if n <= 0 {
		return 0
	}
	if p.Kind == PolicyPods {
		return max(0, n-p.Value)
	}
	m := int(float64(n) / (1 + float64(p.Value)/100))
	for m > 0 && p.limit(m-1) >= n {
		m--
	}
	for p.limit(m) < n {
		m++
	}
	return m
}

// link is one step back in time: to have n replicas, have at least the returned number so many syncs before.
func (r Ramp) link(n int) (fewer, syncs int) {
	if len(r.Policies) == 0 { // the rule without behavior: max(2n, 4) at each sync
		if n <= 4 {
			return 0, 1
		}
		return (n + 1) / 2, 1
	}
	best := math.Inf(1)
	for _, p := range r.Policies {
		m, q := p.least(n), int((p.Period+r.sync()-1)/r.sync())
		if r.Select == SelectMin { // every policy must allow it
			fewer, syncs = max(fewer, m), max(syncs, q)
			continue
		}
		if m >= n {
			continue
		}
		// The policy that climbs fastest for its period costs least.
		if pace := float64(q) / math.Log(float64(n+1)/float64(m+1)); pace < best {
			best, fewer, syncs = pace, m, q
		}
	}
	if syncs == 0 { // no policy gets there: what is there must be there before
		return n, 1
	}
	return fewer, syncs
}

// early returns the replicas to ask for at each step so that an HPA with this ramp, whenever it syncs, has at least want[i] from
// its first sync within step i on; at least want[i] at each step itself. Nothing can be done about what precedes step 0.
//
// It walks backward over the HPA's own syncs. A requirement of n at one sync asks for link(n) that many syncs earlier; the rolling
// periods of the HPA's policies allow that from any past, since a period that begins then holds no earlier scaling. Where steps
// are no multiple of the sync, it does so for each way in which the two can fall together.
func (r Ramp) early(want []int, step time.Duration) []int {
	out := append([]int(nil), want...)
	sync := r.sync()
	if r.still() || len(want) == 0 || (step >= sync && r.flat(want)) {
		return out
	}
	grain := gcd(step, sync)
	if sync/grain > maxPhases {
		grain = sync / maxPhases
	}
	for phase := time.Duration(0); phase < sync; phase += grain {
		r.earlyAt(out, want, step, phase)
	}
	return out
}

// maxPhases bounds the work for steps that share no whole second with the sync.
const maxPhases = 60

// flat says whether a single sync can follow every change, so that no early start is needed where each step has a sync.
func (r Ramp) flat(want []int) bool {
	if r.Stabilization > 0 {
		return false
	}
	for i := 1; i < len(want); i++ {
		if want[i] > want[i-1] {
			if fewer, syncs := r.link(want[i]); fewer > want[i-1] || syncs > 1 {
				return false
			}
		}
	}
	return true
}

// earlyAt raises out for syncs at phase, phase + sync, phase + 2 sync and so on.
func (r Ramp) earlyAt(out, want []int, step, phase time.Duration) {
	sync := r.sync()
	n := int((time.Duration(len(want))*step - phase + sync - 1) / sync)
	if n <= 0 {
		return
	}
	stepOf := func(k int) int { return int((phase + time.Duration(k)*sync) / step) }
	need := make([]int, n)
	for k := range need {
		need[k] = want[stepOf(k)]
	}
	for k := n - 1; k > 0; k-- {
		if need[k] <= need[k-1] {
			continue
		}
		fewer, syncs := r.link(need[k])
		for b := max(0, k-syncs); b < k; b++ {
			need[b] = max(need[b], fewer)
		}
	}
	hold := int((r.Stabilization + sync - 1) / sync)
	for k, v := range need {
		for b := max(0, k-hold); b <= k; b++ {
			i := stepOf(b)
			out[i] = max(out[i], v)
		}
	}
}

func gcd(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Reach is how long the ramp takes from nothing to n replicas: no plan looks further ahead for it.
func (r Ramp) Reach(n int) time.Duration {
	if r.still() {
		return 0
	}
	syncs := 0
	for n > 0 {
		fewer, back := r.link(n)
		syncs += back
		if fewer >= n {
			break
		}
		n = fewer
	}
	return time.Duration(syncs)*r.sync() + r.Stabilization
}
