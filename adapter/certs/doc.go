// Package certs issues and rotates the certificate that the adapter serves with, so that nobody has
// to do it by hand. It has a CA of its own, and a serving certificate for the Service's DNS names.
// Both are in one Secret that all replicas share. The CA is also in spec.caBundle of the
// APIServices that point at the Service, so that the API server can verify the certificate.
//
// # Rotation without a failed request
//
// Each API server verifies, and each replica serves, and they learn of a change at different times.
// So a change is used only when all of them know it:
//
//	serving certificate   renewed under the same CA: clients accept the old and the new one
//	new CA                published: the bundle has the old and the new one, the old one signs
//	after Overlap         if the bundle is in the APIServices, the new CA signs
//	after Overlap again   the old CA leaves the bundle
//
// When the Secret is deleted or a part of it cannot be read, replicas keep using what they have in
// memory, and a new CA is rotated in the same way. So deleting the Secret is how to request a new
// CA.
//
// Every replica runs the same steps. The API server's optimistic locking lets one of them write,
// and the others use what it wrote. No leader is needed.
package certs
