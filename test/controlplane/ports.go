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

// block is what this process takes its ports from.
type block struct {
	guard net.Listener // on the first port; kept, or the garbage collector would close it

	mu    sync.Mutex
	order []int // of the others
	next  int   // in order
}

// ownBlock is this process's block.
//
//nolint:gochecknoglobals // a process has one block
var ownBlock = sync.OnceValues(func() (*block, error) {
	const blocks = (lastPort - firstPort) / blockPorts
	var errs []error
	for _, i := range rand.Perm(blocks) {
		first := firstPort + i*blockPorts
		l, err := listen(first)
		if err == nil {
			b := &block{guard: l, order: rand.Perm(blockPorts - 1)}
			for k := range b.order {
				b.order[k] += first + 1
			}
			return b, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("find a block of ports on 127.0.0.1 that no other process has taken: %w", errors.Join(errs...))
})

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

// FreePorts returns n different TCP ports on which nothing listens on 127.0.0.1 now, and which no other process finds by this function
// while this one lives. This one finds them again only once it has been through its whole block: who asks for a port may take a
// while until it listens there.
func FreePorts(n int) ([]int, error) {
	b, err := ownBlock()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ports := make([]int, 0, n)
	var errs []error
	for range b.order {
		if len(ports) == n {
			break
		}
		port := b.order[b.next]
		b.next = (b.next + 1) % len(b.order)
		l, err := listen(port)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("find %d free ports on 127.0.0.1: %w", n, errors.Join(errs...))
	}
	return ports, nil
}
