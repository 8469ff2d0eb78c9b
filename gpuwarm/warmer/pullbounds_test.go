package warmer

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// pulling returns how many nodes the Forecasts' ImagePullJobs or pods pull onto, in all and at a
// time.
func (w *world) pulling() (nodes, atATime int) {
	w.t.Helper()
	for _, p := range w.ours(names.RolePull) {
		if p.Status.Phase == "" || p.Status.Phase == corev1.PodPending {
			nodes, atATime = nodes+1, atATime+1
		}
	}
	if !w.mapper.there[kube.ImagePullJob.Kind] {
		return nodes, atATime
	}
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(kube.ImagePullJob.GroupVersion().WithKind(kube.ImagePullJob.Kind + "List"))
	w.must(w.client.List(w.t.Context(), &list))
	for _, job := range list.Items {
		onto, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names")
		parallel, _, _ := unstructured.NestedInt64(job.Object, "spec", "parallelism")
		nodes, atATime = nodes+len(onto), atATime+min(len(onto), int(parallel))
	}
	return nodes, atATime
}

// Pulls are bounded for all Forecasts of a WarmPool together, and for all WarmPools of a namespace,
// at a time and in all.
func TestPullsAreBounded(t *testing.T) {
	maxNodes := func(n int32) func(*v1alpha1.WarmPool) {
		return func(p *v1alpha1.WarmPool) { p.Spec.Images.MaxNodes, p.Spec.Images.Parallelism = n, 100 }
	}
	cases := map[string]struct {
		reason     string
		pool       func(*v1alpha1.WarmPool)
		bounds     Bounds
		services   int
		others     int // WarmPools of the namespace
		nodes, say int // that pull in all, and that are left out for each Forecast at least
		atATime    int
	}{
		"Nothing": {"Twelve nodes are used.", maxNodes(100), Bounds{}, 1, 0, 12, 0, 12},
		"MaxNodes": {
			"The WarmPool bounds its nodes.", maxNodes(5), Bounds{}, 1, 0, 5, 1, 5,
		},
		"MaxNodesOfTwo": {"Both Forecasts together.", maxNodes(15), Bounds{}, 2, 0, 15, 1, 15},
		"Cap":           {"The administrator bounds them too.", maxNodes(100), Bounds{ImageNodes: 7}, 1, 0, 7, 1, 7},
		"CapOfTwo":      {"For all WarmPools of a namespace.", maxNodes(100), Bounds{ImageNodes: 8}, 1, 1, 4, 1, 4},
		"AtATime":       {"And those at a time.", maxNodes(100), Bounds{Pulls: 3}, 1, 0, 12, 0, 3},
		"AtATimeOfFour": {"Of all Forecasts.", maxNodes(100), Bounds{Pulls: 3}, 4, 0, 48, 0, 3},
	}
	for name, tc := range cases {
		for _, jobs := range []bool{false, true} {
			t.Run(fmt.Sprint(name, jobs), func(t *testing.T) {
				plan := strings.Repeat("120 ", 60)
				w := newWorld(t, plan, pool(noNodes, tc.pool))
				w.mapper.there[kube.ImagePullJob.Kind] = jobs
				if tc.bounds.ImageNodes > 0 {
					w.r.opts.Bounds.ImageNodes = tc.bounds.ImageNodes
				}
				if tc.bounds.Pulls > 0 {
					w.r.opts.Bounds.Pulls = tc.bounds.Pulls
				}
				for i := range tc.services - 1 {
					w.service(fmt.Sprint("other-", i), plan, "")
				}
				for i := range 12 {
					w.must(w.client.Create(t.Context(), node(fmt.Sprintf("n%02d", i))))
				}
				for i := range tc.others {
					p := pool(noNodes)
					p.Name, p.UID = fmt.Sprint("another-", i), "another-uid"
					p.Spec.ForecastSelector.MatchLabels = map[string]string{"no": "body"}
					w.must(w.client.Create(t.Context(), p))
				}
				var s v1alpha1.WarmPoolStatus
				for i := range 3 {
					s = w.look(float64(i) / 12)
				}
				_, atATime := w.pulling()
				wanted, said := 0, false
				for _, f := range s.Forecasts {
					wanted += int(f.ImageNodes)
					said = said || strings.Contains(f.Message, "spec.images.maxNodes")
				}
				if wanted != tc.nodes || atATime > tc.atATime || atATime == 0 || said != (tc.say > 0) {
					t.Errorf("\nReason: %s\n%d nodes in all, want %d; %d at a time, want at most %d; said: %t", tc.reason, wanted,
						tc.nodes, atATime, tc.atATime, said)
				}
			})
		}
	}
}

// Those that wait for others to pull have their turn once these are done.
func TestPullsTakeTurns(t *testing.T) {
	w := newWorld(t, strings.Repeat("10 ", 60), pool(noNodes))
	w.r.opts.Bounds.Pulls = 1
	w.service("other", strings.Repeat("10 ", 60), "")
	w.must(w.client.Create(t.Context(), node("a")))
	changeImage := func(name, image string) {
		d := deployment()
		d.Name = name
		w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(d), d))
		d.Spec.Template.Spec.Containers[0].Image = image
		w.must(w.client.Update(t.Context(), d))
	}
	changeImage("other", "registry.example/other:1")
	w.look(0)
	if got := w.ours(names.RolePull); len(got) != 1 || got[0].Spec.Containers[0].Image != "registry.example/model:1" {
		t.Fatalf("%d pulls, want the first's", len(got))
	}
	n := node("a")
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(n), n))
	n.Status.Images = []corev1.ContainerImage{{Names: []string{"registry.example/model:1"}}}
	w.must(w.client.Status().Update(t.Context(), n))
	w.look(0.25)
	w.look(0.5)
	if got := w.ours(names.RolePull); len(got) != 1 || got[0].Spec.Containers[0].Image != "registry.example/other:1" {
		t.Errorf("%d pulls, want the other's: %+v", len(got), got)
	}
}

// A WarmPool runs a CronJob only if its author allowed that by a label.
func TestOnlyLabelledCronJobsRun(t *testing.T) {
	for name, labels := range map[string]map[string]string{
		"None": nil, "False": {"headstart.dev/load-weights": "false"}, "Empty": {"headstart.dev/load-weights": ""},
		"OnTemplate": nil,
	} {
		t.Run(name, func(t *testing.T) {
			cron := cronJob("nightly-cleanup")
			cron.Labels = labels
			if name == "OnTemplate" {
				cron.Spec.JobTemplate.Labels = map[string]string{"headstart.dev/load-weights": "true"}
			}
			w := newWorld(t, ramp, pool(noImages, loads(v1alpha1.WarmWeights{CronJob: cron.Name})), cron)
			w.replica("")
			s := w.look(1)
			var made batchv1.JobList
			w.must(w.client.List(t.Context(), &made))
			if len(made.Items) != 0 || reasonOf(s, v1alpha1.ConditionWeightsWarm) != "False LoadFails" ||
				!strings.Contains(s.Forecasts[0].Message, "label it headstart.dev/load-weights=true") {
				t.Fatalf("%d Jobs; %s: %s", len(made.Items), reasonOf(s, v1alpha1.ConditionWeightsWarm), s.Forecasts[0].Message)
			}
			cron = cronJob(cron.Name)
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(cron), cron))
			cron.Labels = map[string]string{"headstart.dev/load-weights": "true"}
			w.must(w.client.Update(t.Context(), cron))
			if s = w.look(1.25); w.job() == nil || reasonOf(s, v1alpha1.ConditionWeightsWarm) != "False InProgress" {
				t.Errorf("it is allowed now: %+v", s.Forecasts[0])
			}
		})
	}
}
