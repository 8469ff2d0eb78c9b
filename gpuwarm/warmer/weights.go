package warmer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// How the weights of one Forecast stand.
const (
	weightsIdle    = "Idle"    // no rise is ahead
	weightsDue     = "Due"     // they are to be loaded now
	weightsLoading = "Loading" // and are
	weightsWarm    = "Warm"
	weightsFailed  = "Failed"
)

const (
	byModelCache = "LocalModelCache"
	byDataLoad   = "DataLoad"
	byJob        = "Job"

	annotationImage    = "headstart.dev/image-hash"
	annotationReplicas = "headstart.dev/replicas" // that there were when the load began

	// weightsKept is how long after they began to be loaded weights are taken to be where they were loaded to.
	weightsKept = time.Hour
)

var kindOfLoad = map[string]schema.GroupVersionKind{byModelCache: localModelCache, byDataLoad: dataLoad}

func weightsOf(pool *v1alpha1.WarmPool, fc string) *v1alpha1.WarmWeights {
	for i := range pool.Spec.Weights {
		if w := &pool.Spec.Weights[i]; w.Forecast == fc {
			return w
		}
	}
	return nil
}

// loading is how a load stands.
type loading struct{ state, failure string }

// warmWeights brings the weights near before the nodes are asked for.
func (r *Reconciler) warmWeights(ctx context.Context, l *look, j *job, out *outcome) error {
	spec := weightsOf(l.pool, j.fc.Name)
	if spec == nil {
		return r.unload(ctx, l, j.fc.Name, "")
	}
	j.status.WeightsBy = loadsBy(spec)
	var is loading
	err, waiting := r.deniedLately(j, j.status.WeightsBy, l.now)
	if !waiting {
		is, err = r.loadBy(ctx, l, j, spec)
		r.noteDenied(j, j.status.WeightsBy, l.now, err)
	}
	if was := l.before(j.fc.Name); is.state == "" && was.WeightsBy == j.status.WeightsBy {
		is.state = was.Weights // as far as is known
	}
	left := error(nil)
	if _, ok := errors.AsType[unseen](err); ok {
		left, err = err, nil
	}
	if absent(err) {
		if gvk, custom := kindOfLoad[j.status.WeightsBy]; custom {
			r.apis.gone(gvk, l.now)
		}
		out.lacks(&out.weights, &j.status, "spec.weights", j.status.WeightsBy)
		j.status.Weights = weightsFailed
		return nil
	}
	if no, ok := err.(refusal); ok { //nolint:errorlint // it is made here and never wrapped
		is, err = loading{weightsFailed, no.why}, nil
	}
	j.status.Weights = is.state
	out.loads = append(out.loads, is.state)
	out.fails(&out.weights, &j.status, reasonLoadFails, is.failure)
	if err := out.denied(&out.weights, &j.status, j.status.WeightsBy, err); err != nil {
		return err
	}
	return errors.Join(left, r.unload(ctx, l, j.fc.Name, j.status.WeightsBy))
}

// loadsBy is what loads the weights.
func loadsBy(spec *v1alpha1.WarmWeights) string {
	switch {
	case spec.LocalModelCache != "":
		return byModelCache
	case spec.DataLoad != nil:
		return byDataLoad
	}
	return byJob
}

// loadBy has them loaded, as far as that is to be done.
func (r *Reconciler) loadBy(ctx context.Context, l *look, j *job, spec *v1alpha1.WarmWeights) (loading, error) {
	name := objectName(l.pool, j.fc.Name)
	switch loadsBy(spec) {
	case byModelCache:
		return r.modelCache(ctx, spec.LocalModelCache)
	case byDataLoad:
		return r.load(ctx, l, j, newObject(dataLoad, l.pool.Namespace, name), func() (client.Object, error) { return fluidLoad(l, j, spec.DataLoad), nil })
	}
	return r.load(ctx, l, j, newJob(l.pool.Namespace, name), func() (client.Object, error) { return r.jobFrom(ctx, l, j, spec.CronJob) })
}

// modelCache looks at a KServe LocalModelCache, which loads onto all nodes of its groups by itself.
func (r *Reconciler) modelCache(ctx context.Context, name string) (loading, error) {
	u := newObject(localModelCache, "", name)
	if !r.apis.has(localModelCache, r.opts.Clock.Now()) {
		return loading{}, errAbsent(localModelCache)
	}
	err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(u), u)
	if apierrors.IsNotFound(err) && !absent(err) {
		return loading{}, refuse("there is no LocalModelCache %s: create it, or name another in spec.weights", name)
	}
	if err != nil {
		return loading{}, err
	}
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "copies", field)
		return n
	}
	total, have, failed := count("total"), count("available"), count("failed")
	switch {
	case failed > 0:
		return loading{weightsFailed, fmt.Sprintf("LocalModelCache %s failed on %d of %d nodes: see its status.nodeStatus", name, failed, total)}, nil
	case total > 0 && have >= total:
		return loading{state: weightsWarm}, nil
	}
	return loading{state: weightsLoading}, nil
}

// load has something loaded once ahead of each rise: the object is made when the rise comes near, removed when it recedes before the load is through, and kept for a
// while after that, so that the next rise finds it and loads nothing again. have is the empty object to look for.
func (r *Reconciler) load(ctx context.Context, l *look, j *job, have client.Object, build func() (client.Object, error)) (loading, error) {
	gvk := have.GetObjectKind().GroupVersionKind()
	if _, custom := have.(*unstructured.Unstructured); custom && !r.apis.has(gvk, l.now) {
		return loading{}, errAbsent(gvk)
	}
	wanted := j.hold.Weights > j.target.replicas
	if !l.act {
		if wanted {
			return loading{state: weightsDue}, r.removeOnce(ctx, l.pool, have)
		}
		return loading{state: weightsIdle}, r.removeOnce(ctx, l.pool, have)
	}
	if !wanted && r.knownClean(have) {
		return loading{state: weightsIdle}, nil
	}
	err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(have), have)
	switch {
	case absent(err):
		return loading{}, err
	case apierrors.IsNotFound(err) && !wanted:
		r.noteClean(have)
		return loading{state: weightsIdle}, nil
	case apierrors.IsNotFound(err):
		obj, err := build()
		if err != nil {
			return loading{}, err
		}
		if err := r.owned(l.pool, j.fc.Name, obj); err != nil {
			return loading{}, err
		}
		annotations := obj.GetAnnotations()
		annotations[annotationImage], annotations[annotationReplicas] = hash(j.target.image), strconv.Itoa(j.target.replicas)
		obj.SetAnnotations(annotations)
		return loading{state: weightsLoading}, r.create(ctx, obj)
	case err != nil:
		return loading{}, err
	}
	return r.loaded(ctx, l, j, have, wanted)
}

// loaded is how a load that there is stands, and whether it is to go.
func (r *Reconciler) loaded(ctx context.Context, l *look, j *job, have client.Object, wanted bool) (loading, error) {
	if have.GetDeletionTimestamp() != nil {
		if wanted {
			return loading{state: weightsLoading}, nil // by the next, once this one is gone
		}
		return loading{state: weightsIdle}, nil
	}
	is := stateOf(have)
	age := r.opts.Clock.Since(have.GetCreationTimestamp().Time)
	over := have.GetAnnotations()[annotationImage] != hash(j.target.image)
	switch is.state {
	case weightsWarm:
		over = over || (age >= weightsKept && !wanted)
	case weightsFailed:
		over = over || age >= retryPull || receded(j, have)
	default:
		over = over || receded(j, have)
	}
	if over {
		return is, r.remove(ctx, l.pool, have)
	}
	return is, nil
}

// receded is whether the rise that a load is for is not ahead any more, nor there: replicas that came since it began wait for the weights.
func receded(j *job, load client.Object) bool {
	before, err := strconv.Atoi(load.GetAnnotations()[annotationReplicas])
	if err != nil {
		before = j.target.replicas
	}
	return max(j.hold.Weights, j.target.replicas) <= before
}

func stateOf(o client.Object) loading {
	switch o := o.(type) {
	case *batchv1.Job:
		for _, c := range o.Status.Conditions {
			switch {
			case c.Status != corev1.ConditionTrue:
			case c.Type == batchv1.JobComplete:
				return loading{state: weightsWarm}
			case c.Type == batchv1.JobFailed:
				return loading{weightsFailed, fmt.Sprintf("Job %s/%s failed: %s", o.Namespace, o.Name, cmp.Or(c.Message, c.Reason))}
			}
		}
	case *unstructured.Unstructured:
		switch phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase {
		case "Complete":
			return loading{state: weightsWarm}
		case "Failed":
			return loading{weightsFailed, fmt.Sprintf("DataLoad %s/%s failed: see its status", o.GetNamespace(), o.GetName())}
		}
	}
	return loading{state: weightsLoading}
}

func newJob(namespace, name string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// jobFrom is a Job of a CronJob's template. The template is a CronJob's and not the WarmPool's own, because who may write WarmPools may then run nothing that
// they could not run before.
func (r *Reconciler) jobFrom(ctx context.Context, l *look, j *job, name string) (client.Object, error) {
	var cron batchv1.CronJob
	err := r.opts.Live.Get(ctx, client.ObjectKey{Namespace: l.pool.Namespace, Name: name}, &cron)
	if apierrors.IsNotFound(err) {
		return nil, refuse("there is no CronJob %s in namespace %s: create it, suspended, with the job that loads the weights", name, l.pool.Namespace)
	}
	if err != nil {
		return nil, err
	}
	out := newJob(l.pool.Namespace, objectName(l.pool, j.fc.Name))
	out.Labels, out.Annotations = maps.Clone(cron.Spec.JobTemplate.Labels), maps.Clone(cron.Spec.JobTemplate.Annotations)
	out.Spec = *cron.Spec.JobTemplate.Spec.DeepCopy()
	out.Spec.TTLSecondsAfterFinished = nil // it says that the weights are there, for as long as that is counted on
	return out, nil
}

func fluidLoad(l *look, j *job, spec *v1alpha1.WarmDataLoad) *unstructured.Unstructured {
	u := newObject(dataLoad, l.pool.Namespace, objectName(l.pool, j.fc.Name))
	s := map[string]any{
		"dataset": map[string]any{"name": spec.Dataset, "namespace": l.pool.Namespace}, "loadMetadata": true, "policy": "Once",
	}
	var targets []any
	for _, p := range spec.Paths {
		targets = append(targets, map[string]any{"path": p})
	}
	if len(targets) > 0 {
		s["target"] = targets
	}
	u.Object["spec"] = s
	return u
}

// unload removes what loads weights for one Forecast, but for what keep names.
func (r *Reconciler) unload(ctx context.Context, l *look, fc, keep string) error {
	name := objectName(l.pool, fc)
	var errs []error
	if keep != byJob {
		errs = append(errs, r.removeOnce(ctx, l.pool, newJob(l.pool.Namespace, name)))
	}
	if keep != byDataLoad && r.apis.has(dataLoad, l.now) {
		errs = append(errs, r.removeOnce(ctx, l.pool, newObject(dataLoad, l.pool.Namespace, name)))
	}
	return errors.Join(errs...)
}
