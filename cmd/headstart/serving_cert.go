package main

import (
	"fmt"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
)

// certificates makes a serving certificate for the Service's names.
func (s *server) certificates() (dynamiccertificates.CertKeyContentProvider, error) {
	host := s.opts.serviceName + "." + s.opts.namespace + ".svc"
	cert, key, err := certutil.GenerateSelfSignedCertKey(host, nil, []string{"localhost"})
	if err != nil {
		return nil, fmt.Errorf("make a serving certificate: %w", err)
	}
	return dynamiccertificates.NewStaticCertKeyContent("serving", cert, key)
}
