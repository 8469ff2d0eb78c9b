package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/adapter/values"
)

// passive is a clock.Clock that only returns the time. Nothing in these tests waits on it.
type passive struct{ *clocktesting.FakePassiveClock }

func (passive) NewTimer(time.Duration) clock.Timer          { panic("no timer in tests") }
func (passive) Sleep(time.Duration)                         { panic("no sleep in tests") }
func (passive) After(time.Duration) <-chan time.Time        { panic("no waiting in tests") }
func (passive) NewTicker(time.Duration) clock.Ticker        { panic("no ticker in tests") }
func (passive) Tick(time.Duration) <-chan time.Time         { panic("no ticker in tests") }
func (passive) AfterFunc(time.Duration, func()) clock.Timer { panic("no timer in tests") }

// demandStub is a DemandObserver that gives every Forecast the same last poll.
type demandStub struct{ last func() values.LastPoll }

func (d demandStub) LastPoll(types.NamespacedName) values.LastPoll { return d.last() }
func (demandStub) Changes() <-chan event.GenericEvent              { return nil }
func (demandStub) MaxAge() time.Duration                           { return 90 * time.Second }

func named(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

func setNested(obj client.Object, value string, path ...string) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("%T is not unstructured", obj)
	}
	return unstructured.SetNestedField(u.Object, value, path...)
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

func gaugeValue(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	return testutil.ToFloat64(c)
}

func collected(c prometheus.Collector) int { return testutil.CollectAndCount(c) }
