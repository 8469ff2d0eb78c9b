package weights

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// jobs load by a Job from the template of a CronJob. The template is a CronJob's and not the
// WarmPool's own, and the CronJob's author allows it by a label, so that who may write WarmPools
// can run nothing else: a CronJob can have rights that they do not have.
type jobs struct{ *Methods }

func (m jobs) Release(ctx context.Context, l Load) error { return m.client.Deleter.Object(ctx, l.Job) }

func (m jobs) Ensure(ctx context.Context, l Load) (Result, error) {
	return m.ensure(ctx, l, l.Job, func() (client.Object, string, error) {
		var cron batchv1.CronJob
		key := client.ObjectKey{Namespace: l.Pool.Namespace, Name: l.Spec.CronJob}
		err := m.client.Live.Get(ctx, key, &cron)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Sprintf("there is no CronJob %s in namespace %s: create it, suspended, "+
				"with the job that loads the weights", key.Name, key.Namespace), nil
		}
		if err != nil {
			return nil, "", err
		}
		if cron.Labels[LabelLoad] != "true" {
			return nil, fmt.Sprintf("CronJob %s in namespace %s is not marked as one that loads weights: label it %s=true "+
				"if WarmPools may run it", key.Name, key.Namespace, LabelLoad), nil
		}
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: l.Pool.Namespace, Name: names.Object(l.Pool.Namespace, l.Pool.Name, l.Forecast),
			Labels:      maps.Clone(cron.Spec.JobTemplate.Labels),
			Annotations: maps.Clone(cron.Spec.JobTemplate.Annotations),
		}}
		job.Spec = *cron.Spec.JobTemplate.Spec.DeepCopy()
		job.Spec.TTLSecondsAfterFinished = nil // the Job shows that the weights are there, as long as that counts
		return job, "", nil
	})
}

func jobState(job *batchv1.Job) Result {
	for _, c := range job.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return Result{State: Warm}
		case c.Type == batchv1.JobFailed:
			why := cmp.Or(c.Message, c.Reason)
			return Result{Failed, fmt.Sprintf("Job %s/%s failed: %s", job.Namespace, job.Name, why)}
		}
	}
	return Result{State: Loading}
}

// dataLoads load by DataLoads of Fluid.
type dataLoads struct{ *Methods }

func (m dataLoads) Release(ctx context.Context, l Load) error {
	return m.client.Deleter.Object(ctx, l.DataLoad)
}

func (m dataLoads) Ensure(ctx context.Context, l Load) (Result, error) {
	return m.ensure(ctx, l, l.DataLoad, func() (client.Object, string, error) {
		name := names.Object(l.Pool.Namespace, l.Pool.Name, l.Forecast)
		u := kube.NewObject(kube.DataLoad, l.Pool.Namespace, name)
		spec := map[string]any{
			"dataset":      map[string]any{"name": l.Spec.DataLoad.Dataset, "namespace": l.Pool.Namespace},
			"loadMetadata": true, "policy": "Once",
		}
		var targets []any
		for _, p := range l.Spec.DataLoad.Paths {
			targets = append(targets, map[string]any{"path": p})
		}
		if len(targets) > 0 {
			spec["target"] = targets
		}
		u.Object["spec"] = spec
		return u, "", nil
	})
}

func dataLoadState(u *unstructured.Unstructured) Result {
	switch phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase {
	case "Complete":
		return Result{State: Warm}
	case "Failed":
		name := u.GetNamespace() + "/" + u.GetName()
		return Result{Failed, fmt.Sprintf("DataLoad %s failed: see its status", name)}
	}
	return Result{State: Loading}
}

// modelCaches look at LocalModelCaches of KServe, which load onto all nodes of their groups by
// themselves.
type modelCaches struct{}

func (modelCaches) Release(context.Context, Load) error { return nil }

func (modelCaches) Ensure(_ context.Context, l Load) (Result, error) {
	name, u := l.Spec.LocalModelCache, l.ModelCache
	if u == nil {
		return Result{Failed, fmt.Sprintf("there is no LocalModelCache %s: create it, "+
			"or name another in spec.weights", name)}, nil
	}
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(u.Object, "status", "copies", field)
		return n
	}
	total, have, failed := count("total"), count("available"), count("failed")
	switch {
	case failed > 0:
		return Result{Failed, fmt.Sprintf("LocalModelCache %s failed on %d of %d nodes: see its status.nodeStatus",
			name, failed, total)}, nil
	case total > 0 && have >= total:
		return Result{State: Warm}, nil
	}
	return Result{State: Loading}, nil
}
