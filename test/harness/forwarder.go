package harness

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Forwarder is one local TCP port in front of several replicas, as a Service is. Connections go to
// the replicas in turn, and skip those that refuse. An open connection breaks when its replica
// dies, as in a cluster.
type Forwarder struct {
	listener net.Listener
	backends []string
	next     atomic.Uint32
	done     sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	cut      bool // no connection is let through
	closed   bool
}

// Forward listens on a port of 127.0.0.1 and forwards connections to the addresses.
func Forward(port int, backends ...string) (*Forwarder, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("forward to %v: %w", backends, err)
	}
	f := &Forwarder{listener: l, backends: backends, open: map[net.Conn]struct{}{}}
	f.done.Go(f.accept)
	return f, nil
}

// Close closes the port and every connection.
func (f *Forwarder) Close() {
	_ = f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.done.Wait()
}

// Cut breaks every connection, and lets none through until [Forwarder.Restore], as a network does
// that is partitioned.
func (f *Forwarder) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = true
	for c := range f.open {
		_ = c.Close()
	}
}

// Restore ends [Forwarder.Cut].
func (f *Forwarder) Restore() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = false
}

func (f *Forwarder) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.done.Go(func() { f.serve(client) })
	}
}

func (f *Forwarder) serve(client net.Conn) {
	defer f.forget(client)
	if !f.remember(client) {
		return
	}
	var server net.Conn
	first := int(f.next.Add(1))
	for i := range f.backends {
		c, err := net.Dial("tcp", f.backends[(first+i)%len(f.backends)])
		if err == nil {
			server = c
			break
		}
	}
	if server == nil {
		return
	}
	defer f.forget(server)
	if !f.remember(server) {
		return
	}
	var both sync.WaitGroup
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close() // when one side closes the connection, the other side's is closed, too
		_ = from.Close()
	}
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

func (f *Forwarder) remember(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.cut {
		return false
	}
	f.open[c] = struct{}{}
	return true
}

func (f *Forwarder) forget(c net.Conn) {
	_ = c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}
