package certs

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Over several generations of CAs, a client whose bundle is old by some steps accepts a replica
// that is behind by as many, at every moment. And the overlap ends.
func TestRotationFailsNoRequest(t *testing.T) {
	s := newTestCluster(t)
	a, b := s.replica(), s.replica()
	s.sync(a, b)
	const step, lag = 10 * time.Minute, 4 // how many steps clients and replica b may be behind
	var bundles [][]byte
	authorities, leaves, mostTrusted := map[string]bool{}, map[string]bool{}, 0
	for i := range int(12 * day / step) {
		s.advance(step)
		s.sync(a)
		if i%lag == 0 {
			s.sync(b)
		}
		bundles = append(bundles, s.bundle(oursName))
		if len(bundles) > lag {
			bundles = bundles[1:]
		}
		for age, bundle := range bundles {
			if err := errors.Join(s.accepted(a, bundle), s.accepted(b, bundle)); err != nil {
				t.Fatalf("after %s, client %d steps behind: %v", s.clock.Now().Sub(began), len(bundles)-1-age, err)
			}
		}
		trusted := parseCAs(bundles[len(bundles)-1])
		mostTrusted = max(mostTrusted, len(trusted))
		authorities[trusted[0].SerialNumber.String()] = true
		leaves[a.current().serving.leaf.SerialNumber.String()] = true
	}
	if len(authorities) < 4 || len(leaves) < 7 {
		t.Errorf("12 days at CAs of 4 days and certificates of 2 saw %d CAs and %d certificates",
			len(authorities), len(leaves))
	}
	if mostTrusted != 2 {
		t.Errorf("the bundle had %d CAs at most, want 2 while they overlap", mostTrusted)
	}
	for range int(6 * time.Hour / step) {
		s.advance(step)
		s.sync(a, b)
	}
	if n := len(parseCAs(s.bundle(oursName))); n != 1 {
		t.Errorf("%d CAs are trusted after the overlap, want 1", n)
	}
}

// Both replicas see at once that the Secret is missing, or that a step is due. One writes, and the
// other uses what it wrote.
func TestReplicasRace(t *testing.T) {
	after := func(d time.Duration) func(*testCluster, *Manager, *Manager) {
		return func(s *testCluster, a, b *Manager) { s.sync(a, b); s.advance(d) }
	}
	cases := map[string]struct {
		reason string
		before func(*testCluster, *Manager, *Manager)
	}{
		"first start":         {"both create", func(*testCluster, *Manager, *Manager) {}},
		"renewal":             {"both update", after(40 * time.Hour)},
		"new CA":              {"both publish", after(70 * time.Hour)},
		"after a long outage": {"both start over", after(400 * day)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newTestCluster(t)
			a, b := s.replica(), s.replica()
			tc.before(s, a, b)
			raced := 0
			race := func() {
				if raced++; raced == 1 {
					s.sync(b)
				}
			}
			s.hooks.Create = func(
				ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption,
			) error {
				race()
				return c.Create(ctx, obj, opts...)
			}
			s.hooks.Update = func(
				ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption,
			) error {
				race()
				return c.Update(ctx, obj, opts...)
			}
			s.sync(a)
			if raced < 2 {
				t.Fatalf("%s: only %d writes, so there was no race", tc.reason, raced)
			}
			certA, keyA := a.CurrentCertKeyContent()
			certB, keyB := b.CurrentCertKeyContent()
			if !bytes.Equal(certA, certB) || !bytes.Equal(keyA, keyB) {
				t.Errorf("%s: the replicas serve different certificates", tc.reason)
			}
			if err := errors.Join(s.accepted(a, s.bundle(oursName)), s.accepted(b, s.bundle(oursName))); err != nil {
				t.Error(err)
			}
		})
	}
}
