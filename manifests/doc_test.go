// Package manifests_test tests what needs no cluster: the API types know every field of the
// examples, and the kustomizations name all their files. The tests in test/manifests render the
// overlays and apply them to a real API server.
package manifests_test
