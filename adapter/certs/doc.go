// Package certs makes, rotates and announces the certificate that the adapter serves with, so that the API server can verify it
// without anybody's help: a CA of its own, a serving certificate for the Service's name, both in one Secret that all replicas
// share, and the CA in spec.caBundle of the APIServices that point at the Service.
//
// # Rotation without a failed request
//
// Who verifies (every API server) and who serves (every replica) learn of a change at different times, so no change is used
// before everybody knows it:
//
//	serving certificate   renewed under the same CA; either one verifies
//	new CA                first only published: the bundle holds the old and the new one, the old one still signs
//	after Overlap         and once the bundle is in the APIServices, the new CA signs a serving certificate
//	after Overlap again   the old CA leaves the bundle
//
// Where a part of the Secret is unreadable, or the Secret was deleted, what replicas hold in memory is kept in use, and a new CA
// goes the same way: deleting the Secret is how a person asks for a new CA.
//
// Every replica runs the same steps; the API server's optimistic locking picks one writer, and the others take over what it
// wrote. Nothing here needs a leader.
package certs
