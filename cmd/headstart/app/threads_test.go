package app

import "testing"

func TestPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		reason            string
		now, cores, wants int
		set               bool
	}{
		"two cores":    {reason: "three fits would hold both", now: 2, cores: 2, wants: 5},
		"many cores":   {reason: "fits cannot hold most of them", now: 16, cores: 16, wants: 16},
		"a CPU limit":  {reason: "more threads would use it up", now: 2, cores: 16, wants: 2},
		"set by hand":  {reason: "the user knows", now: 2, cores: 2, set: true, wants: 2},
		"single core":  {reason: "one fit would hold it", now: 1, cores: 1, wants: 4},
		"several more": {reason: "three fits would hold half of them", now: 6, cores: 6, wants: 9},
	} {
		if got := places(tc.now, tc.cores, tc.set); got != tc.wants {
			t.Errorf("%s: %d places, want %d: %s", name, got, tc.wants, tc.reason)
		}
	}
}
