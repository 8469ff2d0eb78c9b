package simulator

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAccounts takes one service through a start, a shortage and a scale-down, with a fake clock.
func TestAccounts(t *testing.T) {
	s, err := New("shop", Service{Name: "model", Capacity: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	now := noon
	s.clock = func() time.Time { return now }
	if s.demand, err = NewDemand(noon, time.Second, []float64{15}); err != nil {
		t.Fatal(err)
	}
	s.last = now

	pod := func(name string, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{ServiceLabel: "model"}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	after := func(d time.Duration, change func()) {
		now = now.Add(d)
		change()
	}
	after(0, func() { s.podSeen(pod("a", corev1.ConditionTrue)) })
	after(0, func() { s.podSeen(pod("b", corev1.ConditionFalse)) })
	after(4*time.Second, func() { s.podSeen(pod("b", corev1.ConditionTrue)) }) // 4 s with one of two ready: 5/s dropped
	after(6*time.Second, func() {                                              // 6 s with two ready
		ending := pod("b", corev1.ConditionTrue)
		ending.DeletionTimestamp = &metav1.Time{Time: now}
		s.podSeen(ending)
	})
	after(2*time.Second, func() { s.podGone("shop/b") }) // 2 s with one ready and one ending
	after(1*time.Second, func() {})                      // 1 s with one

	want := State{
		Demand: 15, Created: 1, Ready: 1,
		Account: Account{
			Offered: 195, Served: 160, Dropped: 35, Elapsed: 13 * time.Second, DroppingTime: 7 * time.Second,
			Paid: 25 * time.Second, Ready: 19 * time.Second, Capacity: 10,
		},
	}
	got := s.State("model")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state after 13 s (-want +got):\n%s", diff)
	}
	if u := got.Account.Utilisation(); u != 160.0/250 {
		t.Errorf("utilisation is %v, want %v", u, 160.0/250)
	}
	after(time.Second, func() {})
	if d := s.State("model").Account.Sub(want.Account); d.Offered != 15 || d.Dropped != 5 || d.Elapsed != time.Second ||
		d.Capacity != 10 {
		t.Errorf("the account of the last second is %+v", d)
	}
}

func TestWriteHistory(t *testing.T) {
	d, err := NewDemand(noon, 2*time.Second, []float64{10, 0, 30})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "history")
	if err := WriteHistory(path, d, []string{"a"}, "127.0.0.1:1", noon.Add(3500*time.Millisecond),
		time.Second); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		got = append(got,
			strings.TrimPrefix(lines.Text(), `simulator_requests_total{instance="127.0.0.1:1",job="simulator",service="a"} `))
	}
	want := []string{
		"# TYPE simulator_requests counter", "0.000 1795435200.000", "10.000 1795435201.000", "20.000 1795435202.000",
		"20.000 1795435203.000", "# EOF",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// At the capacity the latency is the objective, it rises with the load, and what has piled up is served
// before it falls again.
func TestQueue(t *testing.T) {
	const capacity, objective = 10.0, 0.5
	at := func(load float64, q *queue) float64 {
		sum := 0.0
		for i := range 100 {
			sum += q.latency(time.Unix(int64(i), 0), load*2*capacity, 2, capacity, objective) / 100
		}
		return sum
	}
	var q queue
	for _, load := range []float64{0, 0.5, 0.9, 1, 1.2} {
		got := at(load, &q)
		want := objective * (1 - 1/1.25) / (1 - load/1.25)
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("at %v of the capacity the latency is %.3f, want %.3f", load, got, want)
		}
	}
	q.add(10*time.Second, 40, 2, capacity)
	if piled := at(1, &q); piled < 2*objective {
		t.Errorf("after 10 s above what is full the latency is %.3f", piled)
	}
	q.add(time.Minute, 20, 2, capacity)
	if got := at(1, &q); math.Abs(got-objective) > 0.02 {
		t.Errorf("once all is served the latency is %.3f, want %.1f", got, objective)
	}
	if got := q.latency(time.Unix(0, 0), 1, 0, capacity, objective); got != slowest {
		t.Errorf("without a replica the latency is %v", got)
	}
}
