package certs

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
		"garbage cert": set(corev1.TLSCertKey,
			[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
		"other key": func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = s.Data[caKeyKey] },
		"CA as cert": func(s *corev1.Secret) {
			s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = s.Data[caBundleKey], s.Data[caKeyKey]
		},
		"foreign and key": func(s *corev1.Secret) { s.Data["note"] = []byte("keep"); s.Data[caKeyKey] = nil },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			s := newTestCluster(t)
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
				s.advance(10 * time.Minute)
			}
			fresh := s.replica() // one that starts finds everything in order
			writes := s.writes
			s.sync(fresh)
			if s.writes != writes || s.accepted(fresh, s.bundle(oursName)) != nil {
				t.Error("the Secret was not repaired")
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

// A damaged Secret, and no replica has the old certificates in memory: all are issued again, at
// once.
func TestDamagedSecretAtStart(t *testing.T) {
	s := newTestCluster(t)
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

// Deleting the Secret is how to request a new CA. The rotation fails no request, and the old CA
// goes.
func TestDeletedSecret(t *testing.T) {
	s := newTestCluster(t)
	a, b := s.replica(), s.replica()
	s.sync(a, b)
	old := parseCAs(s.bundle(oursName))[0]
	if err := s.client.Delete(t.Context(), s.secret()); err != nil {
		t.Fatal(err)
	}
	sawBoth := false
	for range 40 {
		s.advance(10 * time.Minute)
		s.sync(a)
		if err := errors.Join(s.accepted(a, s.bundle(oursName)), s.accepted(b, s.bundle(oursName))); err != nil {
			t.Fatalf("after %s: %v", s.clock.Now().Sub(began), err)
		}
		s.sync(b)
		sawBoth = sawBoth || len(parseCAs(s.bundle(oursName))) == 2
	}
	now := parseCAs(s.bundle(oursName))
	if len(now) != 1 || sameCert(now[0], old) || !sawBoth {
		t.Errorf("CAs in the end: %d, of which the first is the old one: %t; overlapped: %t",
			len(now), sameCert(now[0], old), sawBoth)
	}
}

func TestExpired(t *testing.T) {
	s := newTestCluster(t)
	m := s.replica()
	s.sync(m)
	old := parseCAs(s.bundle(oursName))[0]
	s.advance(400 * day)
	s.sync(m)
	if err := s.accepted(m, s.bundle(oursName)); err != nil {
		t.Error(err)
	}
	if cas := parseCAs(s.bundle(oursName)); len(cas) != 1 || sameCert(cas[0], old) {
		t.Errorf("the bundle has %d CAs, and the expired one: %t", len(cas), sameCert(cas[0], old))
	}
}

func TestNewName(t *testing.T) {
	s := newTestCluster(t)
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

// A CA that could not be written into the APIServices never signs, however old it is.
func TestUnpublishedCANeverSigns(t *testing.T) {
	s := newTestCluster(t)
	m := s.replica()
	s.sync(m)
	known := s.bundle(oursName)
	s.hooks.Patch = func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return errors.New("forbidden")
	}
	for s.clock.Now().Sub(began) < 3*day { // a new CA is due after 2 days and 16 hours
		s.advance(30 * time.Minute)
		_ = m.Sync(t.Context())
		if err := s.accepted(m, known); err != nil {
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
		t.Errorf("%d CAs are published once that works again, want 2", len(cas))
	}
}
