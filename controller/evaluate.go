package controller

import (
	"context"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/gpuwarm"
)

// condition is short for what every status carries.
type condition = metav1.Condition

func metaTime(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// evaluation is one pass over one Forecast.
type evaluation struct {
	*ForecastReconciler
	fc    *v1alpha1.Forecast
	state *forecastState
	set   settings
	now   time.Time
	v     verdicts

	scaling  scaling
	capacity float64
	lead     gpuwarm.Lead
	leadTime time.Duration
	peaks    peaks
	observed float64
	at       time.Time
	outlook  *forecaster.Outlook
	next     v1alpha1.ForecastStatus
}

// evaluate goes from what is known now to a plan, and writes it where it is worth a write.
func (r *ForecastReconciler) evaluate(ctx context.Context, fc *v1alpha1.Forecast, state *forecastState, set settings, now time.Time) error {
	e := &evaluation{ForecastReconciler: r, fc: fc, state: state, set: set, now: now, observed: math.NaN()}
	e.v = verdicts{generation: fc.Generation, now: metaTime(now)}
	e.next = v1alpha1.ForecastStatus{ObservedGeneration: fc.Generation, Conditions: cloneConditions(fc.Status.Conditions)}
	if err := e.readHPAs(ctx); err != nil {
		return err
	}
	if err := e.readLead(ctx); err != nil {
		return err
	}
	e.judgeFloor()
	if set.mode == v1alpha1.ForecastPaused {
		e.v.unknown(v1alpha1.ConditionServing, "Paused", "mode is Paused: observed demand is served")
		e.v.ready(set.mode, keptNothing)
		return e.publish(ctx, nil)
	}
	if err := e.readPeaks(ctx); err != nil {
		return err
	}
	if err := e.forecast(ctx); err != nil {
		return err
	}
	e.score()
	plan := e.plan()
	e.v.ready(set.mode, e.kept())
	before := e.state.plan
	err := e.publish(ctx, plan)
	e.promise(before)
	return err
}

// name of the Forecast, as the other Forecasts are told from it.
func (e *evaluation) name() string { return e.fc.Namespace + "/" + e.fc.Name }

func (e *evaluation) readHPAs(ctx context.Context) error {
	var err error
	if e.scaling, err = readHPAs(ctx, e.client, e.fc, e.rates.HPASync); err != nil {
		return err
	}
	shared, err := e.sharers(ctx, e.fc)
	if err != nil {
		return err
	}
	lintHPAs(&e.v, e.scaling, e.fc, shared)
	e.capacity, e.next.CapacityPerReplica = capacityOf(e.set, e.scaling)
	return nil
}
