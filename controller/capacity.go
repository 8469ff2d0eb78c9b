package controller

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

// useCapacity sets the demand that one replica serves: the configured one, or the one that is learned.
//
// Doors that serve replicas divide by the figure in status.capacityPerReplica, so every replica of
// Headstart serves the same number, also after a restart and while Prometheus is away. It is written
// with the plan, since the plan's ramp and bounds are made with it: a plan and a capacity that do not
// belong together would be served otherwise, and both would need writes of the same budget. A change
// that is worth it is written at once, see worthAWrite, and [planner.SettleCapacity] leaves out those
// that are not.
func (e *evaluation) useCapacity() {
	configured, autoscaler := e.set.Capacity()
	e.capacity = configured
	if e.set.Learn != nil {
		configured, e.capacity = e.set.CapacityIn(nil), e.learnCapacity()
	} else if e.state.evidence != nil {
		e.state.evidence = nil
		e.fetch.Forget(client.ObjectKeyFromObject(e.fc), reads.Evidence()...)
		e.metrics.evidence.Forget(client.ObjectKeyFromObject(e.fc))
	}
	status := &v1alpha1.CapacityStatus{Value: kube.QuantityOf(e.capacity), Source: planner.CapacityFromSpec}
	switch {
	case e.capacity <= 0:
		return
	case e.capacity != configured:
		status = &v1alpha1.CapacityStatus{
			Value: evidence.QuantityOf(e.capacity), Source: plan.CapacityFromLearning, Name: e.set.Scaling.CapacityName,
			DemandHash: e.set.Learn.DemandHash, ObjectiveHash: e.set.Learn.ObjectiveHash,
		}
	case autoscaler != "":
		status.Source, status.Name = e.set.Scaling.CapacityKind, autoscaler
	}
	e.next.CapacityPerReplica = status
}

// learnCapacity takes what was read of latency and replicas, asks for more, and returns the capacity to
// use.
func (e *evaluation) learnCapacity() float64 {
	inUse := e.set.CapacityIn(e.fc.Status.CapacityPerReplica)
	if e.state.evidence == nil {
		e.state.evidence = &evidence.Learner{}
	}
	if e.set.Mode == v1alpha1.ForecastPaused {
		return inUse
	}
	known := e.state.known()
	e.state.evidence.Update(evidence.Input{
		Forecast: client.ObjectKeyFromObject(e.fc), Settings: e.set, Demand: known, Status: e.fc.Status.Capacity, Now: e.now,
	}, e.fetch, e.openEvidence)
	return e.state.evidence.Use(inUse)
}

// observeReplicas counts the ready pods of the target, and sets what status says about the capacity.
func (e *evaluation) observeReplicas(ctx context.Context) error {
	if e.set.Learn == nil || e.set.Mode == v1alpha1.ForecastPaused {
		return nil
	}
	selector, err := e.podSelector(ctx)
	switch {
	case errors.As(err, new(*targetError)): // The condition LeadTimeLearned says so.
	case err != nil:
		return err
	default:
		pods, err := gpuwarm.Collector{Reader: e.client}.Collect(ctx, e.fc.Namespace, selector)
		if err != nil {
			return err
		}
		e.state.evidence.Saw(e.now, evidence.Count(pods), e.set.Step)
	}
	e.next.Capacity = e.state.evidence.Status(e.capacity, e.set.Learn.DemandHash, e.fc.Status.Capacity)
	e.state.evidence.SetCondition(&e.conditions.Set, e.capacity, e.set.Learn.AtMost, e.state.hasRead)
	var next *v1alpha1.DemandWeights
	if c := e.state.candidate; c != nil {
		next = c.weights
	}
	e.state.evidence.SetWeights(&e.conditions.Set, e.next.DemandWeights, next)
	e.metrics.evidence.ObserveWeights(client.ObjectKeyFromObject(e.fc), e.fc.Spec.Demand, e.next.DemandWeights)
	e.metrics.evidence.Observe(client.ObjectKeyFromObject(e.fc), e.next.Capacity, e.set.CapacityIn(nil))
	return nil
}
