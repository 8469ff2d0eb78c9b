package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// credentials are the keys and certificates of one control plane, as files in its folder.
type credentials struct {
	ca, caKey                   string // signs everything below
	serving, servingKey         string // of the API server
	proxyClient, proxyClientKey string // of the aggregator, for aggregated APIs
	serviceAccountKey           string // signs tokens
	tokens                      string // of the administrator
	adminToken                  string
	caPEM                       []byte
}

func writeCredentials(dir string) (*credentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	c := &credentials{
		ca: at("ca.crt"), caKey: at("ca.key"), serving: at("apiserver.crt"), servingKey: at("apiserver.key"),
		proxyClient: at("proxy.crt"), proxyClientKey: at("proxy.key"), serviceAccountKey: at("sa.key"),
		tokens: at("tokens.csv"),
	}
	ca, caKey, err := c.makeCA()
	if err != nil {
		return nil, err
	}
	err = issue(ca, caKey, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, c.serving, c.servingKey)
	if err != nil {
		return nil, err
	}
	err = issue(ca, caKey, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "front-proxy-client"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, c.proxyClient, c.proxyClientKey)
	if err != nil {
		return nil, err
	}
	if _, err := writeKey(c.serviceAccountKey); err != nil {
		return nil, err
	}
	token := make([]byte, 16)
	if _, err := rand.Read(token); err != nil {
		return nil, err
	}
	c.adminToken = hex.EncodeToString(token)
	return c, os.WriteFile(c.tokens, []byte(c.adminToken+`,admin,admin,"system:masters"`+"\n"), 0o600)
}

func (c *credentials) makeCA() (*x509.Certificate, crypto.Signer, error) {
	key, err := writeKey(c.caKey)
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "local-control-plane"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(ca, ca, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	c.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return ca, key, os.WriteFile(c.ca, c.caPEM, 0o644)
}

// issue writes a key and a certificate for it.
func issue(ca *x509.Certificate, caKey crypto.Signer, template *x509.Certificate, certFile, keyFile string) error {
	key, err := writeKey(keyFile)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := sign(template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(7 * 24 * time.Hour)
	return x509.CreateCertificate(rand.Reader, template, parent, public, key)
}

func writeKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key) // kube-apiserver reads the public key from this form, too
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return key, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
