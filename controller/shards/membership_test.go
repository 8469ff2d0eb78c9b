package shards

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

var origin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

type cluster struct {
	*fake.Clientset
	t     *testing.T
	clock *clocktesting.FakeClock
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{Clientset: fake.NewClientset(), t: t, clock: clocktesting.NewFakeClock(origin)}
}

func (c *cluster) leases() coordinationclient.LeaseInterface {
	return c.CoordinationV1().Leases("headstart-system")
}

func (c *cluster) member(name string) *Membership {
	c.t.Helper()
	o := DefaultOptions()
	o.Leases, o.Identity, o.Clock = c.leases(), name, c.clock
	m, err := New(o)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *cluster) want(m *Membership, what string, members ...string) {
	c.t.Helper()
	if got := m.Members(); !slices.Equal(got, members) {
		c.t.Errorf("%s: %s sees %v, want %v", what, m.opts.Identity, got, members)
	}
}

func TestMembersComeAndGo(t *testing.T) {
	c := newCluster(t)
	a, b := c.member("a"), c.member("b")
	changes := a.Changes()
	if a.Owns("shop/model") {
		t.Error("a replica owns something before it knows the others")
	}
	a.look(t.Context())
	c.want(a, "alone", "a")
	<-changes
	b.look(t.Context())
	a.look(t.Context())
	c.want(a, "a second one", "a", "b")
	c.want(b, "a second one", "a", "b")
	if a.Owns("shop/model") == b.Owns("shop/model") {
		t.Error("both or none of two replicas owns a key")
	}
	<-changes

	// b stops renewing. a renews as usual.
	for range 2 {
		c.clock.Step(5 * time.Second)
		a.look(t.Context())
		c.want(a, "b is late", "a", "b")
	}
	c.clock.Step(5 * time.Second)
	a.look(t.Context())
	c.want(a, "b has gone", "a")
	<-changes
	if !a.Owns("shop/model") || !a.Owns("shop/other") {
		t.Error("the last replica does not own everything")
	}
	b.look(t.Context())
	a.look(t.Context())
	c.want(a, "b is back", "a", "b")
}

func TestAMemberLeaves(t *testing.T) {
	c := newCluster(t)
	a, b := c.member("a"), c.member("b")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Start(ctx) }()
	for b.Members() == nil {
		time.Sleep(time.Millisecond)
	}
	a.look(t.Context())
	c.want(a, "both run", "a", "b")
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	a.look(t.Context())
	c.want(a, "b has ended", "a")
}

// The clock of a replica may be off: only the change of a renewal counts.
func TestClocksDiffer(t *testing.T) {
	for _, off := range []time.Duration{-time.Minute, time.Minute, time.Hour} {
		c := newCluster(t)
		a, b := c.member("a"), c.member("b")
		theirs := clocktesting.NewFakeClock(origin.Add(off))
		b.opts.Clock = theirs
		for range 10 {
			b.look(t.Context())
			a.look(t.Context())
			c.want(a, "clocks differ by "+off.String(), "a", "b")
			c.clock.Step(5 * time.Second)
			theirs.Step(5 * time.Second)
		}
		for range 3 {
			a.look(t.Context())
			c.clock.Step(5 * time.Second)
		}
		a.look(t.Context())
		c.want(a, "b has gone, its clock was off by "+off.String(), "a")
	}
}

func TestLeasesThatWereLeftBehind(t *testing.T) {
	c := newCluster(t)
	old := metav1.NewMicroTime(origin.Add(-time.Hour))
	for _, l := range []coordinationv1.Lease{
		{
			ObjectMeta: metav1.ObjectMeta{Name: "old", Labels: map[string]string{roleLabel: role}},
			Spec:       coordinationv1.LeaseSpec{RenewTime: &old},
		},
		{ObjectMeta: metav1.ObjectMeta{Name: "without-time", Labels: map[string]string{roleLabel: role}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "headstart-leader"}, Spec: coordinationv1.LeaseSpec{RenewTime: &old}},
	} {
		if _, err := c.leases().Create(t.Context(), &l, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	a := c.member("a")
	a.look(t.Context())
	c.want(a, "others ended long ago", "a")
	list, err := c.leases().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range list.Items {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	if want := []string{"a", "headstart-leader"}; !slices.Equal(names, want) {
		t.Errorf("the leases are %v, want %v", names, want)
	}
}

// While the API server fails, the members stay as they were.
func TestErrorsChangeNothing(t *testing.T) {
	c := newCluster(t)
	a, b := c.member("a"), c.member("b")
	b.look(t.Context())
	a.look(t.Context())
	fails := true
	c.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return fails, nil, errors.New("the API server is away")
	})
	for range 20 {
		c.clock.Step(5 * time.Second)
		a.look(t.Context())
	}
	c.want(a, "the API server is away", "a", "b")
	fails = false
	a.look(t.Context())
	c.want(a, "it is back, and b had no time to renew", "a", "b")
	c.clock.Step(15 * time.Second)
	a.look(t.Context())
	c.want(a, "b does not come back", "a")
}

func TestOptions(t *testing.T) {
	valid := DefaultOptions()
	valid.Leases, valid.Identity = newCluster(t).leases(), "a"
	for reason, change := range map[string]func(*Options){
		"no leases":                func(o *Options) { o.Leases = nil },
		"no identity":              func(o *Options) { o.Identity = "" },
		"renews too late":          func(o *Options) { o.Renew = o.Duration },
		"renews never":             func(o *Options) { o.Renew = 0 },
		"removes those that renew": func(o *Options) { o.Remove = time.Second },
		"no clock":                 func(o *Options) { o.Clock = nil },
	} {
		o := valid
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", reason)
		}
	}
	if _, err := New(valid); err != nil {
		t.Error(err)
	}
}

// Somebody deletes the Lease of a replica: it makes a new one.
func TestALeaseIsDeleted(t *testing.T) {
	c := newCluster(t)
	a, b := c.member("a"), c.member("b")
	a.look(t.Context())
	if err := c.leases().Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	a.look(t.Context())
	c.want(a, "its lease is gone", "a")
	a.look(t.Context())
	b.look(t.Context())
	c.want(b, "the lease is there again", "a", "b")
}

// notes is what a replica tells the others, and what it was told.
type notes struct {
	own   string
	taken []string
}

func (n *notes) Note() string { return n.own }

func (n *notes) Take(note string, since time.Time) error {
	n.taken = append(n.taken, fmt.Sprintf("%s after %s", note, since.Sub(origin)))
	return nil
}

// A replica hears the note of another when that has renewed its Lease, and knows since when that can
// have been made, whatever the other's clock says.
func TestNotes(t *testing.T) {
	c := newCluster(t)
	told := &notes{}
	a, b := c.member("a"), c.member("b")
	a.opts.Notes, b.opts.Notes = told, &notes{own: "one"}
	b.opts.Clock = clocktesting.NewFakeClock(origin.Add(-4 * time.Minute)) // is wrong
	tick := func(of *Membership, d time.Duration) {
		of.opts.Clock.(*clocktesting.FakeClock).Step(d)
		of.look(t.Context())
	}
	want := func(what string, notes ...string) {
		t.Helper()
		if !slices.Equal(told.taken, notes) {
			t.Errorf("%s: %q, want %q", what, told.taken, notes)
		}
		told.taken = nil
	}
	tick(b, time.Second)
	tick(a, 0)
	want("at the first look nothing is known about when it was made")
	tick(a, 5*time.Second)
	want("the Lease was not renewed since")
	tick(b, time.Second)
	tick(a, 5*time.Second)
	want("renewed after the look at 5 s, and written within 5 s", "one after 0s")
	b.opts.Notes = &notes{own: "two"}
	tick(b, time.Second)
	tick(a, 20*time.Second)
	want("a replica that was late knows no better", "two after 5s")
	b.opts.Notes = &notes{}
	tick(b, time.Second)
	tick(a, 5*time.Second)
	want("nothing more", " after 25s")
}
