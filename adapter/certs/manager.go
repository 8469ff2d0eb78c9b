package certs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// attempts is how often a step is taken again after another replica was faster.
	attempts = 5
	// retryAfter is how soon to try again after an error, where the interval is longer.
	retryAfter = 5 * time.Second
)

// Manager keeps the certificate, and hands it to the server. Its methods may be called from many goroutines.
type Manager struct {
	client      client.Client
	options     Options
	rules       rules
	instruments *instruments

	syncing sync.Mutex // one Sync at a time

	mu        sync.RWMutex
	inUse     state
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = (*Manager)(nil)

// New returns a Manager that has no certificate until Sync was called. The client should read from the API server, not from a
// cache: it reads one Secret and a few APIServices, by name, once per interval.
func New(c client.Client, opts Options) (*Manager, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("certificate options: %w", err)
	}
	inst, err := newInstruments(opts.Registerer)
	if err != nil {
		return nil, err
	}
	return &Manager{client: c, options: opts, rules: opts.rules(), instruments: inst}, nil
}

// Run keeps the certificate until ctx is done. It returns an error only where ctx does.
func (m *Manager) Run(ctx context.Context) error {
	for {
		pause := m.options.Interval
		if err := m.Sync(ctx); err != nil && ctx.Err() == nil {
			pause = min(pause, retryAfter)
			m.options.Logger.Error("cannot keep the serving certificate", "error", err, "retry_in", pause)
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// jitter spreads replicas over up to a fifth more time.
func jitter(d time.Duration) time.Duration {
	return d + rand.N(d/5+1)
}

// Sync takes every step that is due: it reads the Secret, makes or rotates what it has to, tells the APIServices, and puts the
// certificate into use. An error leaves the certificate that is in use in use.
func (m *Manager) Sync(ctx context.Context) error {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	err := m.sync(ctx)
	m.instruments.synced(m.current(), err)
	return err
}

func (m *Manager) sync(ctx context.Context) error {
	var err error
	for range attempts {
		if err = m.step(ctx); !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return fmt.Errorf("other replicas were faster %d times: %w", attempts, err)
}

// step is one pass. A conflict means that another replica took it, and that its result is to be read.
func (m *Manager) step(ctx context.Context) error {
	now := m.options.Clock.Now()
	secret, err := m.read(ctx)
	if err != nil {
		return err
	}
	found := m.rules.rescue(m.rules.parse(secret, now), m.current(), now)
	// Clients hear of a CA before anybody serves with it, and of what others wrote before we use it.
	announceErr := m.announce(ctx, found.bundle())
	next, steps, err := m.rules.advance(found, now, announceErr == nil)
	if err != nil {
		return err
	}
	changed, err := next.store(secret)
	if err != nil {
		return err
	}
	if !changed {
		m.use(next)
		return announceErr
	}
	if err := m.write(ctx, secret); err != nil {
		if found.serving != nil {
			m.use(found) // it is what everybody else serves
		}
		return err
	}
	for _, s := range steps {
		m.options.Logger.Info("rotated certificates", "step", s, "secret", m.options.Namespace+"/"+m.options.Secret,
			"serving_until", next.serving.leaf.NotAfter)
	}
	announceErr = m.announce(ctx, next.bundle())
	m.use(next)
	return announceErr
}

// read returns the Secret; without a UID where there is none yet.
func (m *Manager) read(ctx context.Context) (*corev1.Secret, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: m.options.Namespace, Name: m.options.Secret}
	err := m.client.Get(ctx, key, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
			Type:       corev1.SecretTypeTLS,
		}, nil
	case err != nil:
		return nil, fmt.Errorf("read Secret %s: %w", key, err)
	}
	return &secret, nil
}

// write creates the Secret or replaces exactly the version that was read.
func (m *Manager) write(ctx context.Context, secret *corev1.Secret) error {
	var err error
	if secret.ResourceVersion == "" {
		if err = m.client.Create(ctx, secret); apierrors.IsForbidden(err) {
			return fmt.Errorf("make Secret %s/%s, which is gone (apply the manifests again, it is part of them): %w",
				secret.Namespace, secret.Name, err)
		}
	} else {
		err = m.client.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("write Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}

func (m *Manager) current() state {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.inUse
}

// use puts a state into use and tells the server.
func (m *Manager) use(s state) {
	m.mu.Lock()
	before := m.inUse.serving
	m.inUse = s
	listeners := m.listeners
	m.mu.Unlock()
	if before != nil && s.serving != nil && sameCert(before.leaf, s.serving.leaf) {
		return
	}
	for _, l := range listeners {
		l.Enqueue()
	}
}

// Ready is an error until there is a certificate.
func (m *Manager) Ready(*http.Request) error {
	if m.current().serving == nil {
		return errors.New("there is no serving certificate yet")
	}
	return nil
}

// Name says what this is in the server's log.
func (m *Manager) Name() string { return "secret/" + m.options.Namespace + "/" + m.options.Secret }

// CurrentCertKeyContent is the certificate in use and its key, as PEM.
func (m *Manager) CurrentCertKeyContent() (certPEM, keyPEM []byte) {
	s := m.current().serving
	if s == nil {
		return nil, nil
	}
	return s.certPEM, s.keyPEM
}

// AddListener has l told when the certificate changes.
func (m *Manager) AddListener(l dynamiccertificates.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, l)
}
