package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports are below the range from which Linux and macOS take the local ports of outgoing
// connections. So no connection of this machine takes a port between the search and its use.
const (
	firstPort = 20000
	lastPort  = 32000
	// blockPorts is the size of a block. Each process takes its ports from one block. It listens on
	// the block's first port as long as it lives, so that two test binaries that run at the same time
	// never get the same port.
	blockPorts = 200
)

// block is a range of ports that belongs to this process.
type block struct {
	guard net.Listener // on the first port; kept, because the garbage collector would close it

	mu    sync.Mutex
	order []int // of the other ports
	next  int   // index in order
}

// ownBlock is this process's block. It is a global variable, because a port belongs to a process.
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

// FreePorts returns n different TCP ports of 127.0.0.1 on which nothing listens now. No other
// process gets them from this function while this one lives. This process gets one again only after
// it has gone through its whole block, because a caller may need a while until it listens.
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
