// Package manifests_test renders every overlay and the chart, checks them against the rules of this
// project (no wildcard, restricted pods, known fields only), and applies them to a real API server.
// There the guard must refuse to take over an API group that has an owner, and the server's account
// must have all the permissions that it needs and no others.
package manifests_test
