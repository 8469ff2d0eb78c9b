package evidence

import (
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestCandidatesAreFew(t *testing.T) {
	var c Candidates
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	of := func(namespace, name string) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	want := func(key types.NamespacedName, at time.Time, want bool, why string) {
		t.Helper()
		if got := c.Enter(key, at); got != want {
			t.Errorf("Enter(%s) = %v, want %v: %s", key, got, want, why)
		}
	}
	c.Leave(of("shop", "a")) // Nothing is there yet.
	want(of("shop", "a"), now, true, "there is room")
	want(of("shop", "a"), now, true, "it has a place")
	want(of("shop", "b"), now, false, "another of its namespace has the place")
	for i := range mostCandidates - 1 {
		want(of(strconv.Itoa(i), "a"), now, true, "there is room")
	}
	want(of("late", "a"), now, false, "all places are taken")
	c.Leave(of("shop", "a"))
	want(of("late", "a"), now, true, "one was given back")
	later := now.Add(ReweighEvery + time.Second)
	want(of("shop", "b"), later, true, "nobody keeps a place for more than a day")
}
