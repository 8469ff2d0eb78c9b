package evidence

import (
	"slices"
	"time"

	"headstart.dev/headstart/gpuwarm"
)

// Release is an image on an accelerator: what decides how much a replica serves.
type Release struct {
	// Name is a short hash of the digest and the accelerator.
	Name string
	// Since is when the first of its pods that serve now became Ready.
	Since time.Time
}

// Pods are the pods of a target that serve.
type Pods struct {
	// Ready is how many they are.
	Ready int
	// Releases are the ones that they are of, in the order of Since.
	Releases []Release
}

// Count returns those of the pods that are Ready and do not end.
func Count(starts []gpuwarm.Start) Pods {
	var out Pods
	for _, s := range starts {
		if s.Ready.IsZero() || !s.Ended.IsZero() {
			continue
		}
		out.Ready++
		name := gpuwarm.Key{Image: s.Key.Image, Accelerator: s.Key.Accelerator}.String()
		i := slices.IndexFunc(out.Releases, func(r Release) bool { return r.Name == name })
		switch {
		case name == "":
		case i < 0:
			out.Releases = append(out.Releases, Release{name, s.Ready})
		case s.Ready.Before(out.Releases[i].Since):
			out.Releases[i].Since = s.Ready
		}
	}
	slices.SortStableFunc(out.Releases, func(a, b Release) int { return a.Since.Compare(b.Since) })
	return out
}
