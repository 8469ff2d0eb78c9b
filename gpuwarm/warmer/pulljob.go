package warmer

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// annotationNodes has a hash of the nodes that an ImagePullJob is for.
const annotationNodes = "headstart.dev/nodes-hash"

// pullJob has OpenKruise pull the image onto the nodes that miss it: one job at a time, which is extended while it runs. One that is through makes room for the next.
// failure is of the job, for people; what it came through on is told to past.
func (r *Reconciler) pullJob(ctx context.Context, l *look, fc string, t *target, missing []*corev1.Node, past *trials) (failure string, err error) {
	have := newObject(imagePullJob, l.pool.Namespace, objectName(l.pool, fc))
	err = r.opts.Live.Get(ctx, client.ObjectKeyFromObject(have), have)
	switch {
	case err == nil:
		return r.tendJob(ctx, l, t, have, missing, past)
	case !apierrors.IsNotFound(err) || absent(err):
		return "", err
	}
	names := sortedNames(past.due(missing, l.now))
	if len(names) == 0 {
		return "", nil
	}
	return "", r.makeJob(ctx, l.pool, fc, t, names)
}

// tendJob looks at a job that there is. One that is through stays while it tells of images that nodes do not list: it does so after a restart, too.
func (r *Reconciler) tendJob(ctx context.Context, l *look, t *target, have *unstructured.Unstructured, missing []*corev1.Node, past *trials) (failure string, err error) {
	if n, ok, _ := unstructured.NestedInt64(have.Object, "status", "failed"); ok && n > 0 {
		failure = fmt.Sprintf("ImagePullJob %s/%s failed to pull %s onto %d nodes: see its status", have.GetNamespace(), have.GetName(), t.admitted, n)
	}
	image, _, _ := unstructured.NestedString(have.Object, "spec", "image")
	if image != t.admitted || len(missing) == 0 {
		return failure, r.remove(ctx, l.pool, have) // the next look makes the next one
	}
	through, _, _ := unstructured.NestedString(have.Object, "status", "completionTime")
	if through == "" {
		return failure, r.extendJob(ctx, l, have, sortedNames(past.due(missing, l.now)))
	}
	made := have.GetCreationTimestamp().Time
	names, _, _ := unstructured.NestedStringSlice(have.Object, "spec", "selector", "names")
	failed, _, _ := unstructured.NestedStringSlice(have.Object, "status", "failedNodes")
	for _, n := range names {
		if !slices.Contains(failed, n) && l.now.Sub(made) < unlistedKept && !l.cameAfter(n, through) {
			past.told[n] = made.Add(unlistedKept)
		}
	}
	due := sortedNames(past.due(missing, l.now))
	another := slices.ContainsFunc(due, func(n string) bool { return l.cameAfter(n, through) })
	if len(due) == 0 || (!another && have.GetAnnotations()[annotationNodes] == hash(due...) && l.now.Sub(made) < retryPull) {
		return failure, nil
	}
	return failure, r.remove(ctx, l.pool, have)
}

// cameAfter is whether the node of that name is another one than there was at a time as the API writes it.
func (l *look) cameAfter(node, at string) bool {
	n := l.node(node)
	then, err := time.Parse(time.RFC3339, at)
	return err == nil && n != nil && n.CreationTimestamp.After(then)
}

// extendJob adds nodes to a job that runs, such as those that came up since it was made. OpenKruise reads the selector anew whenever the job changes. Nodes that
// went are taken out on the way.
func (r *Reconciler) extendJob(ctx context.Context, l *look, have *unstructured.Unstructured, missing []string) error {
	names, _, _ := unstructured.NestedStringSlice(have.Object, "spec", "selector", "names")
	more := slices.DeleteFunc(slices.Clone(missing), func(n string) bool { return slices.Contains(names, n) })
	if len(more) == 0 {
		return nil
	}
	names = slices.DeleteFunc(names, func(n string) bool { return l.node(n) == nil })
	names = append(names, more...)
	slices.Sort(names)
	if err := unstructured.SetNestedStringSlice(have.Object, names, "spec", "selector", "names"); err != nil {
		return err
	}
	annotations := have.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{} // somebody took ours away
	}
	annotations[annotationNodes] = hash(names...)
	have.SetAnnotations(annotations)
	err := r.opts.Client.Update(ctx, have)
	if apierrors.IsConflict(err) {
		return nil // OpenKruise wrote its status meanwhile: the next look tries again
	}
	return err
}

func (r *Reconciler) makeJob(ctx context.Context, pool *v1alpha1.WarmPool, fc string, t *target, nodes []string) error {
	u := newObject(imagePullJob, pool.Namespace, objectName(pool, fc))
	if err := r.owned(pool, fc, u); err != nil {
		return err
	}
	annotations := u.GetAnnotations()
	annotations[annotationNodes] = hash(nodes...)
	u.SetAnnotations(annotations)
	names := make([]any, len(nodes))
	for i, n := range nodes {
		names[i] = n
	}
	secrets := []any{}
	for _, s := range t.template.Spec.ImagePullSecrets {
		secrets = append(secrets, s.Name)
	}
	u.Object["spec"] = map[string]any{
		"image": t.admitted, "pullSecrets": secrets, "parallelism": int64(parallelism(pool)), "imagePullPolicy": "IfNotPresent",
		"selector": map[string]any{"names": names},
		// Kruise gives a pull ten minutes unless told otherwise, which images of tens of gigabytes do not do in.
		"pullPolicy":       map[string]any{"timeoutSeconds": int64(pullDeadline), "backoffLimit": int64(3)},
		"completionPolicy": map[string]any{"type": "Always", "activeDeadlineSeconds": int64(2 * pullDeadline)},
	}
	return r.create(ctx, u)
}

func parallelism(pool *v1alpha1.WarmPool) int {
	return max(1, int(pool.Spec.Images.Parallelism))
}

func sortedNames(nodes []*corev1.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	slices.Sort(out)
	return out
}
