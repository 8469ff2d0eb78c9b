package certs

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

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

// testCluster is a fake API server with a clock, and makes replicas.
type testCluster struct {
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

func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	s := &testCluster{t: t, clock: clocktesting.NewFakePassiveClock(began), verified: map[string]time.Time{}}
	base := clientfake.NewClientBuilder().WithScheme(scheme).
		WithObjects(
			apiService(oursName, namespace, service), apiService(theirsName, "monitoring", "prometheus-adapter"),
		).Build()
	s.client = interceptor.NewClient(base, interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption,
		) error {
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
		Patch: func(
			ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption,
		) error {
			s.writes++
			if s.hooks.Patch != nil {
				return s.hooks.Patch(ctx, c, obj, patch, opts...)
			}
			return c.Patch(ctx, obj, patch, opts...)
		},
	})
	return s
}

func (s *testCluster) replica(change ...func(*Options)) *Manager {
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

func (s *testCluster) sync(replicas ...*Manager) {
	s.t.Helper()
	for _, m := range replicas {
		if err := m.Sync(s.t.Context()); err != nil {
			s.t.Fatalf("%s: %v", s.clock.Now().Sub(began), err)
		}
	}
}

// advance moves the clock.
func (s *testCluster) advance(d time.Duration) { s.clock.SetTime(s.clock.Now().Add(d)) }

// bundle is the CA bundle of an APIService.
func (s *testCluster) bundle(name string) []byte {
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

func (s *testCluster) secret() *corev1.Secret {
	s.t.Helper()
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: secretName}
	if err := s.client.Get(s.t.Context(), key, &secret); err != nil {
		s.t.Fatal(err)
	}
	return &secret
}

// accepted returns nil when a client that trusts bundle accepts the replica's certificate.
// Signatures are checked once.
func (s *testCluster) accepted(m *Manager, bundle []byte) error {
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
		return errors.New("the API server refuses the certificate that the replica serves")
	}
	return nil
}
