package warmer

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
)

// observation is what one look at a WarmPool sees.
type observation struct {
	allocate.Snapshot
	cluster   allocate.Nodes // all nodes, by name
	quotasErr error
	made      map[string]*made      // what the pool made beside pods, by the key of the Forecast
	outdated  []client.Object       // what an earlier release made, under names that are not used any more
	kinds     map[string]listing    // by kind
	caches    map[string]modelCache // LocalModelCaches, by name
}

// made is what was made for one Forecast.
type made struct {
	nodes.Objects
	pullJob  *unstructured.Unstructured
	job      *batchv1.Job
	dataLoad *unstructured.Unstructured
}

// listing is what is known of the objects of a kind.
type listing struct {
	served  bool
	unknown error // why it is not known whether the cluster serves the kind
	objects []client.Object
	err     error // why they could not be listed
}

// modelCache is a LocalModelCache as it was read; u is nil where there is none.
type modelCache struct {
	u   *unstructured.Unstructured
	err error
}

// recheck is how long a kind without objects is not listed again, unless one is created.
const recheck = 10 * time.Minute

// observe reads all that a look at a WarmPool needs.
func (r *Reconciler) observe(
	ctx context.Context, pool *v1alpha1.WarmPool, selector labels.Selector, st *poolState,
) (*observation, error) {
	o := &observation{made: map[string]*made{}, kinds: map[string]listing{}, caches: map[string]modelCache{}}
	o.Now, o.Pool, o.Namespace, o.Selector = r.opts.Clock.Now(), pool, r.opts.Namespace, selector
	var forecasts v1alpha1.ForecastList
	var pools v1alpha1.WarmPoolList
	var pods corev1.PodList
	var nodes corev1.NodeList
	inNamespace := client.InNamespace(pool.Namespace)
	if err := errors.Join(
		r.opts.Client.List(ctx, &forecasts, inNamespace),
		r.opts.Client.List(ctx, &pods, client.UnsafeDisableDeepCopy),
		r.opts.Client.List(ctx, &nodes, client.UnsafeDisableDeepCopy),
	); err != nil {
		return nil, fmt.Errorf("look at the cluster: %w", err)
	}
	if err := r.opts.Client.List(ctx, &pools, client.UnsafeDisableDeepCopy); err != nil {
		o.PoolsErr = fmt.Errorf("list WarmPools: %w", err)
	}
	o.Forecasts = forecasts.Items
	o.Pools, o.Namespaces = inNamespaceOf(pool, pools.Items)
	r.observeQuotas(ctx, o) // without quotas all but shortages can be decided
	o.Pods, o.Nodes = pods.Items, nodes.Items
	o.cluster = allocate.NodesOf(o.Nodes)
	r.observeTargets(ctx, o)
	r.observeMade(ctx, o, st)
	r.observeCaches(ctx, o)
	return o, nil
}

// observeTargets reads the targets of the Forecasts that may be warmed for, and the HPAs that bound
// their replicas. Other Forecasts of the same targets can be other WarmPools'.
func (r *Reconciler) observeTargets(ctx context.Context, o *observation) {
	o.Workloads, o.HPAs = map[string]allocate.Workload{}, map[string]allocate.Bound{}
	targets := map[allocate.TargetKey]bool{}
	for _, fc := range o.Selected() {
		if o.PoolsErr == nil && o.LeftToPool(fc) == "" && allocate.Ineligible(fc) == "" {
			targets[allocate.KeyOf(fc)] = true
			o.Workloads[fc.Name] = r.workload(ctx, fc)
		}
	}
	for i := range o.Forecasts {
		fc := &o.Forecasts[i]
		if !targets[allocate.KeyOf(fc)] || allocate.Ineligible(fc) != "" {
			continue
		}
		name := fc.Status.CapacityPerReplica.Name
		if _, known := o.HPAs[name]; !known {
			o.HPAs[name] = r.bound(ctx, fc.Namespace, name)
		}
	}
}

// kind is a kind of objects that the warmer makes beside pods.
type kind struct {
	name string
	gvk  schema.GroupVersionKind // of an optional API
	list func() client.ObjectList
}

func optionalKind(gvk schema.GroupVersionKind) kind {
	return kind{gvk.Kind, gvk, func() client.ObjectList {
		u := &unstructured.UnstructuredList{}
		u.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		return u
	}}
}

// kindsOf returns the kinds that the warmer makes, and which of them the WarmPool's spec can need
// now.
func kindsOf(pool *v1alpha1.WarmPool) (kinds []kind, needed map[string]bool) {
	byNodes, byImages := pool.Spec.Nodes.Policy, pool.Spec.Images.Policy
	autoNodes := byNodes != v1alpha1.WarmNodesOff && byNodes != v1alpha1.WarmNodesPlaceholders
	byRequest := byNodes == v1alpha1.WarmNodesProvisioningRequest
	needed = map[string]bool{
		"PodTemplate":                 autoNodes,
		kube.CapacityBuffer.Kind:      autoNodes && !byRequest,
		kube.ProvisioningRequest.Kind: byRequest,
		kube.ImagePullJob.Kind:        byImages != v1alpha1.WarmImagesOff && byImages != v1alpha1.WarmImagesPods,
	}
	for _, w := range pool.Spec.Weights {
		needed[kube.DataLoad.Kind] = needed[kube.DataLoad.Kind] || w.DataLoad != nil
		needed["Job"] = needed["Job"] || w.CronJob != ""
	}
	return []kind{
		{name: "PodTemplate", list: func() client.ObjectList { return &corev1.PodTemplateList{} }},
		{name: "Job", list: func() client.ObjectList { return &batchv1.JobList{} }},
		optionalKind(kube.CapacityBuffer), optionalKind(kube.ProvisioningRequest), optionalKind(kube.ImagePullJob),
		optionalKind(kube.DataLoad),
	}, needed
}

// observeMade lists what the WarmPool made beside pods. An annotation says for which Forecast that
// is: also what an earlier process made, or a look that failed, would hold its nodes for as long as
// the WarmPool exists.
func (r *Reconciler) observeMade(ctx context.Context, o *observation, st *poolState) {
	kinds, needed := kindsOf(o.Pool)
	for _, k := range kinds {
		l := r.list(ctx, o, st, k, needed[k.name])
		o.kinds[k.name] = l
		for _, obj := range l.objects {
			o.add(k.name, obj)
		}
	}
	api := func(gvk schema.GroupVersionKind) allocate.API {
		return allocate.API{Served: o.kinds[gvk.Kind].served, Err: o.kinds[gvk.Kind].unknown}
	}
	o.CapacityBuffers, o.ProvisioningRequests = api(kube.CapacityBuffer), api(kube.ProvisioningRequest)
	o.ImagePullJobs = api(kube.ImagePullJob)
	o.Requests = map[string]allocate.Request{}
	o.RequestsErr = errors.Join(o.kinds["PodTemplate"].err, o.kinds[kube.CapacityBuffer.Kind].err,
		o.kinds[kube.ProvisioningRequest.Kind].err)
	for key, m := range o.made {
		if m.Buffer == nil && m.Request == nil {
			continue
		}
		request := allocate.Request{Replicas: m.Replicas()}
		if m.Template != nil {
			request.Template = &m.Template.Template
		}
		o.Requests[key] = request
	}
}

// add adds an object to what was made for its Forecast.
func (o *observation) add(kind string, obj client.Object) {
	key := keyOf(obj)
	if of, ok := names.OwnerIn(obj.GetAnnotations()); ok &&
		obj.GetName() != names.Object(of.Namespace, of.Pool, of.Forecast) {
		o.outdated = append(o.outdated, obj)
		return
	}
	if o.made[key] == nil {
		o.made[key] = &made{}
	}
	m := o.made[key]
	switch obj := obj.(type) {
	case *corev1.PodTemplate:
		m.Template = obj
	case *batchv1.Job:
		m.job = obj
	case *unstructured.Unstructured:
		switch kind {
		case kube.CapacityBuffer.Kind:
			m.Buffer = obj
		case kube.ProvisioningRequest.Kind:
			m.Request = obj
		case kube.ImagePullJob.Kind:
			m.pullJob = obj
		case kube.DataLoad.Kind:
			m.dataLoad = obj
		}
	}
}

// keyOf returns the key of the Forecast that an object of the pool was made for.
func keyOf(obj client.Object) string {
	if of, ok := names.OwnerIn(obj.GetAnnotations()); ok {
		return of.Key()
	}
	return obj.GetLabels()[names.LabelForecast]
}

// of returns what was made for a Forecast.
func (o *observation) of(key string) made {
	if m := o.made[key]; m != nil {
		return *m
	}
	return made{}
}

// list lists the objects of a kind that the WarmPool made: those that it controls, by UID. Labels
// only narrow the list down, for everybody can set them. A kind without objects, and one that may
// not be listed, are not listed again for a while.
func (r *Reconciler) list(ctx context.Context, o *observation, st *poolState, k kind, needed bool) listing {
	l := listing{served: true}
	if k.gvk.Kind != "" {
		if l.served, l.unknown = r.apis.Serves(k.gvk); l.unknown != nil || !l.served {
			return l
		}
	}
	if known, ok := st.listings.Get(k.name); ok {
		l.err, _ = known.(error)
		return l
	}
	list := k.list()
	managed := client.MatchingLabels{names.LabelManagedBy: names.ManagedBy}
	l.err = r.opts.Live.List(ctx, list, client.InNamespace(o.Pool.Namespace), managed)
	switch {
	case l.err == nil:
		_ = meta.EachListItem(list, func(obj runtime.Object) error {
			if obj := obj.(client.Object); metav1.IsControlledBy(obj, o.Pool) {
				l.objects = append(l.objects, obj)
			}
			return nil
		})
		if len(l.objects) == 0 {
			st.listings.Set(k.name, nil, recheck)
		}
	case kube.IsAbsent(l.err):
		l.served, l.err = false, nil
		if k.gvk.Kind != "" {
			r.apis.Gone(k.gvk)
		}
	case kube.IsDenied(l.err) && needed:
		st.listings.Set(k.name, l.err, kube.DenyPause)
	case kube.IsDenied(l.err):
		st.listings.Set(k.name, l.err, kube.Remembered)
	}
	return l
}

// observeCaches reads the LocalModelCaches that the weights of the WarmPool name.
func (r *Reconciler) observeCaches(ctx context.Context, o *observation) {
	for _, w := range o.Pool.Spec.Weights {
		name := w.LocalModelCache
		if _, known := o.caches[name]; name == "" || known {
			continue
		}
		if served, _ := r.apis.Serves(kube.LocalModelCache); !served {
			o.caches[name] = modelCache{err: kube.Absent(kube.LocalModelCache)}
			continue
		}
		u := kube.NewObject(kube.LocalModelCache, "", name)
		err := r.opts.Live.Get(ctx, client.ObjectKeyFromObject(u), u)
		switch {
		case kube.IsAbsent(err):
			r.apis.Gone(kube.LocalModelCache)
			o.caches[name] = modelCache{err: err}
		case apierrors.IsNotFound(err):
			o.caches[name] = modelCache{}
		default:
			o.caches[name] = modelCache{u, err}
		}
	}
}

// notSeen returns why something that was made before may be left and could not be looked for:
// errors that only a person can fix. Most often nothing was made.
func (o *observation) notSeen() error {
	kinds, _ := kindsOf(o.Pool)
	for _, k := range kinds {
		if err := o.kinds[k.name].unknown; err != nil {
			return err
		}
	}
	for _, k := range kinds {
		if err := o.kinds[k.name].err; err != nil && kube.IsDenied(err) {
			return err
		}
	}
	return nil
}

// notListed returns the errors of listing that pass with time.
func (o *observation) notListed() error {
	var errs []error
	kinds, _ := kindsOf(o.Pool)
	for _, k := range kinds {
		if err := o.kinds[k.name].err; err != nil && !kube.IsDenied(err) {
			errs = append(errs, fmt.Errorf("look for what was made: %w", err))
		}
	}
	return errors.Join(errs...)
}
