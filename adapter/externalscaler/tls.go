package externalscaler

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// tlsConfig returns a configuration that uses the present certificate, and the present CAs of
// clients, for each new connection.
func tlsConfig(
	cert dynamiccertificates.CertKeyContentProvider, clients dynamiccertificates.CAContentProvider,
) *tls.Config {
	current := &currentCert{provider: cert}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return current.get()
		},
	}
	if clients == nil {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		options, ok := clients.VerifyOptions()
		if !ok || options.Roots == nil {
			return nil, errors.New("there is no CA for client certificates yet")
		}
		fresh := config.Clone()
		fresh.GetConfigForClient, fresh.ClientCAs = nil, options.Roots
		return fresh, nil
	}
	return config
}

// currentCert parses the content of a provider once per change.
type currentCert struct {
	provider dynamiccertificates.CertKeyContentProvider

	mu              sync.Mutex
	certPEM, keyPEM []byte
	parsed          *tls.Certificate
}

func (c *currentCert) get() (*tls.Certificate, error) {
	certPEM, keyPEM := c.provider.CurrentCertKeyContent()
	if len(certPEM) == 0 || len(keyPEM) == 0 {
		return nil, errors.New("there is no serving certificate yet")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed != nil && bytes.Equal(certPEM, c.certPEM) && bytes.Equal(keyPEM, c.keyPEM) {
		return c.parsed, nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	c.certPEM, c.keyPEM, c.parsed = certPEM, keyPEM, &pair
	return c.parsed, nil
}
