// Package weights has the weights of a model loaded near its replicas before these come. There are
// three methods: a Job from a CronJob's template, a DataLoad of Fluid, and a LocalModelCache of
// KServe, which loads by itself.
package weights

import (
	"context"
	"errors"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// How the weights of one Forecast stand.
const (
	Idle    = "Idle" // no rise is ahead
	Due     = "Due"  // a rise is ahead, and in mode DryRun nothing is loaded
	Loading = "Loading"
	Warm    = "Warm"
	Failed  = "Failed"
)

// What loads weights, as status names it.
const (
	ByModelCache = "LocalModelCache"
	ByDataLoad   = "DataLoad"
	ByJob        = "Job"
)

// LabelLoad is the label by which the author of a CronJob lets WarmPools of its namespace run it.
// Its value is "true".
const LabelLoad = "headstart.dev/load-weights"

const (
	annotationImage    = "headstart.dev/image-hash"
	annotationReplicas = "headstart.dev/replicas" // that there were when the load began

	// keptFor is how long after they began to be loaded weights count as loaded.
	keptFor = time.Hour
	// retryLoad is how long after a failed load the next one begins.
	retryLoad = 10 * time.Minute
)

// Method loads weights in one way.
type Method interface {
	// Ensure has the weights loaded while a rise is ahead.
	Ensure(ctx context.Context, l Load) (Result, error)
	// Release removes what the method made for the Forecast.
	Release(ctx context.Context, l Load) error
}

// Load is what is to be loaded for one Forecast, and what is there.
type Load struct {
	Pool     *v1alpha1.WarmPool
	Forecast string
	Target   *allocate.Target
	Spec     *v1alpha1.WarmWeights
	// Wanted reports whether a rise is ahead. Replicas is the most that the plan needs until weights
	// that begin to be loaded now are there.
	Wanted   bool
	Replicas int
	// Acts is false in mode DryRun.
	Acts bool

	// Job, DataLoad and ModelCache are there; nil where they are not.
	Job        *batchv1.Job
	DataLoad   *unstructured.Unstructured
	ModelCache *unstructured.Unstructured
}

// Result is how the weights stand, and what is wrong, for a message.
type Result struct{ State, Problem string }

// By returns what loads the weights.
func By(spec *v1alpha1.WarmWeights) string {
	switch {
	case spec.LocalModelCache != "":
		return ByModelCache
	case spec.DataLoad != nil:
		return ByDataLoad
	}
	return ByJob
}

// Methods are all methods.
type Methods struct {
	client kube.Client
	clock  clock.PassiveClock
}

// New returns the methods.
func New(c kube.Client, clock clock.PassiveClock) *Methods { return &Methods{c, clock} }

// By returns the method of a name.
func (m *Methods) By(name string) Method {
	switch name {
	case ByModelCache:
		return modelCaches{}
	case ByDataLoad:
		return dataLoads{m}
	}
	return jobs{m}
}

// ReleaseOthers removes what loads weights for the Forecast, except for the method keep.
func (m *Methods) ReleaseOthers(ctx context.Context, l Load, keep string) error {
	var errs []error
	for _, by := range []string{ByJob, ByDataLoad} {
		if by != keep {
			errs = append(errs, m.By(by).Release(ctx, l))
		}
	}
	return errors.Join(errs...)
}

// ensure loads once ahead of each rise. The object is created when the rise comes near, and deleted
// when the rise goes away before the load is done. It is kept for a while after that: the next rise
// finds it and loads nothing again. build returns the new object, or what is wrong.
func (m *Methods) ensure(
	ctx context.Context, l Load, have client.Object, build func() (o client.Object, problem string, err error),
) (Result, error) {
	switch {
	case !l.Acts && l.Wanted:
		return Result{State: Due}, m.client.Deleter.Object(ctx, have)
	case !l.Acts:
		return Result{State: Idle}, m.client.Deleter.Object(ctx, have)
	case !kube.IsNil(have):
		return m.advance(ctx, l, have)
	case !l.Wanted:
		return Result{State: Idle}, nil
	}
	o, problem, err := build()
	if err != nil || problem != "" {
		return Result{problemState(problem), problem}, err
	}
	if err := m.client.Own(l.Pool, l.Forecast, o); err != nil {
		return Result{}, err
	}
	annotations := o.GetAnnotations()
	annotations[annotationImage] = names.Hash(l.Target.Image)
	annotations[annotationReplicas] = strconv.Itoa(l.Target.Replicas)
	o.SetAnnotations(annotations)
	return Result{State: Loading}, m.client.Create(ctx, o)
}

func problemState(problem string) string {
	if problem == "" {
		return ""
	}
	return Failed
}

// advance returns how a load that exists stands, and deletes it once it is of no more use.
func (m *Methods) advance(ctx context.Context, l Load, have client.Object) (Result, error) {
	if have.GetDeletionTimestamp() != nil {
		if l.Wanted {
			return Result{State: Loading}, nil // by the next one, once this one is gone
		}
		return Result{State: Idle}, nil
	}
	is := stateOf(have)
	age := m.clock.Since(have.GetCreationTimestamp().Time)
	over := have.GetAnnotations()[annotationImage] != names.Hash(l.Target.Image)
	switch is.State {
	case Warm:
		over = over || (age >= keptFor && !l.Wanted)
	case Failed:
		over = over || age >= retryLoad || l.isRiseOver(have)
	default:
		over = over || l.isRiseOver(have)
	}
	if over {
		return is, m.client.Deleter.Object(ctx, have)
	}
	return is, nil
}

// isRiseOver reports whether the rise that a load is for is neither ahead any more nor there.
// Replicas that came since it began wait for the weights.
func (l Load) isRiseOver(have client.Object) bool {
	before, err := strconv.Atoi(have.GetAnnotations()[annotationReplicas])
	if err != nil {
		before = l.Target.Replicas
	}
	return max(l.Replicas, l.Target.Replicas) <= before
}

// stateOf returns how a Job or a DataLoad stands.
func stateOf(o client.Object) Result {
	switch o := o.(type) {
	case *batchv1.Job:
		return jobState(o)
	case *unstructured.Unstructured:
		return dataLoadState(o)
	}
	return Result{State: Loading}
}
