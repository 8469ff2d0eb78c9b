package keda

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/keyutil"

	"headstart.dev/headstart/test/harness"
)

const servingSecret = "headstart-serving-cert"

// handshakes are new connections to every replica, and the certificates that were served.
type handshakes struct {
	*polls

	mu sync.Mutex
	// served has the serial numbers by replica, in the order in which they came.
	served map[string][]string
}

// watchHandshakes connects to each replica all the time. It trusts the CA that KEDA was given, and
// reads that once, as KEDA does.
func watchHandshakes(t *testing.T, w *harness.World) *handshakes {
	t.Helper()
	cm, err := w.Client.CoreV1().ConfigMaps(harness.KEDANamespace).Get(t.Context(), "headstart-ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(cm.Data["ca.crt"])) {
		t.Fatalf("the ConfigMap has no CA: %v", cm.Data)
	}
	_, target, _ := strings.Cut(strings.TrimPrefix(w.Scaler, "dns://"), "/")
	name, port, err := net.SplitHostPort(target)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"h2"}}}
	h := &handshakes{served: map[string][]string{}}
	replicas := slices.Clone(w.Adapters)
	h.polls = repeat(t, 100*time.Millisecond, func(ctx context.Context) error {
		for _, replica := range replicas {
			host, _, err := net.SplitHostPort(replica.Address)
			if err != nil {
				return err
			}
			conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
			switch {
			case err != nil && ended(replica):
				h.forget(host)
				continue
			case err != nil:
				return err
			}
			_ = conn.Close()
			h.record(host, conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
		}
		return nil
	})
	return h
}

// ended reports whether a replica has ended, or does so within a second. One that loses its lease,
// because the machine stood still, ends.
func ended(replica *harness.Headstart) bool {
	select {
	case <-replica.Done():
		return true
	case <-time.After(time.Second):
		return false
	}
}

// forget leaves a replica out that has ended.
func (h *handshakes) forget(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.served, host)
}

func (h *handshakes) record(host string, cert *x509.Certificate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	serial := cert.SerialNumber.String()
	if all := h.served[host]; len(all) == 0 || all[len(all)-1] != serial {
		h.served[host] = append(all, serial)
	}
}

// renewCertificate puts a certificate of the same CA into the Secret that expires soon, so that the
// replicas renew it at their next look, within 72 seconds.
func renewCertificate(t *testing.T, w *harness.World) {
	t.Helper()
	secrets := w.Client.CoreV1().Secrets(harness.Namespace)
	secret, err := secrets.Get(t.Context(), servingSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caKey, err := keyutil.ParsePrivateKeyPEM(secret.Data["ca.key"])
	if err != nil {
		t.Fatal(err)
	}
	ca, present := parseCert(t, secret.Data["ca.crt"]), parseCert(t, secret.Data["tls.crt"])
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: present.Subject, DNSNames: present.DNSNames,
		NotBefore: time.Now().Add(-3 * time.Hour), NotAfter: time.Now().Add(30 * time.Minute),
		KeyUsage: present.KeyUsage, ExtKeyUsage: present.ExtKeyUsage,
	}
	der, err := x509.CreateCertificate(rand.Reader, old, ca, key.Public(), caKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	if secret.Data["tls.key"], err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		t.Fatal(err)
	}
	secret.Data["tls.crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func parseCert(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// checkRenewal checks that every replica serves another certificate than at the start, and that
// neither a poll through KEDA nor a new connection has failed.
func checkRenewal(t *testing.T, p *polls, h *handshakes) {
	for what, p := range map[string]*polls{"polls through KEDA": p, "new connections": h.polls} {
		count, failures, longest := p.failed(time.Time{})
		t.Logf("%d of %d %s failed; the slowest took %s", len(failures), count, what, p.slowest())
		if len(failures) > 0 {
			t.Errorf("%d of %d %s failed, for at most %s; the first: %v", len(failures), count, what, longest, failures[0])
		}
		if count < 100 {
			t.Errorf("only %d %s were made", count, what)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := map[string]bool{}
	for host, served := range h.served {
		if len(served) < 2 {
			t.Errorf("replica %s has served one certificate only", host)
		}
		last[served[len(served)-1]] = true
	}
	if len(last) != 1 {
		t.Errorf("the replicas serve %d certificates, want one: %s", len(last), fmt.Sprint(h.served))
	}
}
