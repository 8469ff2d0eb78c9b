// Package manifests_test holds what can be said of the manifests without a cluster: examples are what the API types know, and the
// kustomizations leave no file out. The tests in test/manifests render the overlays and apply them to a real API server.
package manifests_test
