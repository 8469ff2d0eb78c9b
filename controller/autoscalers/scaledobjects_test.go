package autoscalers

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// fakeDiscovery answers whether the cluster serves ScaledObjects.
type fakeDiscovery struct {
	served bool
	err    error
}

func (d *fakeDiscovery) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	switch {
	case d.err != nil:
		return nil, d.err
	case !d.served:
		return nil, apierrors.NewNotFound(schema.GroupResource{}, "keda.sh")
	}
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Kind: planner.ScaledObjectKind.Kind}}}, nil
}

// scaledObject reads a Forecast; "" reads none.
func scaledObject(name, forecast string) *unstructured.Unstructured {
	obj := emptyScaledObject()
	obj.SetNamespace("shop")
	obj.SetName(name)
	trigger := map[string]any{"type": "external", "metadata": map[string]any{"forecast": forecast}}
	if forecast == "" {
		trigger = map[string]any{"type": "cpu"}
	}
	obj.Object["spec"] = map[string]any{
		"scaleTargetRef": map[string]any{"name": "face-fusion"}, "triggers": []any{trigger},
	}
	return obj
}

func newTestScaledObjects(d Discovery) (*ScaledObjects, *informertest.FakeInformers, *clocktesting.FakeClock) {
	clock := clocktesting.NewFakeClock(time.Unix(1e9, 0))
	informers := &informertest.FakeInformers{}
	return NewScaledObjects(informers, d, clock, slog.New(slog.DiscardHandler)), informers, clock
}

// changed drains the names of the Forecasts that are to be planned again.
func changed(s *ScaledObjects) map[string]int {
	out := map[string]int{}
	for {
		select {
		case e := <-s.changes:
			out[e.Object.GetName()]++
		default:
			return out
		}
	}
}

func readersOf(s *ScaledObjects, forecast string) []string {
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: forecast}}
	var names []string
	for _, o := range s.of(fc) {
		names = append(names, o.Name)
	}
	return names
}

func TestScaledObjectsOfForecast(t *testing.T) {
	s, _, _ := newTestScaledObjects(&fakeDiscovery{})
	expect := func(step string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", step, diff)
		}
	}
	s.store(nil, scaledObject("b", "llm"))
	s.store(nil, scaledObject("a", "llm"))
	s.store(nil, scaledObject("c", ""))
	expect("three are there", readersOf(s, "llm"), []string{"a", "b"})
	expect("three are there", changed(s), map[string]int{"llm": 2})
	withStatus := scaledObject("a", "llm")
	withStatus.Object["status"] = map[string]any{"health": "x"}
	s.store(nil, withStatus)
	expect("a status is written", changed(s), map[string]int{})
	s.store(nil, scaledObject("a", "chat"))
	expect("one reads another", changed(s), map[string]int{"llm": 1, "chat": 1})
	expect("one reads another", readersOf(s, "chat"), []string{"a"})
	s.remove(scaledObject("a", "chat"))
	s.remove(scaledObject("b", "llm"))
	expect("both are gone", changed(s), map[string]int{"llm": 1, "chat": 1})
	if len(s.objects)+len(s.readers) > 0 {
		t.Errorf("%v and %v are still held", s.objects, s.readers)
	}
}

// Without KEDA no ScaledObject is asked for. It may come, and go.
func TestScaledObjectsAppearLater(t *testing.T) {
	d := &fakeDiscovery{err: errors.New("no answer")}
	s, informers, clock := newTestScaledObjects(d)
	s.began = clock.Now()
	check := func(step string, wantErr, wantWait, wantInformer bool) {
		t.Helper()
		if err := s.check(t.Context()); (err != nil) != wantErr {
			t.Errorf("%s: error %v", step, err)
		}
		if got := s.wait(); got != wantWait {
			t.Errorf("%s: plans wait: %v, want %v", step, got, wantWait)
		}
		if got := s.synced != nil; got != wantInformer {
			t.Errorf("%s: ScaledObjects are followed: %v, want %v", step, got, wantInformer)
		}
	}
	check("discovery fails", true, true, false)
	d.err = nil
	check("no KEDA", false, false, false)
	if len(informers.InformersByGVK) > 0 {
		t.Error("ScaledObjects are asked for in a cluster without them")
	}
	d.served = true
	check("KEDA is there", false, false, true)
	s.store(nil, scaledObject("a", "llm"))
	changed(s)
	d.served = false
	check("KEDA is gone", false, false, false)
	if got := readersOf(s, "llm"); len(got) > 0 || changed(s)["llm"] != 1 {
		t.Errorf("%q are still read", got)
	}
}

// Plans wait for discovery for a while only, and a reconciler without ScaledObjects never waits.
func TestPlansDoNotWaitForever(t *testing.T) {
	s, _, clock := newTestScaledObjects(&fakeDiscovery{err: errors.New("no answer")})
	s.began = clock.Now()
	if !s.wait() {
		t.Error("plans do not wait at first")
	}
	clock.Step(kedaWait + time.Second)
	if s.wait() {
		t.Errorf("plans wait for more than %s", kedaWait)
	}
	var none *ScaledObjects
	if none.wait() || none.of(&v1alpha1.Forecast{}) != nil {
		t.Error("without ScaledObjects there are some")
	}
}

// One that cannot be read is logged once per change of its spec: KEDA writes its status often.
func TestUnreadableScaledObjectIsLoggedOnce(t *testing.T) {
	var logs bytes.Buffer
	s, _, _ := newTestScaledObjects(&fakeDiscovery{})
	s.logger = slog.New(slog.NewTextHandler(&logs, nil))
	broken := func(generation int64) *unstructured.Unstructured {
		obj := scaledObject("a", "llm")
		obj.SetGeneration(generation)
		obj.Object["spec"].(map[string]any)["triggers"] = "none"
		return obj
	}
	for _, step := range []struct {
		reason        string
		before, after any
		logged        int
	}{
		{"it is new", nil, broken(1), 1},
		{"its status is written", broken(1), broken(1), 1},
		{"its spec is changed", broken(1), broken(2), 2},
		{"its status is written again", broken(2), broken(2), 2},
	} {
		s.store(step.before, step.after)
		if got := strings.Count(logs.String(), "left out"); got != step.logged {
			t.Errorf("%s: logged %d times, want %d", step.reason, got, step.logged)
		}
	}
}
