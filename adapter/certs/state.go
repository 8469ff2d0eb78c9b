package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// The keys of the Secret.
const (
	caBundleKey  = "ca.crt"      // all CAs that clients should trust, the signing one first
	caKeyKey     = "ca.key"      // the key of the CA that signs
	nextCAKeyKey = "next-ca.key" // the key of the CA that is published but does not sign yet
)

// policy says what is issued, and when CAs change.
type policy struct {
	names      []string      // DNS names of the serving certificate
	caValidity time.Duration // of a CA
	validity   time.Duration // of the serving certificate
	// overlap is how long clients trust a new CA before it signs, and the old CA after that.
	overlap time.Duration
}

// state is the usable content of the Secret.
type state struct {
	cas     []*x509.Certificate // the bundle
	signing *authority          // nil when its key is lost
	next    *authority          // published but does not sign yet; nil when there is none
	serving *serving
}

// parse reads the parts of a Secret that are usable at now. The other parts are missing in the
// result, so advance replaces them.
func (p policy) parse(secret *corev1.Secret, now time.Time) state {
	var s state
	expired := func(ca *x509.Certificate) bool { return !now.Before(ca.NotAfter) }
	s.cas = slices.DeleteFunc(parseCAs(secret.Data[caBundleKey]), expired)
	s.signing = parseAuthority(s.cas, secret.Data[caKeyKey])
	s.next = parseAuthority(s.cas, secret.Data[nextCAKeyKey])
	certPEM, keyPEM := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	s.serving = parseServing(certPEM, keyPEM, s.cas, p.names, now)
	return s
}

// keepServing returns the state that was read. If that has no serving certificate, it adds the one
// in use and its CAs. So a certificate that clients trust stays in use when the Secret was damaged
// or deleted.
func (p policy) keepServing(read, inUse state, now time.Time) state {
	if read.serving != nil || inUse.serving == nil || !inUse.serving.trusted(inUse.cas, p.names, now) {
		return read
	}
	read.serving = inUse.serving
	for _, ca := range inUse.cas {
		if now.Before(ca.NotAfter) && !read.has(ca) {
			read.cas = append(read.cas, ca)
		}
	}
	return read
}

// advance takes every step of the rotation that is due at now. It returns the new state, and a
// description of each step for the log. published reports whether every CA in s has reached the
// APIServices and ConfigMaps.
func (p policy) advance(s state, now time.Time, published bool) (state, []string, error) {
	var steps []string
	if p.needsCA(s, now) {
		ca, err := newAuthority(now, p.caValidity)
		if err != nil {
			return s, nil, err
		}
		s.next = ca
		s.cas = append(slices.Clone(s.cas), ca.cert)
		steps = append(steps, "published a new CA")
		published = false
	}
	if p.canPromote(s, now, published) {
		s.signing, s.next, s.serving = s.next, nil, nil
		steps = append(steps, "signing with the new CA")
	}
	if s.signing != nil && (s.serving == nil || renewalDue(s.serving.leaf, now)) {
		leaf, err := s.signing.issue(now, p.validity, p.names)
		if err != nil {
			return s, nil, err
		}
		// A certificate does not outlast its CA. Near the end of the CA, a new certificate would expire
		// at the same time as the old one, so the old one stays.
		if s.serving == nil || leaf.leaf.NotAfter.After(s.serving.leaf.NotAfter) {
			s.serving = leaf
			steps = append(steps, "issued a serving certificate")
		}
	}
	if cas := p.pruneCAs(s, now); len(cas) < len(s.cas) {
		s.cas = cas
		steps = append(steps, "retired an old CA")
	}
	return s, steps, nil
}

// needsCA reports whether it is time for the next CA, and there is none yet.
func (p policy) needsCA(s state, now time.Time) bool {
	return s.next == nil && (s.signing == nil || renewalDue(s.signing.cert, now))
}

// canPromote reports whether the next CA may sign. Normally it may once all clients trust it. When
// there is neither a signing CA nor a serving certificate, no client is served, so it may sign
// immediately.
func (p policy) canPromote(s state, now time.Time, published bool) bool {
	if s.next == nil {
		return false
	}
	if s.serving == nil && s.signing == nil {
		return true
	}
	return published && now.Sub(s.next.issuedAt()) >= p.overlap
}

// pruneCAs returns the CAs of the bundle that are still needed. Other replicas may still serve with
// a certificate of an old CA. So an old CA is needed until the signing CA's serving certificate is
// as old as the overlap.
func (p policy) pruneCAs(s state, now time.Time) []*x509.Certificate {
	overlapOver := s.signing != nil && s.serving != nil && s.serving.signedBy(s.signing.cert) &&
		now.Sub(s.serving.issuedAt()) >= p.overlap
	return slices.DeleteFunc(slices.Clone(s.cas), func(ca *x509.Certificate) bool {
		needed := s.signing != nil && sameCert(ca, s.signing.cert) || s.next != nil && sameCert(ca, s.next.cert)
		return !needed && overlapOver
	})
}

// renewalDue reports whether a certificate is in the last third of its validity.
func renewalDue(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore.Add(backdate))
	return cert.NotAfter.Sub(now) < life/3
}

// has reports whether ca is in the bundle.
func (s state) has(ca *x509.Certificate) bool {
	return slices.ContainsFunc(s.cas, func(c *x509.Certificate) bool { return sameCert(c, ca) })
}

// bundle returns all CAs that clients should trust, as PEM, the signing one first.
func (s state) bundle() []byte {
	var first, rest []*x509.Certificate
	for _, ca := range s.cas {
		if s.signing != nil && sameCert(ca, s.signing.cert) {
			first = append(first, ca)
		} else {
			rest = append(rest, ca)
		}
	}
	return encode(append(first, rest...)...)
}

// writeTo writes the state into a Secret, and reports whether that changed it. Other data stays.
func (s state) writeTo(secret *corev1.Secret) (bool, error) {
	data := map[string][]byte{caBundleKey: s.bundle()}
	for key, a := range map[string]*authority{caKeyKey: s.signing, nextCAKeyKey: s.next} {
		if a == nil {
			continue
		}
		pem, err := keyutil.MarshalPrivateKeyToPEM(a.key)
		if err != nil {
			return false, fmt.Errorf("encode the key of a CA: %w", err)
		}
		data[key] = pem
	}
	if s.serving != nil {
		data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey] = s.serving.certPEM, s.serving.keyPEM
	}
	changed := false
	for _, key := range []string{caBundleKey, caKeyKey, nextCAKeyKey, corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		want, ok := data[key]
		if got, had := secret.Data[key]; had == ok && bytes.Equal(got, want) {
			continue
		}
		changed = true
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		if secret.Data[key] = want; !ok {
			delete(secret.Data, key)
		}
	}
	return changed, nil
}
