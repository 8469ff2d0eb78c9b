package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below the range that Linux and macOS take local ports of outgoing connections from, so that no connection of this
// machine takes one of them between the search and the use.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreePorts returns n different TCP ports on which nothing listens on 127.0.0.1 now.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	var errs []error
	for tries := 0; len(ports) < n && tries < 200; tries++ {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer l.Close() // only at the end, so that no port is found twice
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("find %d free ports on 127.0.0.1: %w", n, errors.Join(errs...))
	}
	return ports, nil
}
