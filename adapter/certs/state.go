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
	caBundleKey  = "ca.crt"      // every CA that clients are to trust, the signing one first
	caKeyKey     = "ca.key"      // the key of the CA that signs
	nextCAKeyKey = "next-ca.key" // the key of the CA that is published and does not sign yet
)

// rules say for how long things are valid, and under which names.
type rules struct {
	names                         []string
	caValidity, validity, overlap time.Duration
}

// state is the content of the Secret, as far as it is usable.
type state struct {
	cas     []*x509.Certificate // the bundle
	signing *authority          // nil where its key is lost
	next    *authority          // published, does not sign yet
	serving *serving
}

// parse reads what is usable at now out of a Secret; everything else is left out, and made anew by advance.
func (r rules) parse(secret *corev1.Secret, now time.Time) state {
	var s state
	s.cas = slices.DeleteFunc(parseCAs(secret.Data[caBundleKey]), func(ca *x509.Certificate) bool { return !now.Before(ca.NotAfter) })
	s.signing = parseAuthority(s.cas, secret.Data[caKeyKey])
	s.next = parseAuthority(s.cas, secret.Data[nextCAKeyKey])
	s.serving = parseServing(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey], s.cas, r.names, now)
	return s
}

// rescue completes what was read by what is in use: a serving certificate that clients trust now is not given up because the
// Secret was damaged or deleted.
func (r rules) rescue(read, inUse state, now time.Time) state {
	if read.serving != nil || inUse.serving == nil || !inUse.serving.trusted(inUse.cas, r.names, now) {
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

// advance takes every step that is due at now, and says which. published is whether clients have been told of every CA in s.
func (r rules) advance(s state, now time.Time, published bool) (state, []string, error) {
	var steps []string
	if r.needsCA(s, now) {
		ca, err := newAuthority(now, r.caValidity)
		if err != nil {
			return s, nil, err
		}
		s.next = ca
		s.cas = append(slices.Clone(s.cas), ca.cert)
		steps = append(steps, "published a new CA")
		published = false
	}
	if r.mayPromote(s, now, published) {
		s.signing, s.next, s.serving = s.next, nil, nil
		steps = append(steps, "signing with the new CA")
	}
	if s.signing != nil && (s.serving == nil || due(s.serving.leaf, now)) {
		leaf, err := s.signing.issue(now, r.validity, r.names)
		if err != nil {
			return s, nil, err
		}
		if s.serving == nil || leaf.leaf.NotAfter.After(s.serving.leaf.NotAfter) { // not where the CA's own end limits both
			s.serving = leaf
			steps = append(steps, "issued a serving certificate")
		}
	}
	if retired := r.retire(s, now); len(retired) < len(s.cas) {
		s.cas = retired
		steps = append(steps, "retired an old CA")
	}
	return s, steps, nil
}

// needsCA is true if there is no CA to follow the one that signs, and it is time for one.
func (r rules) needsCA(s state, now time.Time) bool {
	return s.next == nil && (s.signing == nil || due(s.signing.cert, now))
}

// mayPromote is true if the next CA can sign: everybody knows it, or nothing that is served now is trusted anyway.
func (r rules) mayPromote(s state, now time.Time, published bool) bool {
	if s.next == nil {
		return false
	}
	if s.serving == nil && s.signing == nil {
		return true
	}
	return published && now.Sub(s.next.issuedAt()) >= r.overlap
}

// retire returns the bundle without the CAs that nothing in use rests on any more.
func (r rules) retire(s state, now time.Time) []*x509.Certificate {
	settled := s.signing != nil && s.serving != nil && s.serving.signedBy(s.signing.cert) && now.Sub(s.serving.issuedAt()) >= r.overlap
	return slices.DeleteFunc(slices.Clone(s.cas), func(ca *x509.Certificate) bool {
		needed := s.signing != nil && sameCert(ca, s.signing.cert) || s.next != nil && sameCert(ca, s.next.cert)
		return !needed && settled
	})
}

// due is true in the last third of a certificate's life.
func due(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore.Add(backdate))
	return cert.NotAfter.Sub(now) < life/3
}

func (s state) has(ca *x509.Certificate) bool {
	return slices.ContainsFunc(s.cas, func(c *x509.Certificate) bool { return sameCert(c, ca) })
}

// bundle is what clients are to trust: the signing CA first.
func (s state) bundle() []byte {
	ordered := slices.Clone(s.cas)
	if s.signing != nil {
		slices.SortStableFunc(ordered, func(a, b *x509.Certificate) int {
			return b2i(sameCert(b, s.signing.cert)) - b2i(sameCert(a, s.signing.cert))
		})
	}
	return encode(ordered...)
}

// store writes the state into a Secret's data, and is true if that changed it. Data that is not ours stays.
func (s state) store(secret *corev1.Secret) (bool, error) {
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

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
