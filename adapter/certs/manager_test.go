package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const (
	oursName   = "v1beta1.external.metrics.k8s.io"
	theirsName = "v1beta1.custom.metrics.k8s.io"
	namespace  = "headstart-system"
	service    = "headstart"
	secretName = "headstart-tls"
	dnsName    = service + "." + namespace + ".svc"
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// site is a cluster with a clock, and as many replicas as asked for.
type site struct {
	t      *testing.T
	clock  *clocktesting.FakePassiveClock
	client client.WithWatch
	hooks  interceptor.Funcs
	writes int

	verified map[string]time.Time
}

func apiService(name, namespace, service string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": name},
		"spec": map[string]any{
			"group":                 strings.SplitN(name, ".", 2)[1],
			"insecureSkipTLSVerify": true,
			"service":               map[string]any{"namespace": namespace, "name": service},
		},
	}}
}

func newSite(t *testing.T) *site {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, clock: clocktesting.NewFakePassiveClock(began), verified: map[string]time.Time{}}
	base := clientfake.NewClientBuilder().WithScheme(scheme).
		WithObjects(apiService(oursName, namespace, service), apiService(theirsName, "monitoring", "prometheus-adapter")).Build()
	s.client = interceptor.NewClient(base, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if s.hooks.Get != nil {
				return s.hooks.Get(ctx, c, key, obj, opts...)
			}
			return c.Get(ctx, key, obj, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			s.writes++
			if s.hooks.Create != nil {
				return s.hooks.Create(ctx, c, obj, opts...)
			}
			return c.Create(ctx, obj, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			s.writes++
			if s.hooks.Update != nil {
				return s.hooks.Update(ctx, c, obj, opts...)
			}
			return c.Update(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			s.writes++
			if s.hooks.Patch != nil {
				return s.hooks.Patch(ctx, c, obj, patch, opts...)
			}
			return c.Patch(ctx, obj, patch, opts...)
		},
	})
	return s
}

func (s *site) replica(change ...func(*Options)) *Manager {
	s.t.Helper()
	opts := Options{
		Namespace: namespace, Service: service, Secret: secretName,
		APIServices: []string{oursName, theirsName, "v1.not.installed"},
		CAValidity:  4 * day, Validity: 2 * day, Overlap: 2 * time.Hour, Interval: 10 * time.Minute,
		Logger: slog.New(slog.DiscardHandler), Clock: s.clock,
	}
	for _, f := range change {
		f(&opts)
	}
	m, err := New(s.client, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *site) sync(replicas ...*Manager) {
	s.t.Helper()
	for _, m := range replicas {
		if err := m.Sync(s.t.Context()); err != nil {
			s.t.Fatalf("%s: %v", s.clock.Now().Sub(began), err)
		}
	}
}

func (s *site) pass(d time.Duration) { s.clock.SetTime(s.clock.Now().Add(d)) }

// bundle is what clients trust now.
func (s *site) bundle(name string) []byte {
	s.t.Helper()
	var u unstructured.Unstructured
	u.SetGroupVersionKind(apiServiceKind)
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Name: name}, &u); err != nil {
		s.t.Fatal(err)
	}
	encoded, _, _ := unstructured.NestedString(u.Object, "spec", "caBundle")
	if _, insecure, _ := unstructured.NestedBool(u.Object, "spec", "insecureSkipTLSVerify"); insecure && encoded != "" {
		s.t.Error("a bundle beside insecureSkipTLSVerify is refused by the API server")
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		s.t.Fatal(err)
	}
	return decoded
}

func (s *site) secret() *corev1.Secret {
	s.t.Helper()
	var secret corev1.Secret
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: secretName}, &secret); err != nil {
		s.t.Fatal(err)
	}
	return &secret
}

// accepted is nil if a client that trusts bundle accepts what the replica serves. Signatures are checked once.
func (s *site) accepted(m *Manager, bundle []byte) error {
	certPEM, keyPEM := m.CurrentCertKeyContent()
	key := string(certPEM) + string(keyPEM) + string(bundle)
	until, ok := s.verified[key]
	if !ok {
		if served := parseServing(certPEM, keyPEM, parseCAs(bundle), []string{dnsName}, s.clock.Now()); served != nil {
			until = served.leaf.NotAfter
		}
		s.verified[key] = until
	}
	if !s.clock.Now().Before(until) {
		return errors.New("the API server refuses what the replica serves")
	}
	return nil
}

func TestFirstStart(t *testing.T) {
	s := newSite(t)
	m := s.replica(func(o *Options) { o.ExtraNames = []string{"localhost", "127.0.0.1"} })
	if m.Ready(nil) == nil {
		t.Error("ready without a certificate")
	}
	s.sync(m)
	if err := m.Ready(nil); err != nil {
		t.Error(err)
	}
	if err := s.accepted(m, s.bundle(oursName)); err != nil {
		t.Error(err)
	}
	leaf := m.current().serving.leaf
	want := []string{dnsName, "headstart.headstart-system", "headstart", "headstart.headstart-system.svc.cluster.local", "localhost"}
	if diff := cmp.Diff(want, leaf.DNSNames); diff != "" || len(leaf.IPAddresses) != 1 {
		t.Errorf("names (-want +got):\n%s and %v", diff, leaf.IPAddresses)
	}
	if got := s.bundle(theirsName); len(got) != 0 {
		t.Error("the APIService of another Service was touched")
	}
	if got := s.secret(); got.Type != corev1.SecretTypeTLS || len(got.Data[caKeyKey]) == 0 {
		t.Errorf("Secret has type %s and keys %v", got.Type, got.Data)
	}
	if pool := parseCAs(s.bundle(oursName)); len(pool) != 1 || bytes.Contains(s.bundle(oursName), []byte("PRIVATE")) {
		t.Errorf("the first bundle has %d CAs, want 1, and no key", len(pool))
	}
	writes := s.writes
	s.sync(m, s.replica(func(o *Options) { o.ExtraNames = []string{"localhost", "127.0.0.1"} }))
	if s.writes != writes {
		t.Errorf("%d writes where nothing was due", s.writes-writes)
	}
}

// Over several generations of CAs, a client whose bundle is old by some time accepts what a replica serves that is behind by as
// much, at every moment; and the overlap ends.
func TestRotationFailsNoRequest(t *testing.T) {
	s := newSite(t)
	a, b := s.replica(), s.replica()
	s.sync(a, b)
	const step, lag = 10 * time.Minute, 4 // steps that clients and replica b may be behind
	var bundles [][]byte
	authorities, leaves, mostTrusted := map[string]bool{}, map[string]bool{}, 0
	for i := range int(12 * day / step) {
		s.pass(step)
		s.sync(a)
		if i%lag == 0 {
			s.sync(b)
		}
		bundles = append(bundles, s.bundle(oursName))
		if len(bundles) > lag {
			bundles = bundles[1:]
		}
		for age, bundle := range bundles {
			if err := errors.Join(s.accepted(a, bundle), s.accepted(b, bundle)); err != nil {
				t.Fatalf("after %s, client %d steps behind: %v", s.clock.Now().Sub(began), len(bundles)-1-age, err)
			}
		}
		trusted := parseCAs(bundles[len(bundles)-1])
		mostTrusted = max(mostTrusted, len(trusted))
		authorities[trusted[0].SerialNumber.String()] = true
		leaves[a.current().serving.leaf.SerialNumber.String()] = true
	}
	if len(authorities) < 4 || len(leaves) < 7 {
		t.Errorf("12 days at CAs of 4 days and certificates of 2 saw %d CAs and %d certificates", len(authorities), len(leaves))
	}
	if mostTrusted != 2 {
		t.Errorf("the bundle had %d CAs at most, want 2 while they overlap", mostTrusted)
	}
	for range int(6 * time.Hour / step) {
		s.pass(step)
		s.sync(a, b)
	}
	if n := len(parseCAs(s.bundle(oursName))); n != 1 {
		t.Errorf("%d CAs are trusted after the overlap, want 1", n)
	}
}

// Both replicas see at once that there is nothing, or that something is due: one writes, the other takes that over.
func TestReplicasRace(t *testing.T) {
	cases := map[string]struct {
		reason string
		before func(*site, *Manager, *Manager)
	}{
		"first start":         {"both create", func(*site, *Manager, *Manager) {}},
		"renewal":             {"both update", func(s *site, a, b *Manager) { s.sync(a, b); s.pass(40 * time.Hour) }},
		"new CA":              {"both publish", func(s *site, a, b *Manager) { s.sync(a, b); s.pass(70 * time.Hour) }},
		"after a long outage": {"both start over", func(s *site, a, b *Manager) { s.sync(a, b); s.pass(400 * day) }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			a, b := s.replica(), s.replica()
			tc.before(s, a, b)
			raced := 0
			s.hooks.Create = func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				if raced++; raced == 1 {
					s.sync(b)
				}
				return c.Create(ctx, obj, opts...)
			}
			s.hooks.Update = func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				if raced++; raced == 1 {
					s.sync(b)
				}
				return c.Update(ctx, obj, opts...)
			}
			s.sync(a)
			if raced < 2 {
				t.Fatalf("%s: only %d writes, so there was no race", tc.reason, raced)
			}
			certA, keyA := a.CurrentCertKeyContent()
			certB, keyB := b.CurrentCertKeyContent()
			if !bytes.Equal(certA, certB) || !bytes.Equal(keyA, keyB) {
				t.Errorf("%s: the replicas serve different certificates", tc.reason)
			}
			if err := errors.Join(s.accepted(a, s.bundle(oursName)), s.accepted(b, s.bundle(oursName))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDamagedSecret(t *testing.T) {
	set := func(key string, value []byte) func(*corev1.Secret) {
		return func(s *corev1.Secret) { s.Data[key] = value }
	}
	cases := map[string]func(*corev1.Secret){
		"no data":        func(s *corev1.Secret) { s.Data = nil },
		"no bundle":      set(caBundleKey, nil),
		"garbage bundle": set(caBundleKey, []byte("garbage")),
		"no CA key":      set(caKeyKey, nil),
		"garbage CA key": set(caKeyKey, []byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")),
		"other CA key":   func(s *corev1.Secret) { s.Data[caKeyKey] = s.Data[corev1.TLSPrivateKeyKey] },
		"no cert":        set(corev1.TLSCertKey, nil),
		"garbage cert":   set(corev1.TLSCertKey, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
		"other key":      func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = s.Data[caKeyKey] },
		"CA as cert": func(s *corev1.Secret) {
			s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = s.Data[caBundleKey], s.Data[caKeyKey]
		},
		"foreign and key": func(s *corev1.Secret) { s.Data["note"] = []byte("keep"); s.Data[caKeyKey] = nil },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			running := s.replica()
			s.sync(running)
			secret := s.secret()
			damage(secret)
			_, note := secret.Data["note"]
			if err := s.client.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			old := s.bundle(oursName)
			for range 40 { // more than two overlaps
				s.sync(running)
				if err := s.accepted(running, s.bundle(oursName)); err != nil {
					t.Fatalf("after %s: %v", s.clock.Now().Sub(began), err)
				}
				if s.clock.Now().Sub(began) < 2*time.Hour {
					if err := s.accepted(running, old); err != nil {
						t.Fatalf("after %s, a client with the bundle of before: %v", s.clock.Now().Sub(began), err)
					}
				}
				s.pass(10 * time.Minute)
			}
			fresh := s.replica() // one that starts finds everything in order
			writes := s.writes
			s.sync(fresh)
			if s.writes != writes || s.accepted(fresh, s.bundle(oursName)) != nil {
				t.Error("the Secret was not mended")
			}
			if n := len(parseCAs(s.bundle(oursName))); n != 1 {
				t.Errorf("%d CAs are trusted in the end, want 1", n)
			}
			if _, kept := s.secret().Data["note"]; kept != note {
				t.Error("data that is not ours was removed")
			}
		})
	}
}

// A damaged Secret with no replica that remembers better: everything is made anew, at once.
func TestDamagedSecretAtStart(t *testing.T) {
	s := newSite(t)
	s.sync(s.replica())
	secret := s.secret()
	for key := range secret.Data {
		secret.Data[key] = []byte("garbage")
	}
	if err := s.client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	m := s.replica()
	s.sync(m)
	if err := s.accepted(m, s.bundle(oursName)); err != nil {
		t.Error(err)
	}
}

// Deleting the Secret is how a person asks for a new CA: it comes without a failed request, and the old one goes.
func TestDeletedSecret(t *testing.T) {
	s := newSite(t)
	a, b := s.replica(), s.replica()
	s.sync(a, b)
	old := parseCAs(s.bundle(oursName))[0]
	if err := s.client.Delete(t.Context(), s.secret()); err != nil {
		t.Fatal(err)
	}
	sawBoth := false
	for range 40 {
		s.pass(10 * time.Minute)
		s.sync(a)
		if err := errors.Join(s.accepted(a, s.bundle(oursName)), s.accepted(b, s.bundle(oursName))); err != nil {
			t.Fatalf("after %s: %v", s.clock.Now().Sub(began), err)
		}
		s.sync(b)
		sawBoth = sawBoth || len(parseCAs(s.bundle(oursName))) == 2
	}
	now := parseCAs(s.bundle(oursName))
	if len(now) != 1 || sameCert(now[0], old) || !sawBoth {
		t.Errorf("CAs in the end: %d, of which the first is the old one: %t; overlapped: %t", len(now), sameCert(now[0], old), sawBoth)
	}
}

func TestExpired(t *testing.T) {
	s := newSite(t)
	m := s.replica()
	s.sync(m)
	old := parseCAs(s.bundle(oursName))[0]
	s.pass(400 * day)
	s.sync(m)
	if err := s.accepted(m, s.bundle(oursName)); err != nil {
		t.Error(err)
	}
	if cas := parseCAs(s.bundle(oursName)); len(cas) != 1 || sameCert(cas[0], old) {
		t.Errorf("the bundle has %d CAs, and the expired one: %t", len(cas), sameCert(cas[0], old))
	}
}

func TestNewName(t *testing.T) {
	s := newSite(t)
	s.sync(s.replica())
	ca := s.bundle(oursName)
	m := s.replica(func(o *Options) { o.ExtraNames = []string{"adapter.example.com"} })
	s.sync(m)
	if err := m.current().serving.leaf.VerifyHostname("adapter.example.com"); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(ca, s.bundle(oursName)) {
		t.Error("a new name changed the CA")
	}
}

// A CA that clients could not be told of never signs, whatever the time.
func TestUnannouncedIsNotUsed(t *testing.T) {
	s := newSite(t)
	m := s.replica()
	s.sync(m)
	told := s.bundle(oursName)
	s.hooks.Patch = func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return errors.New("forbidden")
	}
	for s.clock.Now().Sub(began) < 3*day { // a new CA is due after 2 days and 16 hours
		s.pass(30 * time.Minute)
		_ = m.Sync(t.Context())
		if err := s.accepted(m, told); err != nil {
			t.Fatalf("after %s: %v", s.clock.Now().Sub(began), err)
		}
	}
	if err := m.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), oursName) {
		t.Errorf("the error %v does not name the APIService", err)
	}
	s.hooks.Patch = nil
	s.sync(m)
	s.sync(m)
	if cas := parseCAs(s.bundle(oursName)); len(cas) != 2 {
		t.Errorf("%d CAs are announced once that works again, want 2", len(cas))
	}
}

func TestErrorsKeepServing(t *testing.T) {
	s := newSite(t)
	reg := prometheus.NewRegistry()
	m := s.replica(func(o *Options) { o.Registerer = reg })
	s.sync(m)
	before, _ := m.CurrentCertKeyContent()
	s.pass(40 * time.Hour) // renewal is due
	s.hooks.Update = func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		return errors.New("etcd is read only")
	}
	if err := m.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), secretName) {
		t.Errorf("the error %v does not name the Secret", err)
	}
	s.hooks.Get = func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return errors.New("no route to host")
	}
	if err := m.Sync(t.Context()); err == nil {
		t.Error("no error although nothing can be read")
	}
	if after, _ := m.CurrentCertKeyContent(); !bytes.Equal(before, after) {
		t.Error("the certificate in use was given up")
	}
	if n := testutil.ToFloat64(m.instruments.failures); n != 2 {
		t.Errorf("%v failures counted, want 2", n)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

type bell chan struct{}

func (b bell) Enqueue() { b <- struct{}{} }

func TestRunFollowsTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		a, b := s.replica(), s.replica()
		s.sync(a, b)
		rung := make(bell, 8)
		b.AddListener(rung)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait() // it has taken its first steps, and would else take the next ones along with a's
		s.pass(40 * time.Hour)
		s.sync(a)
		time.Sleep(13 * time.Minute) // an interval and its jitter
		synctest.Wait()
		certA, _ := a.CurrentCertKeyContent()
		certB, _ := b.CurrentCertKeyContent()
		if !bytes.Equal(certA, certB) || len(rung) != 1 {
			t.Errorf("the other replica took the renewal over: %t, and told its server %d times", bytes.Equal(certA, certB), len(rung))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestOptions(t *testing.T) {
	good := Options{Namespace: "a", Service: "b", Secret: "c"}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"good":         {func(*Options) {}, ""},
		"no secret":    {func(o *Options) { o.Secret = "" }, "Secret"},
		"hasty":        {func(o *Options) { o.Overlap = time.Minute }, "two intervals"},
		"short":        {func(o *Options) { o.Validity = 2 * time.Hour }, "six times"},
		"short CA":     {func(o *Options) { o.CAValidity = day }, "of the CA"},
		"no interval":  {func(o *Options) { o.Interval = -1 }, "two intervals"},
		"all defaults": {func(o *Options) { o.Overlap = 0 }, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good
			tc.change(&o)
			_, err := New(nil, o)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	ca, err := newAuthority(began, day)
	if err != nil {
		f.Fatal(err)
	}
	leaf, err := ca.issue(began, day, []string{dnsName})
	if err != nil {
		f.Fatal(err)
	}
	var secret corev1.Secret
	if _, err := (state{cas: []*x509.Certificate{ca.cert}, signing: ca, serving: leaf}).store(&secret); err != nil {
		f.Fatal(err)
	}
	f.Add(secret.Data[caBundleKey], secret.Data[caKeyKey], leaf.certPEM, leaf.keyPEM)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte(nil), leaf.certPEM, leaf.keyPEM)
	r := rules{names: []string{dnsName}, caValidity: day, validity: day, overlap: time.Hour}
	f.Fuzz(func(t *testing.T, bundle, key, cert, certKey []byte) {
		s := r.parse(&corev1.Secret{Data: map[string][]byte{
			caBundleKey: bundle, caKeyKey: key, corev1.TLSCertKey: cert, corev1.TLSPrivateKeyKey: certKey,
		}}, began)
		next, _, err := r.advance(s, began, true)
		if err != nil || next.serving == nil || !next.serving.trusted(next.cas, r.names, began) {
			t.Errorf("whatever the Secret holds, there must be a certificate to serve: %v", err)
		}
	})
}
