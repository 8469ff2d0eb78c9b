package shards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// roleLabel marks the Leases of replicas.
const (
	roleLabel = "headstart.dev/role"
	role      = "replica"
)

// noteAnnotation has the note of a replica on its Lease.
const noteAnnotation = "headstart.dev/note"

// Notes are what a replica tells the others with each renewal of its Lease.
type Notes interface {
	// Note returns the note of this replica, of at most 250 KB; "" for none.
	Note() string
	// Take takes the note of another replica. It was made after the instant since, by the clock of
	// this replica.
	Take(note string, since time.Time) error
}

// Options of a Membership. Start from [DefaultOptions].
type Options struct {
	// Leases are those of the namespace that Headstart runs in.
	Leases coordinationclient.LeaseInterface
	// Identity is the name of this replica and of its Lease. No other process may ever have had it.
	Identity string
	// Duration is how long a replica stays a member that does not renew its Lease. Renew is how often
	// each renews its own and reads the others'.
	Duration, Renew time.Duration
	// Remove is how long after its last renewal the Lease of another replica is deleted.
	Remove time.Duration
	// Notes are told to the other replicas; nil tells nothing.
	Notes  Notes
	Clock  clock.WithTicker
	Logger *slog.Logger
}

// DefaultOptions returns options with the times of leader election. A replica that goes without a
// word is noticed within 20 seconds, and one that ends in order within five.
func DefaultOptions() Options {
	return Options{
		Duration: 15 * time.Second, Renew: 5 * time.Second, Remove: 5 * time.Minute,
		Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	}
}

func (o Options) validate() error {
	switch {
	case o.Leases == nil:
		return errors.New("options of shards: Leases is missing")
	case o.Identity == "":
		return errors.New("options of shards: Identity is missing")
	case o.Renew <= 0 || o.Duration < 2*o.Renew || o.Remove < o.Duration:
		return fmt.Errorf("options of shards: Renew %s, Duration %s and Remove %s: Renew must be above 0, Duration "+
			"at least twice as long, and Remove not below Duration", o.Renew, o.Duration, o.Remove)
	case o.Clock == nil || o.Logger == nil:
		return errors.New("options of shards: Clock or Logger is missing")
	}
	return nil
}

// Membership keeps this replica a member, and knows the others. It is a manager.Runnable.
type Membership struct {
	opts Options

	mu          sync.RWMutex
	members     []string // sorted; nil until they were read for the first time
	subscribers []chan event.GenericEvent

	renewals map[string]renewal    // by Lease; only Start's goroutine uses it
	lookedAt time.Time             // when the last successful look began; likewise
	failing  bool                  // likewise
	own      *coordinationv1.Lease // as it was last written; likewise
}

// renewal is the newest renewal of a Lease that this replica has seen.
type renewal struct {
	// time is the value in the Lease, by the clock of its holder. It is compared with itself only.
	time time.Time
	// seenAt is when this replica first saw it, by its own clock.
	seenAt time.Time
}

// New returns a Membership. Nothing is owned until Start has read the members.
func New(opts Options) (*Membership, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Membership{opts: opts, renewals: map[string]renewal{}}, nil
}

// Owns reports whether this replica owns a key.
func (m *Membership) Owns(key string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Owner(m.members, key) == m.opts.Identity
}

// Members returns the names of all replicas, sorted; nil before they were read.
func (m *Membership) Members() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.members)
}

// Changes returns a channel that gets an event when the members have changed. Several changes may
// come as one event.
func (m *Membership) Changes() <-chan event.GenericEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan event.GenericEvent, 1)
	m.subscribers = append(m.subscribers, c)
	return c
}

// NeedLeaderElection is false: every replica is a member.
func (m *Membership) NeedLeaderElection() bool { return false }

// Start renews and reads Leases until ctx ends. Then it deletes its own Lease, so that the others
// take over at once.
func (m *Membership) Start(ctx context.Context) error {
	tick := m.opts.Clock.NewTicker(m.opts.Renew)
	defer tick.Stop()
	for {
		m.look(ctx)
		select {
		case <-ctx.Done():
			m.leave(ctx)
			return nil
		case <-tick.C():
		}
	}
}

// look renews the own Lease and reads all. After an error the members stay as they were: while the
// API server does not answer, nobody can take over either.
func (m *Membership) look(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, m.opts.Renew)
	defer cancel()
	began := m.opts.Clock.Now()
	leases, err := m.exchange(bounded)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if !m.failing {
			m.opts.Logger.Warn("the leases of replicas cannot be read; the shards stay as they are", "error", err)
		}
		m.failing = true
		return
	}
	if m.failing {
		m.excuse()
		m.failing = false
	}
	m.setMembers(m.alive(leases))
	m.lookedAt = began
	m.prune(bounded, leases)
}

func (m *Membership) exchange(ctx context.Context) ([]coordinationv1.Lease, error) {
	if err := m.renew(ctx); err != nil {
		return nil, fmt.Errorf("renew lease %s: %w", m.opts.Identity, err)
	}
	list, err := m.opts.Leases.List(ctx, metav1.ListOptions{LabelSelector: roleLabel + "=" + role})
	if err != nil {
		return nil, fmt.Errorf("list the leases of replicas: %w", err)
	}
	return list.Items, nil
}

// renew writes the own Lease.
func (m *Membership) renew(ctx context.Context) error {
	lease := m.own.DeepCopy()
	if lease == nil {
		identity, seconds := m.opts.Identity, int32(m.opts.Duration/time.Second) //nolint:gosec // seconds to minutes
		lease = &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: identity, Labels: map[string]string{roleLabel: role}},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &identity, LeaseDurationSeconds: &seconds},
		}
	}
	now := metav1.NewMicroTime(m.opts.Clock.Now())
	lease.Spec.RenewTime = &now
	if m.opts.Notes != nil {
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, noteAnnotation, m.opts.Notes.Note())
	}
	write := m.opts.Leases.Update
	if m.own == nil {
		write = func(ctx context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
			return m.opts.Leases.Create(ctx, l, metav1.CreateOptions{})
		}
	}
	written, err := write(ctx, lease, metav1.UpdateOptions{})
	switch {
	case err == nil:
		m.own = written
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		// Somebody deleted it or wrote it, or the answer to the last write was lost. Next time it is
		// written as it is now.
		m.own, err = m.opts.Leases.Get(ctx, m.opts.Identity, metav1.GetOptions{})
		if err != nil {
			m.own = nil
		}
	}
	return client.IgnoreNotFound(err)
}

// alive returns the names of the replicas that renew their Leases, sorted, and this one's. What
// counts is when this replica saw a renewal, so the clocks of the replicas may differ.
func (m *Membership) alive(leases []coordinationv1.Lease) []string {
	now := m.opts.Clock.Now()
	members := []string{m.opts.Identity}
	known := map[string]renewal{}
	for i := range leases {
		lease := &leases[i]
		var at time.Time
		if lease.Spec.RenewTime != nil {
			at = lease.Spec.RenewTime.Time
		}
		seen, ok := m.renewals[lease.Name]
		switch {
		case !ok && at.Before(now.Add(-m.opts.Remove)):
			seen = renewal{time: at, seenAt: at} // left behind long ago
		case !ok || !seen.time.Equal(at):
			seen = renewal{time: at, seenAt: now}
			m.take(lease)
		}
		known[lease.Name] = seen
		if lease.Name != m.opts.Identity && now.Sub(seen.seenAt) < m.opts.Duration {
			members = append(members, lease.Name)
		}
	}
	m.renewals = known
	slices.Sort(members)
	return members
}

// take takes the note of a Lease that was renewed since the last look. Its holder made the note
// before it wrote the Lease, for which it had the time between two renewals.
func (m *Membership) take(lease *coordinationv1.Lease) {
	if m.opts.Notes == nil || m.lookedAt.IsZero() || lease.Name == m.opts.Identity {
		return
	}
	err := m.opts.Notes.Take(lease.Annotations[noteAnnotation], m.lookedAt.Add(-m.opts.Renew))
	if err != nil {
		m.opts.Logger.Debug("the note of a replica is left out", "lease", lease.Name, "error", err)
	}
}

// excuse counts the Leases of all members as renewed now, after a time in which nobody could renew.
func (m *Membership) excuse() {
	now := m.opts.Clock.Now()
	for _, member := range m.Members() {
		m.renewals[member] = renewal{time: m.renewals[member].time, seenAt: now}
	}
}

func (m *Membership) setMembers(members []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Equal(members, m.members) {
		return
	}
	m.opts.Logger.Info("the replicas that share the planning have changed", "replicas", members)
	m.members = members
	for _, c := range m.subscribers {
		select {
		case c <- event.GenericEvent{Object: &metav1.PartialObjectMetadata{}}:
		default: // the last event has not been read yet, and stands for this one too
		}
	}
}

// prune deletes the Leases of replicas that ended long ago without a word.
func (m *Membership) prune(ctx context.Context, leases []coordinationv1.Lease) {
	now := m.opts.Clock.Now()
	for i := range leases {
		lease := &leases[i]
		if lease.Name == m.opts.Identity || now.Sub(m.renewals[lease.Name].seenAt) < m.opts.Remove {
			continue
		}
		// Not if it was renewed since.
		only := metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion}
		err := m.opts.Leases.Delete(ctx, lease.Name, metav1.DeleteOptions{Preconditions: &only})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			m.opts.Logger.Warn("the lease of a replica that has ended is not deleted", "lease", lease.Name, "error", err)
		}
	}
}

func (m *Membership) leave(ctx context.Context) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := m.opts.Leases.Delete(bounded, m.opts.Identity, metav1.DeleteOptions{}); err != nil {
		m.opts.Logger.Info("this replica's lease was not deleted; it ends by itself", "error", err)
	}
}
