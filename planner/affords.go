package planner

import "time"

// Affords says whether a write that is wanted for another reason than the plan, such as a condition that changed, leaves enough of
// the writes for the plan itself: a third of them.
func (p *Publisher) Affords(now time.Time) bool {
	return p.left(now) > p.opts.Writes/3
}
