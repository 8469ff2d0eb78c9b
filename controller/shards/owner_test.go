package shards

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func keys(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("tenant-%d/model-%d", i%50, i)
	}
	return out
}

func count(members, keys []string) map[string]int {
	n := map[string]int{}
	for _, k := range keys {
		n[Owner(members, k)]++
	}
	return n
}

func TestSharesAreEqual(t *testing.T) {
	for _, members := range [][]string{{"a", "b"}, {"a", "b", "c"}, {"r-1", "r-2", "r-3", "r-4", "r-5"}} {
		n := count(members, keys(3000))
		low, high := 3000, 0
		for _, m := range members {
			low, high = min(low, n[m]), max(high, n[m])
		}
		if float64(high) > 1.3*float64(low) {
			t.Errorf("%d members own %v: the largest share is above 1.3 times the smallest", len(members), n)
		}
	}
}

func TestOwnerOfNothing(t *testing.T) {
	if got := Owner(nil, "a/b"); got != "" {
		t.Errorf("without members the owner is %q", got)
	}
}

// Properties for random members: the order does not matter, and only the keys of a member that goes
// move.
func TestOnlyTheKeysOfAMemberMove(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	all := keys(500)
	for range 50 {
		members := make([]string, 1+rng.IntN(8))
		for i := range members {
			members[i] = fmt.Sprintf("headstart-%x", rng.Uint64())
		}
		shuffled := slices.Clone(members)
		rng.Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
		gone := members[0]
		for _, k := range all {
			owner := Owner(members, k)
			if other := Owner(shuffled, k); other != owner {
				t.Fatalf("%s belongs to %s or %s, by the order of %v", k, owner, other, members)
			}
			if rest := Owner(members[1:], k); owner != gone && rest != owner {
				t.Fatalf("%s moved from %s to %s when %s went", k, owner, rest, gone)
			}
		}
	}
}

func BenchmarkOwner(b *testing.B) {
	members := []string{"headstart-5d9c7b8f6-x2x4z", "headstart-5d9c7b8f6-k8s2q", "headstart-5d9c7b8f6-9wq7t"}
	for b.Loop() {
		Owner(members, "tenant-17/model-1234")
	}
}
