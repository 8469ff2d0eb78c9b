package warmer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
)

// loads has the weights of the Forecast "demand" loaded a minute ahead of its nodes. Nodes take 2
// minutes.
func loads(w v1alpha1.WarmWeights) func(*v1alpha1.WarmPool) {
	return func(p *v1alpha1.WarmPool) {
		w.Forecast, w.Lead = "demand", "1m"
		p.Spec.Weights = []v1alpha1.WarmWeights{w}
	}
}

func cronJob(name string) *batchv1.CronJob {
	ttl := int32(5)
	c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, Labels: map[string]string{weights.LabelLoad: "true"},
	}}
	c.Spec.JobTemplate.Labels = map[string]string{"team": "chat"}
	c.Spec.JobTemplate.Spec = batchv1.JobSpec{TTLSecondsAfterFinished: &ttl, Template: template()}
	return c
}

// newJob returns an empty Job.
func newJob(namespace, name string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func (w *world) job() *batchv1.Job {
	w.t.Helper()
	j := newJob("shop", names.Object("shop", "warm", "demand"))
	if err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(j), j); err != nil {
		w.must(client.IgnoreNotFound(err))
		return nil
	}
	return j
}

func (w *world) jobIs(c batchv1.JobConditionType) {
	w.t.Helper()
	j := w.job()
	j.Status.Conditions = []batchv1.JobCondition{{Type: c, Status: corev1.ConditionTrue, Message: "why"}}
	w.must(w.client.Status().Update(w.t.Context(), j))
}

func TestWeightsByJob(t *testing.T) {
	w := newWorld(t, ramp+" 50 50", pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})), cronJob("load"),
		node("a"))
	w.replica("a")
	if s := w.look(0.5); w.job() != nil || s.Forecasts[0].Weights != "Idle" {
		t.Fatalf("the rise at minute 4 is more than three minutes ahead: %+v", s.Forecasts)
	}
	s := w.look(1)
	j := w.job()
	if j == nil || s.Forecasts[0].Weights != "Loading" || s.Forecasts[0].WeightsBy != "Job" ||
		reasonOf(s, v1alpha1.ConditionWeightsWarm) != "False InProgress" {
		t.Fatalf("node lead and weights lead ahead of the rise they should be loaded: %+v", s)
	}
	if len(w.ours(names.RolePlaceholder)) != 0 {
		t.Error("cheap stages come first: no node should be held yet")
	}
	if j.Spec.TTLSecondsAfterFinished != nil || j.Labels["team"] != "chat" || j.OwnerReferences[0].UID != "pool-uid" {
		t.Errorf("a Job of the template that goes with the WarmPool and not before: %+v", j)
	}
	w.jobIs(batchv1.JobComplete)
	writes := len(w.writes)
	if s = w.look(2); s.Forecasts[0].Weights != "Warm" || reasonOf(s, v1alpha1.ConditionWeightsWarm) != "True AsPlanned" ||
		strings.Contains(strings.Join(w.writes[writes:], " "), "Job") {
		t.Errorf("they are loaded, and loaded once: %+v, %v", s, w.writes[writes:])
	}
	// The next rise, at minute 16, finds them; a rollout of another image has them loaded again.
	if w.look(9); w.job() == nil {
		t.Error("what was loaded is remembered for a while")
	}
	changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Image = "registry.example/model:2" })(w, nil)
	w.look(13.5)
	w.look(13.75)
	if j = w.job(); j == nil || j.Annotations["headstart.dev/image-hash"] != names.Hash("registry.example/model:2") ||
		len(j.Status.Conditions) != 0 {
		t.Errorf("the new image's weights should be loaded: %+v", j)
	}
}

// With a lead of 0 weights are loaded together with nodes, and not never.
func TestWeightsWithoutALead(t *testing.T) {
	at := func(p *v1alpha1.WarmPool) {
		p.Spec.Weights = []v1alpha1.WarmWeights{{Forecast: "demand", CronJob: "load", Lead: "0s"}}
	}
	w := newWorld(t, ramp, pool(noImages, at), cronJob("load"), node("a"))
	w.replica("a")
	if w.look(1.5); w.job() != nil {
		t.Error("the rise at minute 4 is more than the node's two minutes ahead")
	}
	if w.look(2); w.job() == nil {
		t.Error("nodes are asked for now, and so are weights")
	}
}

func TestWeightsAreUndone(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})), cronJob("load"))
	w.replica("")
	w.look(1)
	if w.job() == nil {
		t.Fatal("they should be loaded")
	}
	fc := w.forecast(ramp)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
	fc.Status.Plan.Segments[0].Values = strings.ReplaceAll(ramp, "50", "10")
	w.must(w.client.Status().Update(t.Context(), fc))
	if s := w.look(1.25); w.job() != nil || s.Forecasts[0].Hold != 0 {
		t.Errorf("the forecast receded while they were being loaded: %+v", s.Forecasts)
	}
	w.look(1.5)
	reads := len(w.reads)
	if w.look(1.75); strings.Contains(strings.Join(w.reads[reads:], " "), "Job") {
		t.Errorf("that there is none is remembered: %v", w.reads[reads:])
	}
}

// A load goes on while its replicas come, since they wait for the weights. It is deleted once the
// plan and the replicas are back at what there was.
func TestWeightsOfARiseThatBegan(t *testing.T) {
	w := newWorld(t, "10 10 10 10 50 50 50 50 50 50 10 10 10 10 10 10",
		pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})), cronJob("load"), node("a"))
	w.replica("a")
	w.look(1)
	if w.job() == nil {
		t.Fatal("they should be loaded")
	}
	var came []*corev1.Pod
	for range 4 {
		came = append(came, w.replica(""))
	}
	for _, minute := range []float64{3, 5, 12} {
		if s := w.look(minute); w.job() == nil || s.Forecasts[0].Weights != "Loading" {
			t.Fatalf("at minute %v the new replicas wait for the weights: %+v", minute, s.Forecasts)
		}
	}
	for _, p := range came {
		w.must(w.client.Delete(t.Context(), p))
	}
	if s := w.look(12.5); w.job() != nil {
		t.Errorf("the rise is over: %+v", s.Forecasts)
	}
}

// Rights that are missing for a moment do not stop a running load, neither at that look nor during
// the pause after it.
func TestWeightsWhileDenied(t *testing.T) {
	w := newWorld(t, ramp+" 50 50", pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})), cronJob("load"),
		node("a"))
	w.replica("a")
	w.look(1)
	before := w.job()
	if before == nil {
		t.Fatal("they should be loaded")
	}
	w.unread = func(kind string) error {
		if kind == "JobList" {
			return forbid("get", "jobs")
		}
		return nil
	}
	for look, minute := range []float64{1.1, 1.2, 1.3} {
		s := w.look(minute)
		if look == 1 {
			w.unread = nil
		}
		if got := reasonOf(s, v1alpha1.ConditionWeightsWarm); got != "False Denied" || s.Forecasts[0].WeightsBy != "Job" ||
			s.Forecasts[0].Weights != "Loading" {
			t.Errorf("at minute %v WeightsWarm is %q: %+v", minute, got, s.Forecasts)
		}
	}
	s := w.look(1.4)
	if j := w.job(); j == nil || j.UID != before.UID || reasonOf(s, v1alpha1.ConditionWeightsWarm) != "False InProgress" {
		t.Errorf("the load should go on as it did: %+v, %+v", j, s.Conditions)
	}
}

func TestWeightsThatFail(t *testing.T) {
	long := strings.Repeat("10 ", 2) + strings.Repeat("50 ", 30)
	w := newWorld(t, long, pool(noImages, loads(v1alpha1.WarmWeights{CronJob: "load"})))
	w.replica("")
	for range 3 {
		s := w.look(0)
		if got := reasonOf(s, v1alpha1.ConditionWeightsWarm); got != "False LoadFails" ||
			!strings.Contains(s.Forecasts[0].Message, "there is no CronJob load") {
			t.Fatalf("WeightsWarm is %q, %+v", got, s.Forecasts)
		}
	}
	w.must(w.client.Create(t.Context(), cronJob("load")))
	w.look(0.25)
	w.jobIs(batchv1.JobFailed)
	writes := len(w.writes)
	for i := range 8 {
		s := w.look(1 + float64(i))
		if got := reasonOf(s, v1alpha1.ConditionReady); got != "False LoadFails" ||
			!strings.Contains(s.Forecasts[0].Message, "why") {
			t.Fatalf("Ready is %q: %+v", got, s.Forecasts)
		}
	}
	if strings.Contains(strings.Join(w.writes[writes:], " "), "Job") {
		t.Errorf("a Job that failed is tried again after ten minutes: %v", w.writes[writes:])
	}
	w.look(11)
	w.look(11.25)
	if j := w.job(); j == nil || len(j.Status.Conditions) != 0 {
		t.Errorf("after ten minutes it is tried again: %+v", j)
	}
}

func TestWeightsByDataLoad(t *testing.T) {
	dl := &v1alpha1.WarmDataLoad{Dataset: "llama", Paths: []string{"/70b"}}
	w := newWorld(t, ramp, pool(noImages, loads(v1alpha1.WarmWeights{DataLoad: dl})))
	w.replica("")
	s := w.look(1)
	if got := reasonOf(s, v1alpha1.ConditionWeightsWarm); got != "False MissingAPI" ||
		!strings.Contains(s.Forecasts[0].Message, "DataLoad") {
		t.Fatalf("without Fluid WeightsWarm is %q: %+v", got, s.Forecasts)
	}
	w.mapper.there["DataLoad"] = true
	w.look(2.5)
	u := kube.NewObject(kube.DataLoad, "shop", names.Object("shop", "warm", "demand"))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u))
	want := map[string]any{
		"dataset": map[string]any{
			"name":      "llama",
			"namespace": "shop",
		}, "loadMetadata": true, "policy": "Once", "target": []any{map[string]any{"path": "/70b"}},
	}
	if diff := cmp.Diff(want, u.Object["spec"]); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	for phase, state := range map[string]string{"Pending": "Loading", "Executing": "Loading", "Complete": "Warm"} {
		w.must(unstructured.SetNestedField(u.Object, phase, "status", "phase"))
		w.must(w.client.Update(t.Context(), u))
		if s = w.look(3); s.Forecasts[0].Weights != state {
			t.Errorf("%s is %s", phase, s.Forecasts[0].Weights)
		}
	}
	w.mapper.there["DataLoad"] = false
	if got := reasonOf(w.look(3.25), v1alpha1.ConditionWeightsWarm); got != "False MissingAPI" {
		t.Errorf("once Fluid is gone WeightsWarm is %q", got)
	}
}

func TestWeightsByModelCache(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages, loads(v1alpha1.WarmWeights{LocalModelCache: "llama"})))
	w.mapper.there["LocalModelCache"] = true
	if s := w.look(0); reasonOf(s, v1alpha1.ConditionWeightsWarm) != "False LoadFails" ||
		!strings.Contains(s.Forecasts[0].Message, "there is no LocalModelCache llama") {
		t.Fatalf("%+v", s)
	}
	u := kube.NewObject(kube.LocalModelCache, "", "llama")
	w.must(w.client.Create(t.Context(), u))
	writes := len(w.writes)
	for state, copies := range map[string]map[string]any{
		"Loading": {"total": int64(3), "available": int64(2)}, "Warm": {
			"total":     int64(3),
			"available": int64(3),
		}, "Failed": {"total": int64(3), "available": int64(2), "failed": int64(1)},
	} {
		u.Object["status"] = map[string]any{"copies": copies}
		w.must(w.client.Update(t.Context(), u))
		writes++
		if s := w.look(0.25); s.Forecasts[0].Weights != state {
			t.Errorf("%v is %s, want %s", copies, s.Forecasts[0].Weights, state)
		}
	}
	if len(w.writes) != writes {
		t.Errorf("it is looked at, not made: %v", w.writes)
	}
}

func TestWeightsInDryRun(t *testing.T) {
	dry := func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }
	w := newWorld(t, ramp, pool(noImages, dry, loads(v1alpha1.WarmWeights{CronJob: "load"})), cronJob("load"))
	w.replica("")
	writes := len(w.writes)
	s := w.look(1)
	if got := reasonOf(s, v1alpha1.ConditionWeightsWarm); got != "False DryRun" || s.Forecasts[0].Weights != "Due" ||
		len(w.writes) != writes {
		t.Errorf("WeightsWarm is %q, %+v, wrote %v", got, s.Forecasts, w.writes[writes:])
	}
}
