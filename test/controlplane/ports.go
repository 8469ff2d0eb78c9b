package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports below the range that Linux and macOS take local ports of outgoing connections from, so that no connection of this
// machine takes one of them between the search and the use.
const (
	firstPort = 20000
	lastPort  = 32000
	// blockPorts is how many of them one process takes its own from. The first of a block is listened on as long as the process
	// lives, so that two test binaries that run at the same time never find the same port.
	blockPorts = 200
)

// ownBlock is the first port of this process's block; its listener is kept, or the garbage collector would close it.
//
//nolint:gochecknoglobals // a process has one block
var ownBlock = sync.OnceValues(func() (net.Listener, error) {
	const blocks = (lastPort - firstPort) / blockPorts
	var errs []error
	for _, i := range rand.Perm(blocks) {
		l, err := listen(firstPort + i*blockPorts)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("find a block of ports on 127.0.0.1 that no other process has taken: %w", errors.Join(errs...))
})

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// FreePorts returns n different TCP ports on which nothing listens on 127.0.0.1 now, and which no other process finds by this function
// while this one lives.
func FreePorts(n int) ([]int, error) {
	guard, err := ownBlock()
	if err != nil {
		return nil, err
	}
	block := guard.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	ports := make([]int, 0, n)
	var errs []error
	for _, i := range rand.Perm(blockPorts - 1) {
		if len(ports) == n {
			break
		}
		l, err := listen(block + 1 + i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer l.Close() // only at the end, so that no port is found twice
		ports = append(ports, block+1+i)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("find %d free ports on 127.0.0.1: %w", n, errors.Join(errs...))
	}
	return ports, nil
}
