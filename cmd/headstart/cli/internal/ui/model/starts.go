package model

import (
	"cmp"

	"headstart.dev/headstart/gpuwarm"
)

// Starts are the phases of the starts of existing pods. Durations are in seconds.
type Starts struct {
	Percentile float64 `json:"percentile"`
	// Phases are their names in order.
	Phases  []string  `json:"phases"`
	Paths   []Path    `json:"paths"`
	Ongoing []Ongoing `json:"ongoing"`
	// More is how many ongoing starts are left out.
	More int `json:"more,omitempty"`
}

// Path is the starts that found the same things warm.
type Path struct {
	Name     string  `json:"name"`
	Starts   int     `json:"starts"`
	Median   float64 `json:"median"`
	Quantile float64 `json:"quantile"`
	// Phases has the median of each phase, in the order of Starts.Phases. It is null where it is not
	// known.
	Phases []*float64 `json:"phases"`
}

// Ongoing is a pod that is not Ready yet.
type Ongoing struct {
	Pod    string  `json:"pod"`
	For    float64 `json:"for"`
	Phase  string  `json:"phase"`
	Reason string  `json:"reason,omitempty"`
}

// maxOngoing bounds the ongoing starts that are shown.
const maxOngoing = 50

// StartsOf returns a breakdown as the page shows it.
func StartsOf(b gpuwarm.Breakdown) Starts {
	out := Starts{Percentile: b.Percentile}
	for _, p := range gpuwarm.Phases() {
		out.Phases = append(out.Phases, string(p))
	}
	for _, p := range b.Paths {
		path := Path{
			Name: cmp.Or(string(p.Path), "unknown"), Starts: p.Starts,
			Median: p.Median.Seconds(), Quantile: p.Quantile.Seconds(),
		}
		for _, phase := range gpuwarm.Phases() {
			var took *float64
			if d, ok := p.Phases[phase]; ok {
				s := d.Seconds()
				took = &s
			}
			path.Phases = append(path.Phases, took)
		}
		out.Paths = append(out.Paths, path)
	}
	shown := b.Ongoing[:min(len(b.Ongoing), maxOngoing)]
	out.More = len(b.Ongoing) - len(shown)
	for _, o := range shown {
		out.Ongoing = append(out.Ongoing, Ongoing{o.Pod, o.For.Seconds(), string(o.Phase), o.Reason})
	}
	out.Paths, out.Ongoing = some(out.Paths), some(out.Ongoing)
	return out
}
