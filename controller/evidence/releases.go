package evidence

import (
	"slices"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// maxBeside bounds the releases that are known beside the current one.
	maxBeside = 8
	// besideLasts is how long two releases serve side by side before that is how the service is, and
	// no rollout: it has replicas on several accelerators.
	besideLasts = 6 * time.Hour
)

// releases know with which image, and on which accelerators, a target serves. The zero value knows
// nothing.
type releases struct {
	current string
	at      time.Time // since when; zero where it was so from the beginning
	beside  []Release // those that served beside the current one, since they were first seen
}

func (r *releases) known() bool { return r.current != "" }

// restore takes over what status has.
func (r *releases) restore(s *v1alpha1.LearnedCapacity) {
	if r.current = s.Release; s.ReleasedAt != nil {
		r.at = s.ReleasedAt.Time
	}
}

// saw tells which pods are ready now. It reports whether the target serves with a release that is new,
// and no longer with the one before: two side by side are a rollout that has not ended.
func (r *releases) saw(now time.Time, pods Pods) bool {
	if len(pods.Releases) == 0 {
		return false
	}
	newest := pods.Releases[len(pods.Releases)-1]
	if !r.known() {
		r.current = newest.Name
	}
	if slices.ContainsFunc(pods.Releases, func(p Release) bool { return p.Name == r.current }) {
		for _, p := range pods.Releases {
			if p.Name != r.current && r.besideSince(p.Name).IsZero() && len(r.beside) < maxBeside {
				r.beside = append(r.beside, Release{Name: p.Name, Since: now})
			}
		}
		return false
	}
	if since := r.besideSince(newest.Name); !since.IsZero() && now.Sub(since) >= besideLasts {
		return false
	}
	r.current, r.at, r.beside = newest.Name, newest.Since, nil
	return true
}

// besideSince returns when a release was first seen beside the current one; zero where it never was.
func (r *releases) besideSince(name string) time.Time {
	for _, b := range r.beside {
		if b.Name == name {
			return b.Since
		}
	}
	return time.Time{}
}
