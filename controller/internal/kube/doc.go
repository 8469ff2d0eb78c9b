// Package kube has what the reconcilers share: who owns an object, how a status is written, and
// which requests an event makes.
package kube
