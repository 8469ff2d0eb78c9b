package report

import "fmt"

// Verdict says in two sentences what switching Headstart on would change, against what a team runs today: the reactive HPA where
// that was replayed, the static fleet otherwise. It is empty where Headstart itself was not replayed.
func (r *Report) Verdict() string {
	head, ok := r.Result(PolicyHeadstart)
	if !ok || head.Figures == nil {
		return ""
	}
	for _, name := range []string{PolicyReactive, PolicyReactiveExact, PolicyStatic} {
		today, ok := r.Result(name)
		if !ok || today.Figures == nil {
			continue
		}
		return compare(*head.Figures, *today.Figures, map[string]string{
			PolicyReactive: "the reactive HPA", PolicyReactiveExact: "the reactive HPA", PolicyStatic: "the static fleet",
		}[name])
	}
	return fmt.Sprintf("Headstart would have left %s of the demand unserved, at %s replica-hours.", share(head.Unserved), count(int(head.ReplicaHours+0.5)))
}

func compare(head, today Figures, name string) string {
	first := fmt.Sprintf("Headstart would have left %s of the demand unserved, where %s leaves %s, at %s replica-hours instead of %s (%s).",
		share(head.Unserved), name, share(today.Unserved), count(int(head.ReplicaHours+0.5)), count(int(today.ReplicaHours+0.5)),
		more(ratio(head.ReplicaHours, today.ReplicaHours)))
	switch gain := 1 - ratio(head.Cost, today.Cost); {
	case gain > 0.05:
		return first + fmt.Sprintf(" With unserved demand weighed in, that is %.0f %% cheaper: switch it on.", 100*gain)
	case gain > -0.05:
		return first + " With unserved demand weighed in, that comes to the same: there is little to gain here."
	default:
		return first + fmt.Sprintf(" With unserved demand weighed in, that is %.0f %% dearer: leave it off for this service.", -100*gain)
	}
}

// more says by how much a ratio is above or below one.
func more(q float64) string {
	switch p := 100 * (q - 1); {
	case p >= 0.5:
		return fmt.Sprintf("%.0f %% more", p)
	case p <= -0.5:
		return fmt.Sprintf("%.0f %% fewer", -p)
	default:
		return "as many"
	}
}
