package images

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

const (
	// firstRetry is the pause on a node after its first failed pull. The pause doubles with each
	// failure, up to longestRetry.
	firstRetry   = 30 * time.Second
	longestRetry = 10 * time.Minute
	// suspectAfter is the number of nodes on which pulls of an image fail, with no success between,
	// before the image is suspected and not the nodes. From then on only one node tries at a time,
	// and the pauses grow.
	suspectAfter = 3
)

// History remembers the pulls of one image for one target. It is lost at a restart. Then failed
// pulls are tried once more.
type History struct {
	Image string

	failed  map[string]failure   // by node, those whose last pull failed
	suspect map[string]bool      // nodes where the image may be at fault, since the last success
	nodes   map[string]types.UID // the UIDs of these nodes, as a new node may get the same name

	// Once the image is suspected, no pull begins until pausedUntil, except on nodes that were not
	// wanted when the pause began. Those that were are in waiting.
	pausedUntil time.Time
	waiting     map[string]bool
	lastFailure time.Time

	succeeded    map[string]types.UID // by node, the pull that succeeded last
	missing      map[string]bool      // nodes without the image at the last look
	listed       map[string]listing   // nodes that list the image, or did
	present      map[string]bool      // nodes that had the image at the last look, as far as was known
	assumedUntil map[string]time.Time // pulled but not listed: assume that the image is there until then

	nodeBackoff  *flowcontrol.Backoff // by node, after failed pulls
	lossBackoff  *flowcontrol.Backoff // by node, after it removed the image
	imageBackoff *flowcontrol.Backoff // since the image is suspected
}

// failure is a failed pull.
type failure struct {
	due time.Time // when it may be tried again
	why string
}

// listing is the time that a node lists the image.
type listing struct {
	node  types.UID // another one may get the same name
	since time.Time // zero when it does not list it any more
}

// NewHistory returns the empty history of an image.
func NewHistory(image string, c clock.PassiveClock) *History {
	backoff := func() *flowcontrol.Backoff { return kube.NewBackoff(c, firstRetry, longestRetry) }
	return &History{
		Image: image, failed: map[string]failure{}, suspect: map[string]bool{}, nodes: map[string]types.UID{},
		succeeded: map[string]types.UID{}, missing: map[string]bool{}, listed: map[string]listing{},
		present: map[string]bool{}, assumedUntil: map[string]time.Time{},
		nodeBackoff: backoff(), lossBackoff: backoff(), imageBackoff: backoff(),
	}
}

// isSuspected reports whether the image is suspected, and not the nodes.
func (h *History) isSuspected() bool { return len(h.suspect) >= suspectAfter }

// recordFailure records a failed pull onto a node. ofImage reports whether the node was not at
// fault.
func (h *History) recordFailure(node, why string, ofImage bool, now time.Time) {
	h.nodeBackoff.Next(node, now)
	h.lastFailure = now
	h.failed[node] = failure{now.Add(h.nodeBackoff.Get(node)), why}
	if !ofImage {
		return
	}
	h.suspect[node] = true
	if h.isSuspected() && !now.Before(h.pausedUntil) { // pulls that began together count once
		h.imageBackoff.Next("", now)
		h.pausedUntil = now.Add(h.imageBackoff.Get(""))
	}
}

// recordSuccess records that a pull succeeded, so the image can be pulled. It ignores a pull that
// it has recorded before.
func (h *History) recordSuccess(node string, pull types.UID) {
	if h.succeeded[node] == pull {
		return
	}
	h.succeeded[node] = pull
	h.trust()
}

// trust notes that the image can be pulled.
func (h *History) trust() {
	h.suspect, h.pausedUntil = map[string]bool{}, time.Time{}
	h.imageBackoff.Reset("")
}

// recordPresent records that a node has the image, by any pull, and whether it lists it. Only
// a node that did not have it before shows that it can still be pulled: the registry may have lost
// it since.
func (h *History) recordPresent(n *corev1.Node, lists bool, now time.Time) {
	if h.missing[n.Name] {
		h.trust()
	}
	delete(h.missing, n.Name)
	delete(h.suspect, n.Name)
	h.forgive(n.Name)
	if was := h.listed[n.Name]; lists && (was.since.IsZero() || was.node != n.UID) {
		h.listed[n.Name] = listing{n.UID, now}
	}
}

// recordMissing records that a node does not have the image. One that listed it has removed it, as
// kubelets do whose disks are too full. It would do so again, so it counts as a failed pull. Among
// as many images as a kubelet lists, the image may be there and not be listed.
func (h *History) recordMissing(n *corev1.Node, now time.Time) {
	h.missing[n.Name] = true
	was := h.listed[n.Name]
	if was.since.IsZero() || was.node != n.UID || len(n.Status.Images) >= mostListed {
		return
	}
	if now.Sub(was.since) >= longestRetry {
		h.lossBackoff.Reset(n.Name)
	}
	h.lossBackoff.Next(n.Name, now)
	h.listed[n.Name] = listing{node: n.UID}
	h.forgive(n.Name)
	h.failed[n.Name] = failure{
		now.Add(h.lossBackoff.Get(n.Name)),
		"it was there and is gone, as where a kubelet makes room on a disk that is too full",
	}
}

// forgive forgets the failed pulls onto a node.
func (h *History) forgive(node string) {
	delete(h.failed, node)
	h.nodeBackoff.Reset(node)
}

// next returns those of the nodes that are to pull now, when active pull already and at most
// parallel may. Nodes without a try come first, then those that have waited longest: a node that
// cannot pull keeps no other from pulling. Where the image is suspected that is not certain either,
// so a node that came up during a pause is tried all the same, one at a time and a while after the
// last failure. found reports whether any of the nodes has the image: it could be pulled once, so a
// few are tried at a time.
func (h *History) next(nodes []*corev1.Node, found bool, active, parallel int, now time.Time) []*corev1.Node {
	suspected := h.isSuspected()
	paused := suspected && now.Before(h.pausedUntil)
	switch {
	case paused && !found && now.Sub(h.lastFailure) < firstRetry:
		return nil
	case !paused:
		h.waiting = map[string]bool{}
		for _, n := range nodes {
			h.waiting[n.Name] = true
		}
	}
	switch {
	case suspected && found:
		parallel = min(parallel, suspectAfter)
	case suspected:
		parallel = min(parallel, 1)
	}
	due := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool {
		_, tried := h.failed[n.Name]
		return now.Before(h.failed[n.Name].due) || (paused && (h.waiting[n.Name] || tried))
	})
	slices.SortStableFunc(due, func(a, b *corev1.Node) int {
		return h.failed[a.Name].due.Compare(h.failed[b.Name].due)
	})
	return due[:min(len(due), max(0, parallel-active))]
}

// due returns those of the nodes that an ImagePullJob is to pull onto now: they do not have the
// image, listed or not, and it is not too early to try again.
func (h *History) due(nodes []*corev1.Node, now time.Time) []*corev1.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool {
		return now.Before(h.failed[n.Name].due) ||
			(now.Before(h.assumedUntil[n.Name]) && len(n.Status.Images) >= mostListed)
	})
}

// problem returns which pulls fail on the nodes, for a message; empty where none does.
func (h *History) problem(nodes []*corev1.Node) string {
	var failing []string
	for _, n := range nodes {
		if _, ok := h.failed[n.Name]; ok {
			failing = append(failing, n.Name)
		}
	}
	if len(failing) == 0 {
		return ""
	}
	first := slices.Min(failing)
	others := ""
	if n := len(failing) - 1; n > 0 {
		others = fmt.Sprintf(" and %d others", n)
	}
	return fmt.Sprintf("the image %s is not pulled onto node %s%s: %s: it is tried again, ever more rarely, "+
		"at last every ten minutes", h.Image, first, others, h.failed[first].why)
}

// prune forgets nodes that are not to have the image any more, some time after they could have been
// tried again: a plan that wavers is not to begin from the start.
func (h *History) prune(wanted []*corev1.Node, now time.Time) {
	keep := map[string]bool{}
	for _, n := range wanted {
		keep[n.Name] = true
		if was, ok := h.nodes[n.Name]; ok && was != n.UID {
			h.forget(n.Name)
		}
		h.nodes[n.Name] = n.UID
	}
	for node, f := range h.failed {
		if !keep[node] && now.Sub(f.due) > longestRetry {
			h.forgive(node)
		}
	}
	unused := func(node string) bool {
		_, tried := h.failed[node]
		return !keep[node] && !tried
	}
	maps.DeleteFunc(h.nodes, func(node string, _ types.UID) bool { return unused(node) })
	maps.DeleteFunc(h.suspect, func(node string, _ bool) bool { return unused(node) })
	maps.DeleteFunc(h.succeeded, func(node string, _ types.UID) bool { return !keep[node] })
	maps.DeleteFunc(h.missing, func(node string, _ bool) bool { return !keep[node] })
	maps.DeleteFunc(h.assumedUntil, func(node string, until time.Time) bool {
		return !keep[node] || !now.Before(until)
	})
	maps.DeleteFunc(h.listed, func(node string, _ listing) bool {
		if !keep[node] {
			h.lossBackoff.Reset(node)
		}
		return !keep[node]
	})
}

// forget drops what is known of a node: another one has its name now. Listings have the node's UID,
// and what the image is suspected for stays.
func (h *History) forget(node string) {
	h.forgive(node)
	delete(h.waiting, node)
	delete(h.succeeded, node)
	delete(h.missing, node)
	delete(h.assumedUntil, node)
}
