package images

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"pgregory.net/rapid"
)

const image = "registry.example/model:1"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func node(name string, images ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, i := range images {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
	}
	return n
}

// Whatever fails: at most parallel nodes pull at a time, none is tried before it is due, nodes
// without a try come first, and no pause is longer than the longest.
func TestHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, now, parallel := NewHistory(image, clock.RealClock{}), start, rapid.IntRange(1, 5).Draw(t, "parallel")
		var nodes []*corev1.Node
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			nodes = append(nodes, node(fmt.Sprint("n", i)))
		}
		tried := map[string]bool{}
		for range 60 {
			now = now.Add(15 * time.Second)
			had := rapid.Bool().Draw(t, "had")
			got := h.next(nodes, had, 0, parallel, now)
			if most := map[bool]int{false: 1, true: suspectAfter}[had]; len(h.suspect) >= suspectAfter && len(got) > most {
				t.Fatalf("the image is suspected, and %d nodes try at a time, want at most %d", len(got), most)
			}
			if len(got) > parallel {
				t.Fatalf("%d pull, parallelism is %d", len(got), parallel)
			}
			for i, n := range got {
				if now.Before(h.failed[n.Name].due) {
					t.Fatalf("%s is tried before %v", n.Name, h.failed[n.Name].due)
				}
				if i > 0 && !tried[n.Name] && tried[got[i-1].Name] {
					t.Fatalf("%s was tried before, %s was not", got[i-1].Name, n.Name)
				}
			}
			for _, n := range got {
				tried[n.Name] = true
				switch rapid.SampledFrom([]string{"through", "image", "node"}).Draw(t, "ends") {
				case "through":
					h.recordPresent(n, true, now)
					h.recordSuccess(n.Name, types.UID(now.String()))
					if h.recordSuccess(n.Name, types.UID(now.String())); len(h.suspect) > 0 || now.Before(h.pausedUntil) {
						t.Fatalf("a pull succeeded, and the image is suspected: %v", h.suspect)
					}
					nodes = slices.DeleteFunc(nodes, func(have *corev1.Node) bool { return have == n })
				case "image":
					h.recordFailure(n.Name, "why", true, now)
				case "node":
					h.recordFailure(n.Name, "why", false, now)
				}
			}
			if h.pausedUntil.Sub(now) > longestRetry {
				t.Fatalf("the image is suspected until %v", h.pausedUntil)
			}
		}
		if h.prune(nodes, now.Add(2*time.Hour)); len(nodes) < len(h.failed) {
			t.Fatalf("more nodes are remembered than should have the image: %v", h.failed)
		}
		if h.prune(nil, now.Add(2*time.Hour)); len(h.failed)+len(h.suspect) != 0 {
			t.Fatalf("nodes that are of no use any more are remembered: %v %v", h.failed, h.suspect)
		}
	})
}

// A pull that succeeded once is not evidence forever.
func TestOldPullsClearNoSuspicion(t *testing.T) {
	h := NewHistory(image, clock.RealClock{})
	h.recordSuccess("a", "uid")
	for _, n := range []string{"b", "c", "d"} {
		h.recordFailure(n, "why", true, start)
	}
	h.recordSuccess("a", "uid")
	if got := h.next([]*corev1.Node{node("e"), node("f")}, false, 0, 4, start.Add(time.Minute)); len(got) != 1 {
		t.Errorf("an image that fails since is suspected, but %d nodes try at a time", len(got))
	}
	h.recordSuccess("a", "another")
	if got := h.next([]*corev1.Node{node("e"), node("f")}, false, 0, 4, start.Add(time.Minute)); len(got) != 2 {
		t.Errorf("it succeeded again, but %d nodes try at a time", len(got))
	}
}

// Deleted nodes are not evidence against an image forever, also where another node had their name
// meanwhile.
func TestNodesThatAreGoneLeaveNoSuspicion(t *testing.T) {
	h := NewHistory(image, clock.RealClock{})
	for _, name := range []string{"a", "b", "c"} {
		n := node(name)
		h.prune([]*corev1.Node{n}, start)
		h.recordFailure(name, "why", true, start)
		n.UID = "another"
		if h.prune([]*corev1.Node{n}, start); !h.suspect[name] {
			t.Errorf("the image was at fault on %s, and is not suspected until it succeeds", name)
		}
	}
	h.prune(nil, start.Add(2*time.Hour))
	if len(h.suspect) > 0 {
		t.Errorf("nodes are remembered that are of no use any more: %v", h.suspect)
	}
}

// Nodes that cannot pull do not keep others from pulling for long. Once a pull succeeds, the image
// is trusted. Until then a few nodes try at a time where any node has the image, and else one.
func TestBrokenNodesKeepNoOtherFromPulling(t *testing.T) {
	cases := map[string]struct {
		reason string
		has    string // a node that has it now
		nodes  []string
		after  time.Duration // since the third failed
		want   int
	}{
		"Came": {
			"a node without the image got it: it can be pulled, so the image is not suspected", "d",
			[]string{"e", "f"},
			time.Second, 2,
		},
		"Had": {"what a node has for long can be gone from the registry: what was wanted when the pause began " +
			"waits for its end", "old", []string{"e", "f"}, 5 * time.Minute, 0},
		"HadOver": {"after the pause a few are tried", "old", []string{"e", "f", "g", "h"}, longestRetry, 3},
		"HadCameUp": {
			"nodes that came up during the pause are tried at once, a few at a time", "old",
			[]string{"new", "newer", "newest", "last"},
			time.Second, 3,
		},
		"JustFailed": {
			"the image is suspected: the next try waits a little", "",
			[]string{"new", "newer"},
			firstRetry - 1,
			0,
		},
		"CameUp": {
			"nodes that came up during the pause are tried before its end, one at a time", "",
			[]string{"new", "newer"},
			firstRetry, 1,
		},
		"KnownBefore": {
			"nodes that were wanted when the pause began wait for its end", "", []string{"e", "f"}, 5 * time.Minute, 0,
		},
		"Over":  {"after the pause one of them is tried", "", []string{"e", "f"}, longestRetry, 1},
		"Tried": {"a node that was tried is not new", "", []string{"a"}, 5 * time.Minute, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := NewHistory(image, clock.RealClock{})
			for range 10 { // nothing has been pulled for long
				h.imageBackoff.Next("", start)
			}
			var wanted []*corev1.Node
			for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				h.recordMissing(node(n), start)
				wanted = append(wanted, node(n))
			}
			h.next(wanted, false, 0, 4, start)
			for _, n := range []string{"a", "b", "c"} {
				h.recordFailure(n, "why", true, start)
			}
			var nodes []*corev1.Node
			for _, n := range tc.nodes {
				nodes = append(nodes, node(n))
			}
			if tc.has != "" {
				h.recordPresent(node(tc.has), true, start)
			}
			if got := h.next(nodes, tc.has != "", 0, 4, start.Add(tc.after)); len(got) != tc.want {
				t.Errorf("\nReason: %s\n%d of %v pull, want %d", tc.reason, len(got), tc.nodes, tc.want)
			}
		})
	}
}
