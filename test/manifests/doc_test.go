// Package manifests_test renders every overlay, holds it to the house rules (no wildcard, restricted pods, known fields only), and
// applies it to a real API server: there the guard must refuse to take an API group that has an owner, and the server's account
// must be able to do what it needs and nothing else.
package manifests_test
