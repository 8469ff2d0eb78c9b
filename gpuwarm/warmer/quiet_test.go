package warmer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// While nothing changes nothing is written, whatever is wrong: neither status nor anything else.
func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	short := func(p *v1alpha1.WarmPool) {
		p.Spec.Nodes.Capacity = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse("2")}
	}
	off := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }
	eight := func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 8 }
	placeholders := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesPlaceholders }
	many := strings.Repeat("50 ", 720)
	cases := map[string]struct {
		reason  string
		plan    string
		pool    []func(*v1alpha1.WarmPool)
		nodes   int
		prepare func(*world)
		says    string
	}{
		"ShortOfNodes": {
			"the plan is above what nodes can give already", steady,
			[]func(*v1alpha1.WarmPool){off, noImages},
			0, nil, "more than 0 already",
		},
		"ShortOfPool": {
			"or above what the pool can", many,
			[]func(*v1alpha1.WarmPool){short, noImages},
			2, nil,
			"5 replicas now and more than 2 already",
		},
		"ShortTogether": {
			"and so are two plans together", many,
			[]func(*v1alpha1.WarmPool){short, noImages},
			2,
			func(w *world) { w.service("other", many, "") }, "and more than 2 already",
		},
		"InvalidSelector": {
			"an edit made the selector unreadable", steady,
			[]func(*v1alpha1.WarmPool){noImages},
			0, breakSelector,
			"spec.forecastSelector",
		},
		"Unseen": {
			"two kinds may not be read", steady,
			[]func(*v1alpha1.WarmPool){placeholders, noImages},
			0,
			func(w *world) {
				w.mapper.there["ProvisioningRequest"], w.mapper.there["CapacityBuffer"] = true, true
				w.unread = func(kind string) error {
					if strings.HasPrefix(kind, "ProvisioningRequest") || strings.HasPrefix(kind, "CapacityBuffer") {
						return forbid("get", kind)
					}
					return nil
				}
			}, "whether anything is left",
		},
		"DeniedRemovals": {
			"eight pulls may not be removed", many + many,
			[]func(*v1alpha1.WarmPool){off, eight},
			8,
			func(w *world) {
				w.look(0)
				w.setMode(v1alpha1.ForecastPaused)
				w.refuse = func(verb string, o client.Object) error {
					return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, o.GetName(),
						fmt.Errorf("cannot %s it", verb))
				}
			}, "cannot delete",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{pool(tc.pool...)}
			for i := range tc.nodes {
				objects = append(objects, node(fmt.Sprint("n", i)))
			}
			w := newWorld(t, tc.plan, objects...)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			for i := range 6 {
				_, _ = w.tryLook(float64(i) / 4)
			}
			version := func() string {
				p := pool()
				w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
				return p.ResourceVersion
			}
			before, made := version(), len(w.ours(names.RolePlaceholder))+len(w.ours(names.RolePull))
			if s := fmt.Sprint(w.now()); !strings.Contains(s, tc.says) {
				t.Errorf("\nReason: %s\nstatus does not say %q: %s", tc.reason, tc.says, s)
			}
			for i := range 40 {
				_, _ = w.tryLook(2 + float64(i)/4)
				if now := version(); now != before {
					t.Fatalf("\nReason: %s\nlook %d wrote status again: %+v", tc.reason, i, w.now())
				}
			}
			if n := len(w.ours(names.RolePlaceholder)) + len(w.ours(names.RolePull)); n != made {
				t.Errorf("\nReason: %s\n%d pods, there were %d", tc.reason, n, made)
			}
		})
	}
}

func breakSelector(w *world) {
	p := pool()
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(p), p))
	p.Generation++
	p.Spec.ForecastSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{
		Key: "warm", Operator: "in",
		Values: []string{"yes"},
	}}
	w.must(w.client.Update(w.t.Context(), p))
}

// An invalid selector is reported, and what is held stays until it is fixed.
func TestInvalidSelectorIsReported(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	breakSelector(w)
	s := w.look(2.25)
	if got := reasonOf(s, v1alpha1.ConditionReady); got != "False InvalidSelector" ||
		len(w.ours(names.RolePlaceholder)) != 5 {
		t.Errorf("Ready is %q: %s; %d placeholders are held", got, messageOf(s, v1alpha1.ConditionReady),
			len(w.ours(names.RolePlaceholder)))
	}
}

// A list that fails repeatedly is reported. Without quotas everything else still works.
func TestFailingLookIsReported(t *testing.T) {
	for _, kind := range []string{"PodList", "NodeList", "*v1alpha1.ForecastList", "ResourceQuotaList"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, ramp+strings.Repeat(" 10", 20), pool(noImages))
			w.look(2)
			w.unread = func(k string) error {
				if k == kind {
					return errInternal
				}
				return nil
			}
			for i := range 3 {
				if _, err := w.tryLook(9 + float64(i)/60); err == nil {
					t.Fatal("the failure should slow the looks down")
				}
			}
			if got := reasonOf(w.now(), v1alpha1.ConditionReady); got != "False Failed" {
				t.Errorf("Ready is %q", got)
			}
			held := 5
			if kind == "ResourceQuotaList" {
				held = 1 // the peak is over
			}
			if n := len(mustList(w)); n != held {
				t.Errorf("%d placeholders are held, want %d", n, held)
			}
			w.unread = nil
			if s := w.look(9.1); strings.HasSuffix(reasonOf(s, v1alpha1.ConditionReady), "Failed") {
				t.Errorf("it is over: %+v", s.Conditions)
			}
		})
	}
}

// mustList returns the placeholders, whichever reads fail.
func mustList(w *world) []corev1.Pod {
	unread := w.unread
	w.unread = nil
	defer func() { w.unread = unread }()
	return w.ours(names.RolePlaceholder)
}

// Placeholders that kubelets do not admit are replaced ever more rarely, and that is reported until
// they hold.
func TestPlaceholdersThatEndByThemselves(t *testing.T) {
	w := newWorld(t, strings.Repeat("200 ", 720), pool(noImages), node("a"))
	fail := func() {
		for _, p := range w.ours(names.RolePlaceholder) {
			if p.Spec.NodeName == "" {
				p.Spec.NodeName = "a"
				w.must(w.client.Update(t.Context(), &p))
			}
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "UnexpectedAdmissionError", "allocate failed"
			w.must(w.client.Status().Update(t.Context(), &p))
		}
	}
	w.look(0)
	perMinute := func(from int) (most int) {
		for minute := from; minute < from+10; minute++ {
			writes := w.podWrites()
			for quarter := range 4 {
				fail()
				s := w.look(float64(minute) + float64(quarter+1)/4)
				if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False PlaceholdersFail" ||
					!strings.Contains(s.Forecasts[0].Message, "UnexpectedAdmissionError (allocate failed)") {
					t.Fatalf("minute %d: NodesWarm is %q: %+v", minute, got, s.Forecasts)
				}
			}
			most = max(most, w.podWrites()-writes)
		}
		return most
	}
	if n := perMinute(0); n > 80 {
		t.Errorf("%d writes a minute, want at most twenty pods made and removed twice", n)
	}
	if n := perMinute(20); n > 40 {
		t.Errorf("%d writes a minute later on, want at most one try", n)
	}
	for quarter := range 4 * 25 {
		w.look(30 + float64(quarter)/4)
	}
	if s := w.look(56); reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" ||
		len(w.ours(names.RolePlaceholder)) != 20 {
		t.Errorf("kubelets admit them since 25 minutes: %+v", s)
	}
	for _, p := range w.ours(names.RolePlaceholder) {
		p.Status.Phase, p.Status.Reason = corev1.PodFailed, "DeadlineExceeded"
		w.must(w.client.Status().Update(t.Context(), &p))
	}
	if w.look(56.25); len(w.ours(names.RolePlaceholder)) != 20 {
		t.Error("those that end by their own deadline should be created again at once")
	}
}

// A place on a node that accepts no pods holds nothing. A cordoned node's place moves; a node that
// may be Ready again soon only does not count.
func TestPlacesOnNodesThatTakeNoPods(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*corev1.Node)
		moves  bool
	}{
		"Cordoned": {
			"a drained node comes back without its pods", func(n *corev1.Node) { n.Spec.Unschedulable = true }, true,
		},
		"NotReady": {
			"a kubelet that restarts is back soon",
			func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages), node("a"), node("b"))
			w.look(0)
			for i, p := range w.ours(names.RolePlaceholder) {
				w.bind(&p, []string{"a", "b"}[i])
			}
			if s := w.look(0.25); s.Forecasts[0].Held != 2 {
				t.Fatalf("%+v", s.Forecasts)
			}
			n := node("a")
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(n), n))
			tc.change(n)
			status := n.Status
			w.must(w.client.Update(t.Context(), n))
			n.Status = status
			w.must(w.client.Status().Update(t.Context(), n))
			s := w.look(0.5)
			if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False InProgress" || s.Forecasts[0].Held != 1 {
				t.Errorf("\nReason: %s\nNodesWarm is %q: %+v", tc.reason, got, s.Forecasts)
			}
			unbound := 0
			for _, p := range w.ours(names.RolePlaceholder) {
				if p.Spec.NodeName == "" {
					unbound++
				}
			}
			if (unbound == 1) != tc.moves || len(w.ours(names.RolePlaceholder)) != 2 {
				t.Errorf("\nReason: %s\n%d of %d placeholders look for a node", tc.reason, unbound,
					len(w.ours(names.RolePlaceholder)))
			}
		})
	}
}

// Denied deletions in one namespace, or of one pod, do not keep others from being deleted.
func TestRemovalsGoOnPastDenials(t *testing.T) {
	t.Run("Namespaces", func(t *testing.T) {
		objects := []client.Object{pool(func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 10 })}
		for i := range 6 {
			objects = append(objects, node(fmt.Sprint("n", i)))
		}
		w := newWorld(t, strings.Repeat("60 ", 720), objects...)
		w.r.opts.Namespace = "zz-warm" // after the pulls, in the order of names
		w.look(0)
		if p, q := len(w.ours(names.RolePlaceholder)), len(w.ours(names.RolePull)); p != 6 || q != 6 {
			t.Fatalf("%d placeholders, %d pulls", p, q)
		}
		w.must(w.client.Delete(t.Context(), w.forecast(steady)))
		w.refuse = func(verb string, o client.Object) error {
			if o.GetNamespace() == "shop" {
				return forbid(verb, "pods")
			}
			return nil
		}
		w.look(1)
		if n := len(w.ours(names.RolePlaceholder)); n != 0 {
			t.Errorf("%d placeholders are held, though they may be removed", n)
		}
	})
	t.Run("Sweep", func(t *testing.T) {
		w := newWorld(t, ramp, pool(noImages))
		w.look(2)
		w.must(w.client.Delete(t.Context(), pool()))
		stuck := w.ours(names.RolePlaceholder)[0].Name
		tries := 0
		w.refuse = func(_ string, o client.Object) error {
			if o.GetName() == stuck {
				tries++
				return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, stuck,
					errors.New("admission webhook denied the request"))
			}
			return nil
		}
		for range 10 {
			if err := w.r.Sweep(t.Context()); !apierrors.IsForbidden(err) {
				t.Fatal(err)
			}
		}
		if n := len(w.ours(names.RolePlaceholder)); n != 1 || tries != 1 {
			t.Errorf("%d placeholders are left, want the one that may not be removed, tried once in 15 s and not %d times", n,
				tries)
		}
	})
}

// The sweep runs at the same time as the looks.
func TestSweepBesideLooks(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	orphan := w.ours(names.RolePlaceholder)[0]
	orphan.ResourceVersion, orphan.UID, orphan.Name = "", "", "orphan"
	orphan.Labels[names.LabelPool] = "gone"
	w.must(w.client.Create(t.Context(), &orphan))
	w.setMode(v1alpha1.ForecastPaused)
	w.refuse = func(verb string, _ client.Object) error { return forbid(verb, "pods") }
	pod := orphan.DeepCopy()
	var beside sync.WaitGroup
	beside.Go(func() {
		for range 200 {
			_ = w.r.deleter.Pod(context.Background(), pod)
		}
	})
	for i := range 50 {
		w.look(2 + float64(i))
	}
	beside.Wait()
}
