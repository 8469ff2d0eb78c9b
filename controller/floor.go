package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// reasonFloorDropped is the reason of the condition Observed while observed demand holds nothing up.
const reasonFloorDropped = "FloorDropped"

// floor is what this replica knows of the observed demand that the served metric does not go below.
type floor struct {
	at  time.Time // that the last good poll began; zero before the first
	err error     // of the last poll
}

// floorOf is the floor of a Forecast.
func (o *Observer) floorOf(key types.NamespacedName) floor {
	o.mu.RLock()
	defer o.mu.RUnlock()
	v := o.values[key]
	return floor{at: v.at, err: v.err}
}

// judgeFloor says whether observed demand still holds the served metric up. Every replica polls for itself: this is what the leader sees.
func (e *evaluation) judgeFloor() {
	if !e.set.hasDemand {
		e.v.unknown(v1alpha1.ConditionObserved, reasonNotAsked, "spec.demand is not set")
		return
	}
	f := e.floor(types.NamespacedName{Namespace: e.fc.Namespace, Name: e.fc.Name})
	why := "no poll has ended since"
	if f.err != nil {
		why = oneLine(f.err)
	}
	switch {
	case f.at.IsZero() && f.err == nil:
		e.v.unknown(v1alpha1.ConditionObserved, "NotPolled", "observed demand has not been polled yet")
	case f.at.IsZero():
		e.v.fail(v1alpha1.ConditionObserved, reasonFloorDropped, "observed demand cannot be polled, and does not hold the served metric up: %s", why)
	case e.now.Sub(f.at) > e.maxFloorAge:
		e.v.fail(v1alpha1.ConditionObserved, reasonFloorDropped, "observed demand was polled last at %s, longer ago than three polls (%s), and does not hold the served metric up any more: %s",
			f.at.UTC().Format(time.RFC3339), e.maxFloorAge, why)
	default:
		e.v.ok(v1alpha1.ConditionObserved, "Polled", "the served metric never goes below observed demand, which is polled")
	}
}

var (
	floorDropped = prometheus.NewDesc("headstart_forecast_floor_dropped",
		"1 while observed demand is older than three polls, or was never polled, and does not hold the served metric of this replica up; else 0.", []string{"namespace", "forecast"}, nil)
	polledAt = prometheus.NewDesc("headstart_forecast_observed_timestamp_seconds",
		"When this replica last polled observed demand.", []string{"namespace", "forecast"}, nil)
)

// Describe implements [prometheus.Collector].
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	ch <- floorDropped
	ch <- polledAt
}

// Collect implements [prometheus.Collector]: it says of every Forecast that is polled how fresh its floor is.
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	now := o.clock.Now()
	for key := range o.queries {
		v, dropped := o.values[key], 0.0
		if v.at.IsZero() || now.Sub(v.at) > o.maxAge() {
			dropped = 1
		}
		ch <- prometheus.MustNewConstMetric(floorDropped, prometheus.GaugeValue, dropped, key.Namespace, key.Name)
		if !v.at.IsZero() {
			ch <- prometheus.MustNewConstMetric(polledAt, prometheus.GaugeValue, float64(v.at.UnixMilli())/1000, key.Namespace, key.Name)
		}
	}
}
