package report

import (
	"fmt"

	"headstart.dev/headstart/report/internal/format"
)

// Objective is what each policy pays to serve a share of the demand. The capacity of a replica is
// the demand that it serves within the service's own objective, such as a latency or a share of
// successes. So demand that is served here is demand that keeps to it.
type Objective struct {
	// Served is the share of the demand to serve.
	Served float64 `json:"served"`
	// Summary compares Headstart with the policy of today. It is "" if one of them was not run.
	Summary string `json:"summary,omitempty"`
	// Policies are in the order of the report's. The oracle is not among them.
	Policies []ObjectivePolicy `json:"policies"`
}

// ObjectivePolicy is what one policy pays at an objective.
type ObjectivePolicy struct {
	Policy string `json:"policy"`
	// Setting is the setting that serves as much, or the two that it lies between. It is "" if none
	// does.
	Setting string `json:"setting,omitempty"`
	// ReplicaHours and GPUHours are the fewest, by the policy's frontier. They are nil if no setting
	// serves as much, or if the report counts no GPUs.
	ReplicaHours *float64 `json:"replicaHours,omitempty"`
	GPUHours     *float64 `json:"gpuHours,omitempty"`
}

// objective reads the frontiers at the share of the demand that Options names. It returns nil if
// none is named.
func (r *Report) objective() *Objective {
	served := r.options.Objective
	if served == 0 {
		return nil
	}
	out := &Objective{Served: served, Policies: []ObjectivePolicy{}}
	for _, p := range r.Policies {
		if len(p.Frontier) == 0 {
			continue
		}
		row := ObjectivePolicy{Policy: p.Policy}
		if hours, ok := p.Frontier.HoursAt(1 - served); ok {
			row.ReplicaHours = &hours
			if r.Input.GPUsPerReplica > 0 {
				gpus := hours * r.Input.GPUsPerReplica
				row.GPUHours = &gpus
			}
			row.Setting = p.Frontier.Setting(hours)
		}
		out.Policies = append(out.Policies, row)
	}
	out.Summary = r.atObjective(out)
	return out
}

// atObjective compares Headstart with the policy of today.
func (r *Report) atObjective(o *Objective) string {
	var head, today *ObjectivePolicy
	for i, p := range o.Policies {
		switch p.Policy {
		case PolicyHeadstart:
			head = &o.Policies[i]
		case r.Today:
			today = &o.Policies[i]
		}
	}
	if head == nil || today == nil {
		return ""
	}
	text := fmt.Sprintf("To serve %s of the demand, ", format.Share(o.Served))
	switch {
	case head.ReplicaHours == nil && today.ReplicaHours == nil:
		return text + fmt.Sprintf("no setting of Headstart or of %s is enough.", today.Policy)
	case head.ReplicaHours == nil:
		return text + fmt.Sprintf("no setting of Headstart is enough; %s pays %s %s (%s).",
			today.Policy, r.Paid(*today.ReplicaHours), r.Unit(), today.Setting)
	}
	text += fmt.Sprintf("Headstart pays %s %s (%s)", r.Paid(*head.ReplicaHours), r.Unit(), head.Setting)
	if today.ReplicaHours == nil {
		return text + fmt.Sprintf("; no setting of %s is enough.", today.Policy)
	}
	return text + fmt.Sprintf(": %s than %s, which pays %s (%s).", moreOrFewer(*head.ReplicaHours, *today.ReplicaHours),
		today.Policy, r.Paid(*today.ReplicaHours), today.Setting)
}

// moreOrFewer says by how much now is above or below before.
func moreOrFewer(now, before float64) string {
	if change := format.Change(now, before); change != "as many" {
		return change
	}
	return "no more or fewer"
}
