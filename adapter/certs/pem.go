package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// backdate is how long before its issue a certificate is valid already, for clocks that are behind.
const backdate = 5 * time.Minute

// authority is a CA certificate and its key.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (a *authority) issuedAt() time.Time { return a.cert.NotBefore.Add(backdate) }

// serving is a serving certificate and its key.
type serving struct {
	certPEM, keyPEM []byte
	leaf            *x509.Certificate
}

func (s *serving) issuedAt() time.Time { return s.leaf.NotBefore.Add(backdate) }

// signedBy reports whether ca signed the certificate.
func (s *serving) signedBy(ca *x509.Certificate) bool { return s.leaf.CheckSignatureFrom(ca) == nil }

// newAuthority makes a CA. The time is part of its name, so two CAs never have the same one.
func newAuthority(now time.Time, validity time.Duration) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of a CA: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("headstart-ca@%d", now.Unix())},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	return &authority{cert: cert, key: key}, nil
}

// issue makes a serving certificate. It is valid for validity, or until its CA expires when that is
// sooner.
func (a *authority) issue(now time.Time, validity time.Duration, names []string) (*serving, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the serving key: %w", err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the serving certificate: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, fmt.Errorf("encode the serving key: %w", err)
	}
	return &serving{certPEM: encode(leaf), keyPEM: keyPEM, leaf: leaf}, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// encode writes certificates as PEM, one after another.
func encode(certs ...*x509.Certificate) []byte {
	out, err := certutil.EncodeCertificates(certs...)
	if err != nil {
		return nil // only writing to memory could fail
	}
	return out
}

// parseCAs returns the CA certificates of a bundle; none when it cannot be parsed.
func parseCAs(bundle []byte) []*x509.Certificate {
	certs, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return nil
	}
	var cas []*x509.Certificate
	for _, c := range certs {
		if c.IsCA {
			cas = append(cas, c)
		}
	}
	return cas
}

// parseAuthority returns the CA that a key belongs to; nil when the key cannot be parsed or belongs
// to none of the CAs.
func parseAuthority(cas []*x509.Certificate, keyPEM []byte) *authority {
	parsed, err := keyutil.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	for _, ca := range cas {
		if public.Equal(ca.PublicKey) {
			return &authority{cert: ca, key: key}
		}
	}
	return nil
}

// parseServing returns a serving certificate and its key. It returns nil when the two do not match,
// or when a client that trusts cas would not accept the certificate at now for every name.
func parseServing(certPEM, keyPEM []byte, cas []*x509.Certificate, names []string, now time.Time) *serving {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil || pair.Leaf == nil {
		return nil
	}
	s := &serving{certPEM: certPEM, keyPEM: keyPEM, leaf: pair.Leaf}
	if !s.trusted(cas, names, now) {
		return nil
	}
	return s
}

// trusted reports whether a client that trusts cas accepts the certificate at now for every name.
func (s *serving) trusted(cas []*x509.Certificate, names []string, now time.Time) bool {
	pool := x509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca)
	}
	for _, name := range names {
		opts := x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now}
		if _, err := s.leaf.Verify(opts); err != nil {
			return false
		}
	}
	return true
}

func sameCert(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }
