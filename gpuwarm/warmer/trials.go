package warmer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

const (
	// firstRetry is how long after a pull that came to nothing it is tried again on that node; each time that is twice as long, up to retryPull.
	firstRetry = 30 * time.Second
	// retryPull is the longest.
	retryPull = 10 * time.Minute
	// doubtful is on how many nodes pulls of an image come to nothing, with none that comes through between, before it is taken that the image is
	// what is wrong and not the nodes: then one node tries at a time, ever more rarely.
	doubtful = 3
)

func backOff(tries int) time.Duration {
	return min(firstRetry<<min(max(tries-1, 0), 10), retryPull)
}

// trials remembers the pulls of one image for one Forecast that came to nothing. It is lost in a restart, which costs another try.
type trials struct {
	image string
	nodes map[string]trial     // by node, those whose last pull came to nothing
	doubt map[string]bool      // nodes where that was the image's fault, since a pull came through last
	rows  int                  // tries in a row, all of them in vain, since the image is in doubt
	pause time.Time            // until when none is begun since it is, but on nodes that were not wanted when the pause began
	met   map[string]bool      // those that were
	last  time.Time            // when a pull came to nothing last
	came  map[string]types.UID // by node, the pull that came through last
	lacks map[string]bool      // nodes that had not got the image at the last look
	lists map[string]listing   // nodes that list the image, or did
	ids   map[string]types.UID // which nodes these are: another one may come to have the same name
	told  map[string]time.Time // nodes that a job came through on, and until when that tells that they have the image where they list it not
	done  map[string]bool      // nodes that had the image at the last look, as far as was known
}

// listing is that a node lists the image, or did.
type listing struct {
	node   types.UID // another one may come to have the same name
	since  time.Time // zero when it does not any more
	losses int       // how often in a row it went before long
}

type trial struct {
	tries int
	due   time.Time // when it may be tried again
	why   string
}

func newTrials(image string) *trials {
	return &trials{image: image, nodes: map[string]trial{}, doubt: map[string]bool{}, came: map[string]types.UID{}, lacks: map[string]bool{}, lists: map[string]listing{}, told: map[string]time.Time{}, ids: map[string]types.UID{}}
}

// fail takes that a pull onto a node came to nothing; ofImage is whether the node was not at fault.
func (t *trials) fail(node, why string, ofImage bool, now time.Time) {
	n := t.nodes[node].tries + 1
	t.last = now
	t.nodes[node] = trial{n, now.Add(backOff(n)), why}
	if !ofImage {
		return
	}
	t.doubt[node] = true
	if len(t.doubt) >= doubtful && !now.Before(t.pause) { // those that began together count once
		t.rows++
		t.pause = now.Add(backOff(t.rows))
	}
}

// through takes that a pull came through: the image is there to be pulled. One that is seen again says nothing new.
func (t *trials) through(node string, pull types.UID) {
	if t.came[node] == pull {
		return
	}
	t.came[node] = pull
	t.believe()
}

// believe takes that the image is there to be pulled.
func (t *trials) believe() {
	t.doubt, t.rows, t.pause = map[string]bool{}, 0, time.Time{}
}

// have takes that a node has the image, whoever pulled it, and whether it lists it. Only one that had not got it before says that it can be pulled still: the registry
// may have dropped it since.
func (t *trials) have(n *corev1.Node, lists bool, now time.Time) {
	if t.lacks[n.Name] {
		t.believe()
	}
	delete(t.lacks, n.Name)
	delete(t.nodes, n.Name)
	delete(t.doubt, n.Name)
	if was := t.lists[n.Name]; lists && (was.since.IsZero() || was.node != n.UID) {
		t.lists[n.Name] = listing{n.UID, now, was.losses}
	}
}

// lack takes that a node has not got the image. One that listed it threw it away, as kubelets do whose disks are too full: it would do so again, so it is as a pull that came
// to nothing. What is not listed among as many as are may be there.
func (t *trials) lack(n *corev1.Node, now time.Time) {
	t.lacks[n.Name] = true
	was := t.lists[n.Name]
	if was.since.IsZero() || was.node != n.UID || len(n.Status.Images) >= listed {
		return
	}
	losses := 1
	if now.Sub(was.since) < retryPull {
		losses += was.losses
	}
	t.lists[n.Name] = listing{node: n.UID, losses: losses}
	t.nodes[n.Name] = trial{losses, now.Add(backOff(losses)), "it was there and is gone, as where a kubelet makes room on a disk that is too full"}
}

// next picks those of the nodes that are to pull now, when active do and at most parallel may. Nodes on which it was not tried come first, then those that have
// waited longest: a node that cannot pull keeps no other from it. Where the image is in doubt that is not certain either, so a node that came up during a pause is tried
// all the same, one at a time and a while after the last try. had is whether any node that is to have the image has it: it was there once, so a few are tried at a time.
func (t *trials) next(nodes []*corev1.Node, had bool, active, parallel int, now time.Time) []*corev1.Node {
	doubted := len(t.doubt) >= doubtful
	paused := doubted && now.Before(t.pause)
	switch {
	case paused && !had && now.Sub(t.last) < firstRetry:
		return nil
	case !paused:
		t.met = map[string]bool{}
		for _, n := range nodes {
			t.met[n.Name] = true
		}
	}
	switch {
	case doubted && had:
		parallel = min(parallel, doubtful)
	case doubted:
		parallel = 1
	}
	due := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool {
		return now.Before(t.nodes[n.Name].due) || (paused && (t.met[n.Name] || t.nodes[n.Name].tries > 0))
	})
	slices.SortStableFunc(due, func(a, b *corev1.Node) int { return t.nodes[a.Name].due.Compare(t.nodes[b.Name].due) })
	return due[:min(len(due), max(0, parallel-active))]
}

// due are those of the nodes that a job is to pull onto now: they have not got the image, listed or not, and it is not too early to try again.
func (t *trials) due(nodes []*corev1.Node, now time.Time) []*corev1.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool {
		return now.Before(t.nodes[n.Name].due) || (now.Before(t.told[n.Name]) && len(n.Status.Images) >= listed)
	})
}

// failure is what comes to nothing on the nodes, for people; empty where nothing does.
func (t *trials) failure(nodes []*corev1.Node) string {
	var failing []string
	for _, n := range nodes {
		if t.nodes[n.Name].tries > 0 {
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
	return fmt.Sprintf("the image %s is not pulled onto node %s%s: %s: it is tried again, ever more rarely, at last every ten minutes", t.image, first, others, t.nodes[first].why)
}

// prune forgets nodes that are not to have the image any more, some time after they could have been tried again: a plan that wavers is not to begin anew.
func (t *trials) prune(wanted []*corev1.Node, now time.Time) {
	names := map[string]bool{}
	for _, n := range wanted {
		names[n.Name] = true
		if was, ok := t.ids[n.Name]; ok && was != n.UID {
			t.forget(n.Name)
		}
		t.ids[n.Name] = n.UID
	}
	maps.DeleteFunc(t.ids, func(node string, _ types.UID) bool { _, tried := t.nodes[node]; return !names[node] && !tried })
	maps.DeleteFunc(t.nodes, func(node string, f trial) bool { return !names[node] && now.Sub(f.due) > retryPull })
	maps.DeleteFunc(t.doubt, func(node string, _ bool) bool { _, tried := t.nodes[node]; return !names[node] && !tried })
	maps.DeleteFunc(t.came, func(node string, _ types.UID) bool { return !names[node] })
	maps.DeleteFunc(t.lacks, func(node string, _ bool) bool { return !names[node] })
	maps.DeleteFunc(t.told, func(node string, until time.Time) bool { return !names[node] || !now.Before(until) })
	maps.DeleteFunc(t.lists, func(node string, _ listing) bool { return !names[node] })
}

// forget drops what is known of a node: another one has its name now. What it lists is told apart by itself, and what an image was doubted for there it stays doubted for.
func (t *trials) forget(node string) {
	delete(t.nodes, node)
	delete(t.met, node)
	delete(t.came, node)
	delete(t.lacks, node)
	delete(t.told, node)
}

func trialsKey(pool *v1alpha1.WarmPool, fc string) string {
	return poolHash(pool.Namespace, pool.Name) + "/" + forecastHash(pool.Namespace, fc)
}

// trialsOf are those of the image that a target has now.
func (r *Reconciler) trialsOf(l *look, fc, image string) *trials {
	key := trialsKey(l.pool, fc)
	t := r.trials[key]
	if t == nil || t.image != image {
		t = newTrials(image)
		r.trials[key] = t
	}
	return t
}

// pullsAnother is whether a pod pulls another image than is to be had: admission made of what it asked for what it made of no replica.
func pullsAnother(p *corev1.Pod, image string) bool {
	got := imageIn(p, pullContainer)
	return got != "" && got != image
}

// pullFailure is why a pull of an image does not get on, and whether the node is not at fault; why is empty while it gets on.
func pullFailure(p *corev1.Pod, image string, now time.Time) (why string, ofImage bool) {
	if pullsAnother(p, image) {
		return fmt.Sprintf("admission has the pod that is to pull it pull %s instead, and replicas not", imageIn(p, pullContainer)), true
	}
	if p.Spec.NodeName == "" && alive(p) && now.Sub(p.CreationTimestamp.Time) >= firstRetry {
		return "the pod that is to pull it finds no place there", false
	}
	if w := pullStatus(p).State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed", "ImageInspectError":
			return w.Reason, true
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return cmp.Or(p.Status.Reason, "Failed"), p.Status.Reason == "DeadlineExceeded"
	}
	return "", false
}
