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
	// maxAttempts bounds the attempts of one sync. An attempt fails when another replica has written
	// the Secret since it was read.
	maxAttempts = 5
	// maxRetryDelay is the longest delay after an error. A shorter Interval is used instead.
	maxRetryDelay = 5 * time.Second
)

// Manager rotates the certificate and gives it to the server. It is a
// [dynamiccertificates.CertKeyContentProvider]. Its methods are safe for concurrent use.
type Manager struct {
	client      client.Client
	options     Options
	policy      policy
	instruments *instruments

	syncing sync.Mutex // one Sync at a time

	mu        sync.RWMutex // guards the fields below
	inUse     state        // what the server serves with
	listeners []dynamiccertificates.Listener
}

var _ dynamiccertificates.CertKeyContentProvider = (*Manager)(nil)

// New returns a Manager. It has no certificate before the first Sync. The client should read from
// the API server and not from a cache: in each interval it reads only one Secret, and a few
// APIServices and ConfigMaps by name.
func New(c client.Client, opts Options) (*Manager, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("certificate options: %w", err)
	}
	inst, err := newInstruments(opts.Registerer)
	if err != nil {
		return nil, err
	}
	return &Manager{client: c, options: opts, policy: opts.policy(), instruments: inst}, nil
}

// Run calls Sync once per interval until ctx is done, and sooner after an error. It always returns
// nil.
func (m *Manager) Run(ctx context.Context) error {
	for {
		pause := m.options.Interval
		if err := m.Sync(ctx); err != nil && ctx.Err() == nil {
			pause = min(pause, maxRetryDelay)
			m.options.Logger.Error("cannot sync the serving certificate", "error", err, "retry_in", pause)
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

// jitter returns d plus a random part of up to a fifth of d, so that replicas do not sync at the
// same time.
func jitter(d time.Duration) time.Duration {
	return d + rand.N(d/5+1)
}

// Sync reads the Secret, and issues or rotates what is due. It writes the CA bundle into the
// APIServices and ConfigMaps, and starts to use the certificate. After an error the server keeps
// the certificate that it has.
func (m *Manager) Sync(ctx context.Context) error {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	err := m.sync(ctx)
	m.instruments.observe(m.current(), err)
	return err
}

func (m *Manager) sync(ctx context.Context) error {
	var err error
	for range maxAttempts {
		if err = m.syncOnce(ctx); !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return fmt.Errorf("other replicas wrote first %d times: %w", maxAttempts, err)
}

// syncOnce is one attempt of a sync. A conflict means that another replica has written the Secret
// since it was read. Then the caller tries again.
func (m *Manager) syncOnce(ctx context.Context) error {
	now := m.options.Clock.Now()
	secret, err := m.read(ctx)
	if err != nil {
		return err
	}
	stored := m.policy.parse(secret, now)
	before := m.policy.keepServing(stored, m.current(), now)
	// Clients must know a CA before a replica serves with it. So the bundle is injected first, also
	// when another replica issued the CA.
	injectErr := m.injectBundle(ctx, before.bundle())
	next, steps, err := m.policy.advance(before, now, injectErr == nil)
	if err != nil {
		return err
	}
	changed, err := next.writeTo(secret)
	if err != nil {
		return err
	}
	if !changed {
		m.use(next)
		return injectErr
	}
	if err := m.write(ctx, secret); err != nil {
		if before.serving != nil {
			m.use(before) // as the other replicas do, which see the same Secret
		}
		return err
	}
	for _, s := range steps {
		m.options.Logger.Info("rotated certificates", "step", s, "secret", m.options.Namespace+"/"+m.options.Secret,
			"serving_until", next.serving.leaf.NotAfter)
	}
	injectErr = m.injectBundle(ctx, next.bundle())
	m.use(next)
	return injectErr
}

// read returns the Secret. When there is none, it returns a new one without a resource version.
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

// write creates the Secret, or updates the version that was read.
func (m *Manager) write(ctx context.Context, secret *corev1.Secret) error {
	var err error
	if secret.ResourceVersion == "" {
		if err = m.client.Create(ctx, secret); apierrors.IsForbidden(err) {
			return fmt.Errorf("create Secret %s/%s, which was deleted "+
				"(the manifests contain it: apply them again): %w", secret.Namespace, secret.Name, err)
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

// use makes s the state in use. It notifies the server when the certificate has changed.
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

// Ready is a check for /readyz. It returns an error until there is a certificate.
func (m *Manager) Ready(*http.Request) error {
	if m.current().serving == nil {
		return errors.New("there is no serving certificate yet")
	}
	return nil
}

// Name implements [dynamiccertificates.CertKeyContentProvider]: the name in the server's log.
func (m *Manager) Name() string { return "secret/" + m.options.Namespace + "/" + m.options.Secret }

// CurrentCertKeyContent implements [dynamiccertificates.CertKeyContentProvider]: the certificate in
// use and its key, as PEM; nil when there is none.
func (m *Manager) CurrentCertKeyContent() (certPEM, keyPEM []byte) {
	s := m.current().serving
	if s == nil {
		return nil, nil
	}
	return s.certPEM, s.keyPEM
}

// AddListener implements [dynamiccertificates.Notifier]: l is notified when the certificate
// changes.
func (m *Manager) AddListener(l dynamiccertificates.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, l)
}
