package warmer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// Whatever fails, no more than parallel nodes pull at a time, none is tried before it is due, a node that was never tried goes before those that were, and no pause
// is longer than the longest.
func TestTrials(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past, now, parallel := newTrials(image), start, rapid.IntRange(1, 5).Draw(t, "parallel")
		var nodes []*corev1.Node
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			nodes = append(nodes, node(fmt.Sprint("n", i)))
		}
		tried := map[string]bool{}
		for range 60 {
			now = now.Add(15 * time.Second)
			had := rapid.Bool().Draw(t, "had")
			got := past.next(nodes, had, 0, parallel, now)
			if most := map[bool]int{false: 1, true: doubtful}[had]; len(past.doubt) >= doubtful && len(got) > most {
				t.Fatalf("the image is in doubt, and %d nodes try at a time, want at most %d", len(got), most)
			}
			if len(got) > parallel {
				t.Fatalf("%d pull, parallelism is %d", len(got), parallel)
			}
			for i, n := range got {
				if now.Before(past.nodes[n.Name].due) {
					t.Fatalf("%s is tried before %v", n.Name, past.nodes[n.Name].due)
				}
				if i > 0 && !tried[n.Name] && tried[got[i-1].Name] {
					t.Fatalf("%s was tried before, %s was not", got[i-1].Name, n.Name)
				}
			}
			for _, n := range got {
				tried[n.Name] = true
				switch rapid.SampledFrom([]string{"through", "image", "node"}).Draw(t, "ends") {
				case "through":
					past.have(n, true, now)
					past.through(n.Name, types.UID(now.String()))
					if past.through(n.Name, types.UID(now.String())); len(past.doubt) > 0 || now.Before(past.pause) {
						t.Fatalf("a pull came through, and the image is in doubt: %v", past.doubt)
					}
					nodes = slices.DeleteFunc(nodes, func(have *corev1.Node) bool { return have == n })
				case "image":
					past.fail(n.Name, "why", true, now)
				case "node":
					past.fail(n.Name, "why", false, now)
				}
			}
			if past.pause.Sub(now) > retryPull {
				t.Fatalf("the image is in doubt until %v", past.pause)
			}
		}
		if past.prune(nodes, now.Add(2*time.Hour)); len(nodes) < len(past.nodes) {
			t.Fatalf("more nodes are remembered than are to have the image: %v", past.nodes)
		}
		if past.prune(nil, now.Add(2*time.Hour)); len(past.nodes)+len(past.doubt) != 0 {
			t.Fatalf("nodes that are of no use any more are remembered: %v %v", past.nodes, past.doubt)
		}
	})
}

// A pull that came through once is no evidence for ever.
func TestOldPullsClearNoDoubt(t *testing.T) {
	past := newTrials(image)
	past.through("a", "uid")
	for _, n := range []string{"b", "c", "d"} {
		past.fail(n, "why", true, start)
	}
	past.through("a", "uid")
	if got := past.next([]*corev1.Node{node("e"), node("f")}, false, 0, 4, start.Add(time.Minute)); len(got) != 1 {
		t.Errorf("an image that fails since is in doubt, but %d nodes try at a time", len(got))
	}
	past.through("a", "another")
	if got := past.next([]*corev1.Node{node("e"), node("f")}, false, 0, 4, start.Add(time.Minute)); len(got) != 2 {
		t.Errorf("it came through anew, but %d nodes try at a time", len(got))
	}
}

// Nodes that went are no evidence against an image for ever, also where another one had their name meanwhile.
func TestNodesThatWentLeaveNoDoubt(t *testing.T) {
	past := newTrials(image)
	for _, name := range []string{"a", "b", "c"} {
		n := node(name)
		past.prune([]*corev1.Node{n}, start)
		past.fail(name, "why", true, start)
		n.UID = "another"
		if past.prune([]*corev1.Node{n}, start); !past.doubt[name] {
			t.Errorf("the image was at fault on %s, and is not until it comes through", name)
		}
	}
	past.prune(nil, start.Add(2*time.Hour))
	if len(past.doubt) > 0 {
		t.Errorf("nodes are remembered that are of no use any more: %v", past.doubt)
	}
}
