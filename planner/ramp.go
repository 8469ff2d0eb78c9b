package planner

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// DefaultSync is the default period of the HPA controller
// (--horizontal-pod-autoscaler-sync-period).
const DefaultSync = 15 * time.Second

// PolicyKind is what the value of a scale-up policy counts.
type PolicyKind string

// What the value of a scale-up policy counts.
const (
	PolicyPods    PolicyKind = "Pods"
	PolicyPercent PolicyKind = "Percent"
)

// Policy is one scale-up policy of an HPA: how many pods, or how many percent of the replicas, it
// may add within a period.
type Policy struct {
	Kind   PolicyKind
	Value  int
	Period time.Duration
}

// Select is the selectPolicy of an HPA: which of several policies applies.
type Select string

// Which of several policies applies.
const (
	SelectMax      Select = "Max"
	SelectMin      Select = "Min"
	SelectDisabled Select = "Disabled"
)

// Ramp is how fast an HPA adds replicas, from its spec.behavior.scaleUp. The zero value is an HPA
// without spec.behavior: at each sync it may go up to max(2 × replicas, 4).
type Ramp struct {
	// None means that replicas follow the plan at once, without a limit.
	None bool
	// Sync is the period of the HPA controller; DefaultSync when it is 0.
	Sync time.Duration
	// Policies of scaleUp. Without any, the rule of an HPA without behavior applies.
	Policies []Policy
	// Select says which policy applies; Max when it is empty.
	Select Select
	// Stabilization is scaleUp.stabilizationWindowSeconds: the HPA follows the lowest
	// recommendation of that window.
	Stabilization time.Duration
	// FromZero is how long it takes to ask for the first replica at 0 replicas, before the rules
	// above apply: KEDA does that, and the HPA goes on from there. 0 is an HPA, which leaves 0
	// replicas by its rules.
	FromZero time.Duration
}

// BehaviorDefaults are the scale-up rules of an HPA that has a behavior without scaleUp policies:
// the larger of 4 pods and 100 % within 15 s.
func BehaviorDefaults() Ramp {
	return Ramp{Policies: []Policy{
		{Kind: PolicyPods, Value: 4, Period: 15 * time.Second},
		{Kind: PolicyPercent, Value: 100, Period: 15 * time.Second},
	}}
}

// ProposedRamp is the ramp of the HPA that Headstart proposes: the larger of 10 pods and 100 %
// within a minute. Pods that take minutes to start do not need more, since the plan begins early
// enough for it. And it bounds what one wrong number starts.
func ProposedRamp() Ramp {
	return Ramp{Policies: []Policy{
		{Kind: PolicyPods, Value: 10, Period: time.Minute},
		{Kind: PolicyPercent, Value: 100, Period: time.Minute},
	}}
}

func (r Ramp) validate() error {
	if r.Sync < 0 || r.Stabilization < 0 || r.FromZero < 0 {
		return errors.New("ramp: sync, stabilization and the time from zero must not be below 0")
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

// instantOrDisabled reports whether the HPA adds replicas at once or never. Starting early changes
// nothing then.
func (r Ramp) instantOrDisabled() bool { return r.None || r.Select == SelectDisabled }

// limit is the most replicas that a policy allows, from n at the start of its period.
func (p Policy) limit(n int) int {
	if p.Kind == PolicyPods {
		return n + p.Value
	}
	return int(math.Ceil(float64(n) * (1 + float64(p.Value)/100)))
}

// fewest is the smallest number of replicas from which a policy reaches n within one period.
func (p Policy) fewest(n int) int {
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

// predecessor goes one step back in time. An HPA that is to have n replicas must have had at least
// fewer replicas that many syncs before.
func (r Ramp) predecessor(n int) (fewer, syncs int) {
	if len(r.Policies) == 0 { // Without behavior: max(2n, 4) at each sync.
		if n <= 4 {
			return 0, 1
		}
		return (n + 1) / 2, 1
	}
	best := math.Inf(1)
	for _, p := range r.Policies {
		m, q := p.fewest(n), int((p.Period+r.sync()-1)/r.sync())
		if r.Select == SelectMin { // Every policy must allow it.
			fewer, syncs = max(fewer, m), max(syncs, q)
			continue
		}
		if m >= n {
			continue
		}
		// Choose the policy with the highest growth rate: the fewest syncs per e-fold of replicas.
		if pace := float64(q) / math.Log(float64(n+1)/float64(m+1)); pace < best {
			best, fewer, syncs = pace, m, q
		}
	}
	if syncs == 0 { // No policy adds anything: all n replicas must exist before.
		return n, 1
	}
	return fewer, syncs
}

// early returns how many replicas to request at each step, so that an HPA with this ramp has at
// least want[i] replicas from its first sync within step i on, whenever it syncs. That is at least
// want[i] for step i itself. Nothing can be requested before step 0.
//
// It walks backward over the HPA's syncs. Having n replicas at one sync requires predecessor(n)
// earlier. The rolling periods of the HPA's policies always allow that: a period that begins with
// the earlier sync contains no other scale-up. Where the step is not a multiple of the sync period,
// this is done for each offset between the two.
func (r Ramp) early(want []int, step time.Duration) []int {
	out := append([]int(nil), want...)
	sync := r.sync()
	if r.instantOrDisabled() || len(want) == 0 || (step >= sync && r.oneSyncIsEnough(want)) {
		return out
	}
	grain := gcd(step, sync)
	if sync/grain > maxOffsets {
		grain = sync / maxOffsets
	}
	for offset := time.Duration(0); offset < sync; offset += grain {
		r.earlyAt(out, want, step, offset)
	}
	return out
}

// maxOffsets bounds the work where step and sync period have no whole second in common.
const maxOffsets = 60

// oneSyncIsEnough reports whether a single sync can follow every change. Then no early start is
// needed, if each step contains a sync.
func (r Ramp) oneSyncIsEnough(want []int) bool {
	if r.Stabilization > 0 || (r.FromZero > 0 && slices.Contains(want, 0)) {
		return false
	}
	for i := 1; i < len(want); i++ {
		if want[i] > want[i-1] {
			if fewer, syncs := r.predecessor(want[i]); fewer > want[i-1] || syncs > 1 {
				return false
			}
		}
	}
	return true
}

// earlyAt raises out for syncs at offset, offset + sync, offset + 2 sync and so on.
func (r Ramp) earlyAt(out, want []int, step, offset time.Duration) {
	sync := r.sync()
	n := int((time.Duration(len(want))*step - offset + sync - 1) / sync)
	if n <= 0 {
		return
	}
	stepOf := func(k int) int { return int((offset + time.Duration(k)*sync) / step) }
	need := make([]int, n)
	for k := range need {
		need[k] = want[stepOf(k)]
	}
	for k := n - 1; k > 0; k-- {
		if need[k] <= need[k-1] {
			continue
		}
		fewer, syncs := r.predecessor(need[k])
		for b := max(0, k-syncs); b < k; b++ {
			need[b] = max(need[b], fewer)
		}
	}
	r.wakeEarly(need)
	window := int((r.Stabilization + sync - 1) / sync)
	for k, v := range need {
		for b := max(0, k-window); b <= k; b++ {
			i := stepOf(b)
			out[i] = max(out[i], v)
		}
	}
}

// wakeEarly asks for one replica FromZero before the first one is needed, at each end of a time
// without any.
func (r Ramp) wakeEarly(need []int) {
	syncs := int((r.FromZero + r.sync() - 1) / r.sync())
	for k := 1; syncs > 0 && k < len(need); k++ {
		if need[k] > 0 && need[k-1] == 0 {
			for b := max(0, k-syncs); b < k; b++ {
				need[b] = max(need[b], 1)
			}
		}
	}
}

func gcd(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Reach is how long the ramp takes from 0 to n replicas. No plan has to look further ahead for it.
func (r Ramp) Reach(n int) time.Duration {
	if r.instantOrDisabled() {
		return 0
	}
	syncs := 0
	for n > 0 {
		fewer, back := r.predecessor(n)
		syncs += back
		if fewer >= n {
			break
		}
		n = fewer
	}
	return time.Duration(syncs)*r.sync() + r.Stabilization + r.FromZero
}
