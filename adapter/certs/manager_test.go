package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestFirstStart(t *testing.T) {
	s := newTestCluster(t)
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
	want := []string{
		dnsName, "headstart.headstart-system", "headstart", "headstart.headstart-system.svc.cluster.local", "localhost",
	}
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

func TestErrorsKeepServing(t *testing.T) {
	s := newTestCluster(t)
	reg := prometheus.NewRegistry()
	m := s.replica(func(o *Options) { o.Registerer = reg })
	s.sync(m)
	before, _ := m.CurrentCertKeyContent()
	s.advance(40 * time.Hour) // renewal is due
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
		t.Error("the certificate in use was dropped")
	}
	if n := testutil.ToFloat64(m.instruments.failures); n != 2 {
		t.Errorf("%v failures counted, want 2", n)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

// bell is a listener that counts its notifications.
type bell chan struct{}

func (b bell) Enqueue() { b <- struct{}{} }

func TestRunFollowsTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestCluster(t)
		a, b := s.replica(), s.replica()
		s.sync(a, b)
		rung := make(bell, 8)
		b.AddListener(rung)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait() // for the first sync of b; it must not run beside that of a
		s.advance(40 * time.Hour)
		s.sync(a)
		time.Sleep(13 * time.Minute) // an interval and its jitter
		synctest.Wait()
		certA, _ := a.CurrentCertKeyContent()
		certB, _ := b.CurrentCertKeyContent()
		if !bytes.Equal(certA, certB) || len(rung) != 1 {
			t.Errorf("the other replica uses the renewed certificate: %t, and notified its server %d times, want once",
				bytes.Equal(certA, certB), len(rung))
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
		"good":          {func(*Options) {}, ""},
		"no secret":     {func(o *Options) { o.Secret = "" }, "Secret"},
		"short overlap": {func(o *Options) { o.Overlap = time.Minute }, "two intervals"},
		"short":         {func(o *Options) { o.Validity = 2 * time.Hour }, "six overlaps"},
		"short CA":      {func(o *Options) { o.CAValidity = day }, "of the CA"},
		"no interval":   {func(o *Options) { o.Interval = -1 }, "two intervals"},
		"all defaults":  {func(o *Options) { o.Overlap = 0 }, ""},
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
	if _, err := (state{cas: []*x509.Certificate{ca.cert}, signing: ca, serving: leaf}).writeTo(&secret); err != nil {
		f.Fatal(err)
	}
	f.Add(secret.Data[caBundleKey], secret.Data[caKeyKey], leaf.certPEM, leaf.keyPEM)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte(nil), leaf.certPEM, leaf.keyPEM)
	r := policy{names: []string{dnsName}, caValidity: day, validity: day, overlap: time.Hour}
	f.Fuzz(func(t *testing.T, bundle, key, cert, certKey []byte) {
		s := r.parse(&corev1.Secret{Data: map[string][]byte{
			caBundleKey: bundle, caKeyKey: key, corev1.TLSCertKey: cert, corev1.TLSPrivateKeyKey: certKey,
		}}, began)
		next, _, err := r.advance(s, began, true)
		if err != nil || next.serving == nil || !next.serving.trusted(next.cas, r.names, began) {
			t.Errorf("there is no certificate to serve: %v", err)
		}
	})
}
