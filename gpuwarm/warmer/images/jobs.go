package images

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// annotationNodes has a hash of the nodes that an ImagePullJob is for.
const annotationNodes = "headstart.dev/nodes-hash"

// jobs pull by ImagePullJobs of OpenKruise: one at a time, which is extended while it runs.
type jobs struct{ o Options }

// Release deletes the job.
func (m *jobs) Release(ctx context.Context, p Pull) error {
	return m.o.Client.Deleter.Object(ctx, p.Job)
}

// Ensure has OpenKruise pull onto the nodes without the image.
func (m *jobs) Ensure(ctx context.Context, p Pull) (problem string, err error) {
	h, now := p.History, m.o.Clock.Now()
	h.prune(p.Nodes, now)
	var missing []*corev1.Node
	for _, n := range p.Nodes {
		if p.Target.Known.ListedOn(n) {
			h.recordPresent(n, true, now)
			continue
		}
		h.recordMissing(n, now)
		missing = append(missing, n)
	}
	if p.Job != nil {
		problem, err = m.advance(ctx, p, missing, now)
	} else if names := sortedNames(h.due(missing, now)); len(names) > 0 && p.Parallel > 0 {
		err = m.create(ctx, p, names)
	}
	h.present = map[string]bool{}
	for n := range h.assumedUntil {
		h.present[n] = true
	}
	return cmp.Or(problem, h.problem(p.Nodes)), err
}

// advance looks at a job that exists: it is extended, deleted to make room for the next one, or
// left. One that has completed is kept as long as it shows that nodes have the image which they do
// not list: also after a restart.
func (m *jobs) advance(
	ctx context.Context, p Pull, missing []*corev1.Node, now time.Time,
) (problem string, err error) {
	job, h := p.Job, p.History
	if n, ok, _ := unstructured.NestedInt64(job.Object, "status", "failed"); ok && n > 0 {
		problem = fmt.Sprintf("ImagePullJob %s/%s failed to pull %s onto %d nodes: see its status",
			job.GetNamespace(), job.GetName(), p.Target.Admitted, n)
	}
	image, _, _ := unstructured.NestedString(job.Object, "spec", "image")
	if image != p.Target.Admitted || len(missing) == 0 {
		return problem, m.Release(ctx, p) // the next look creates the next one
	}
	completed, _, _ := unstructured.NestedString(job.Object, "status", "completionTime")
	if completed == "" {
		return problem, m.extend(ctx, p, sortedNames(h.due(missing, now)))
	}
	created := job.GetCreationTimestamp().Time
	pulled, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names")
	failed, _, _ := unstructured.NestedStringSlice(job.Object, "status", "failedNodes")
	for _, n := range pulled {
		if !slices.Contains(failed, n) && now.Sub(created) < unlistedKept && !p.isNewer(n, completed) {
			h.assumedUntil[n] = created.Add(unlistedKept)
		}
	}
	due := sortedNames(h.due(missing, now))
	replaced := slices.ContainsFunc(due, func(n string) bool { return p.isNewer(n, completed) })
	tried := job.GetAnnotations()[annotationNodes] == names.Hash(due...) && now.Sub(created) < longestRetry
	if len(due) == 0 || (!replaced && tried) {
		return problem, nil
	}
	return problem, m.Release(ctx, p)
}

// isNewer reports whether the node of that name was created after a time as the API writes it.
func (p Pull) isNewer(node, at string) bool {
	n := p.Cluster.Get(node)
	then, err := time.Parse(time.RFC3339, at)
	return err == nil && n != nil && n.CreationTimestamp.After(then)
}

// extend adds nodes to a job that runs, such as those that came up since it was created. OpenKruise
// reads the selector again whenever the job changes. Nodes that are gone are removed on the way.
func (m *jobs) extend(ctx context.Context, p Pull, missing []string) error {
	job := p.Job.DeepCopy()
	nodes, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names")
	more := slices.DeleteFunc(slices.Clone(missing), func(n string) bool { return slices.Contains(nodes, n) })
	if len(more) == 0 {
		return nil
	}
	nodes = slices.DeleteFunc(nodes, func(n string) bool { return p.Cluster.Get(n) == nil })
	nodes = append(nodes, more...)
	slices.Sort(nodes)
	if err := unstructured.SetNestedStringSlice(job.Object, nodes, "spec", "selector", "names"); err != nil {
		return err
	}
	setNodes(job, nodes)
	err := m.o.Client.Update(ctx, job)
	if apierrors.IsConflict(err) {
		return nil // OpenKruise wrote its status meanwhile: the next look tries again
	}
	return err
}

// setNodes notes the nodes that a job is for. Somebody may have removed our annotations.
func setNodes(job *unstructured.Unstructured, nodes []string) {
	annotations := job.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationNodes] = names.Hash(nodes...)
	job.SetAnnotations(annotations)
}

func (m *jobs) create(ctx context.Context, p Pull, nodes []string) error {
	name := names.Object(p.Pool.Namespace, p.Pool.Name, p.Forecast)
	job := kube.NewObject(kube.ImagePullJob, p.Pool.Namespace, name)
	if err := m.o.Client.Own(p.Pool, p.Forecast, job); err != nil {
		return err
	}
	setNodes(job, nodes)
	selected := make([]any, len(nodes))
	for i, n := range nodes {
		selected[i] = n
	}
	secrets := []any{}
	for _, s := range p.Target.Template.Spec.ImagePullSecrets {
		secrets = append(secrets, s.Name)
	}
	job.Object["spec"] = map[string]any{
		"image": p.Target.Admitted, "pullSecrets": secrets, "parallelism": int64(p.Parallel),
		"imagePullPolicy": "IfNotPresent", "selector": map[string]any{"names": selected},
		// By default OpenKruise gives a pull ten minutes, which is too short for images of tens of
		// gigabytes.
		"pullPolicy": map[string]any{"timeoutSeconds": int64(pullDeadlineSeconds), "backoffLimit": int64(3)},
		"completionPolicy": map[string]any{
			"type": "Always", "activeDeadlineSeconds": int64(2 * pullDeadlineSeconds),
		},
	}
	return m.o.Client.Create(ctx, job)
}

func sortedNames(nodes []*corev1.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	slices.Sort(out)
	return out
}
