package kube

import (
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

// Denials are not tried again for a while, and are then forgotten.
func TestDenyBackoff(t *testing.T) {
	c := clocktesting.NewFakeClock(start)
	b := NewDenyBackoff(c)
	b.Note("gone", apierrors.NewBadRequest("no"))
	c.SetTime(start.Add(DenyPause - 1))
	if b.Recent("gone") == nil {
		t.Fatal("what was denied is to wait")
	}
	c.SetTime(start.Add(DenyPause))
	b.Note("other", forbid("create", "pods"))
	if b.Recent("gone") != nil || b.denied.Len() != 1 {
		t.Errorf("%d denials are remembered, want the last one", b.denied.Len())
	}
	b.Note("other", nil)
	if b.Note("outage", errInternal); b.denied.Len() != 0 {
		t.Errorf("%d denials are remembered, and there is none", b.denied.Len())
	}
}

// Looks and the sweep note denials at the same time.
func TestDenialsAtTheSameTime(t *testing.T) {
	d := NewDeleter(nil, clocktesting.NewFakeClock(start))
	denied := forbid("delete", "pods")
	var beside sync.WaitGroup
	for by := range 4 {
		beside.Go(func() {
			for i := range 20000 {
				p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint(by, "-", i%5), Name: "p"}}
				d.note(p.Namespace, denied)
				if d.recent(p.Namespace) == nil {
					t.Errorf("that %s was denied is not known", p.Namespace)
				}
				d.deniedLast([]corev1.Pod{p})
			}
		})
	}
	beside.Wait()
}
