package externalscaler

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// fakeForecasts has the values of one Forecast, shop/llm, which tests change.
type fakeForecasts struct {
	mu              sync.Mutex
	value, capacity float64
	err             error
	watchers        map[chan struct{}]bool
}

func (f *fakeForecasts) set(change func(*fakeForecasts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
	for c := range f.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (f *fakeForecasts) find(namespace, name string) error {
	if namespace != "shop" || name != "llm" {
		return &adapter.Unavailable{Reason: adapter.ReasonNotFound, Message: "there is no Forecast " + namespace + "/" + name}
	}
	return nil
}

func (f *fakeForecasts) lookup(namespace, name string) (adapter.Value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.find(namespace, name); err != nil {
		return adapter.Value{}, err
	}
	milli, _ := adapter.Milli(f.value)
	return adapter.Value{Milli: milli}, f.err
}

func (f *fakeForecasts) Ahead(namespace, name string, _, _ time.Time) (adapter.Value, error) {
	return f.lookup(namespace, name)
}

func (f *fakeForecasts) Capacity(namespace, name string) (float64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.find(namespace, name); err != nil {
		return 0, err
	}
	if f.capacity == 0 {
		return 0, &adapter.Unavailable{Reason: "NoCapacity", Message: "set spec.capacityPerReplica"}
	}
	return f.capacity, nil
}

func (f *fakeForecasts) Watch(string, string) (<-chan struct{}, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan struct{}, 1)
	if f.watchers == nil {
		f.watchers = map[chan struct{}]bool{}
	}
	f.watchers[c] = true
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, c)
	}
}

// authority signs certificates for tests. It is the content of a server's certificate too.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu              sync.Mutex
	certPEM, keyPEM []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, _, _ = a.sign(t, "ca")
	a.renew(t)
	return a
}

// sign returns a certificate for a name; the first one signs itself and is a CA.
func (a *authority) sign(t testing.TB, name string) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// renew replaces the certificate of the server.
func (a *authority) renew(t testing.TB) {
	t.Helper()
	_, _, certPEM, keyPEM := a.sign(t, "scaler.test")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.certPEM, a.keyPEM = certPEM, keyPEM
}

func (a *authority) Name() string                             { return "test" }
func (a *authority) AddListener(dynamiccertificates.Listener) {}
func (a *authority) CurrentCertKeyContent() (cert, key []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.certPEM, a.keyPEM
}

func (a *authority) CurrentCABundleContent() []byte { return nil }
func (a *authority) VerifyOptions() (x509.VerifyOptions, bool) {
	return x509.VerifyOptions{Roots: a.pool()}, true
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// fixture is a running server.
type fixture struct {
	*fakeForecasts
	authority *authority
	server    *Server
	address   string
}

func start(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{fakeForecasts: &fakeForecasts{}, authority: newAuthority(t)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{
		Forecasts: f.fakeForecasts, Lookup: f.lookup, Cert: f.authority, Listener: listener,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opts)
	}
	if f.server, err = New(opts); err != nil {
		t.Fatal(err)
	}
	f.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return f
}

// client connects as KEDA does. It has no client certificate, unless change adds one.
func (f *fixture) client(t testing.TB, change ...func(*tls.Config)) pb.ExternalScalerClient {
	t.Helper()
	config := &tls.Config{RootCAs: f.authority.pool(), ServerName: "scaler.test", MinVersion: tls.VersionTLS12}
	for _, c := range change {
		c(config)
	}
	conn, err := grpc.NewClient(f.address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewExternalScalerClient(conn)
}

// ref is the trigger of a ScaledObject in a namespace, with pairs of metadata.
func ref(namespace string, metadata ...string) *pb.ScaledObjectRef {
	r := &pb.ScaledObjectRef{Name: "so", Namespace: namespace, ScalerMetadata: map[string]string{
		"scalerAddress": "headstart-scaler.headstart-system.svc:9443", "enableTLS": "true",
	}}
	for i := 0; i < len(metadata); i += 2 {
		r.ScalerMetadata[metadata[i]] = metadata[i+1]
	}
	return r
}

func text(v float64) string { return fmt.Sprint(v) }
