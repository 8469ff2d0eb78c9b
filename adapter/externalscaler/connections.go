package externalscaler

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"k8s.io/utils/clock"
)

// connections bounds the connections, and what their clients leave unfinished. By itself gRPC bounds
// each connection alone. What is too much costs a connection of those who have the most: KEDA has a
// few connections from one address, and finishes its calls at once.
type connections struct {
	net.Listener
	most, mostOfHost int
	// mostUnfinished is how many requests may be unfinished, over all connections.
	mostUnfinished int64
	clock          clock.PassiveClock
	unfinished     atomic.Int64
	closed         *prometheus.CounterVec // by reason

	mu  sync.Mutex
	all map[*connection]struct{}
	of  map[string]int // by address of the client
}

func newConnections(l net.Listener, o Options, closed *prometheus.CounterVec) *connections {
	return &connections{
		Listener: l, closed: closed, most: o.maxConnections, mostOfHost: max(1, o.maxConnections/2),
		mostUnfinished: int64(o.maxUnfinished), clock: o.Clock, all: map[*connection]struct{}{}, of: map[string]int{},
	}
}

// Accept implements [net.Listener]. A new connection is never refused. Where it is one too many, the
// one is closed that was silent for longest.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	added := &connection{Conn: conn, all: c, host: host, open: map[uint32]struct{}{}}
	added.requests.skip = prefaceLength
	added.lastRead.Store(c.clock.Now().UnixNano())
	if old := c.add(added); old != nil {
		c.closed.WithLabelValues("connections").Inc()
		_ = old.Close()
	}
	return added, nil
}

// add returns the connection to close for the new one, if there is one.
func (c *connections) add(added *connection) (old *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.of[added.host] >= c.mostOfHost:
		old = c.silent(added.host)
	case len(c.all) >= c.most:
		host := added.host
		for other, n := range c.of {
			if n > c.of[host] {
				host = other
			}
		}
		old = c.silent(host)
	}
	c.all[added] = struct{}{}
	c.of[added.host]++
	return old
}

// silent returns the connection of a client that was silent for longest.
func (c *connections) silent(host string) (out *connection) {
	for conn := range c.all {
		if conn.host == host && (out == nil || conn.lastRead.Load() < out.lastRead.Load()) {
			out = conn
		}
	}
	return out
}

func (c *connections) remove(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, conn)
	if c.of[conn.host]--; c.of[conn.host] == 0 {
		delete(c.of, conn.host)
	}
}

// count adds to the unfinished requests. Where they are too many, it closes a connection of those who
// have the most.
func (c *connections) count(change int64) {
	if now := c.unfinished.Add(change); change <= 0 || now <= c.mostUnfinished {
		return
	}
	if worst := c.worst(); worst != nil {
		c.closed.WithLabelValues("unfinished").Inc()
		_ = worst.Close()
	}
}

// worst returns the connection with the most unfinished requests, of the client with the most.
func (c *connections) worst() (out *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, host := map[string]int64{}, ""
	for conn := range c.all {
		of[conn.host] += conn.unfinished.Load()
		if of[conn.host] > of[host] {
			host = conn.host
		}
	}
	for conn := range c.all {
		if conn.host == host && (out == nil || conn.unfinished.Load() > out.unfinished.Load()) {
			out = conn
		}
	}
	return out
}

// connection is one of [connections]. It counts requests by their frames: gRPC does not say when an
// answer has left, and a client may refuse to take it.
type connection struct {
	net.Conn
	all      *connections
	host     string       // address of the client
	lastRead atomic.Int64 // in nanoseconds since 1970

	mu                sync.Mutex
	closed            bool
	requests, answers frames
	newest            uint32              // stream
	open              map[uint32]struct{} // streams
	unfinished        atomic.Int64        // open, and not followed
}

// Read implements [net.Conn].
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.lastRead.Store(c.all.clock.Now().UnixNano())
	return n, err
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		c.all.count(-c.unfinished.Load())
		c.all.remove(c)
	}
	return c.Conn.Close()
}

// change counts by how much a function changes the unfinished requests, unless the connection is
// closed.
func (c *connection) change(f func() int) {
	c.mu.Lock()
	by := int64(f())
	if c.closed {
		by = 0
	}
	c.unfinished.Add(by)
	c.mu.Unlock()
	if by != 0 {
		c.all.count(by)
	}
}

// received looks at bytes that the client has sent.
func (c *connection) received(p []byte) {
	c.change(func() int {
		before := len(c.open)
		c.requests.scan(p, func(f frame) {
			switch {
			case f.kind == frameHeaders && f.stream > c.newest:
				c.newest = f.stream
				c.open[f.stream] = struct{}{}
			case f.kind == frameRSTStream:
				delete(c.open, f.stream)
			}
		})
		return len(c.open) - before
	})
}

// sent looks at bytes that the client was sent.
func (c *connection) sent(p []byte) {
	c.change(func() int {
		before := len(c.open)
		c.answers.scan(p, func(f frame) {
			if f.kind == frameRSTStream || f.kind == frameHeaders && f.flags&flagEndStream != 0 {
				delete(c.open, f.stream)
			}
		})
		return len(c.open) - before
	})
}

// plainConn is a connection above TLS.
type plainConn struct {
	net.Conn
	below *connection
}

// Read implements [net.Conn].
func (c plainConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.below.received(p[:n])
	return n, err
}

// Write implements [net.Conn].
func (c plainConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.below.sent(p[:n])
	return n, err
}

// countedTLS are the credentials of a server whose connections count their requests.
type countedTLS struct {
	credentials.TransportCredentials
}

// ServerHandshake implements [credentials.TransportCredentials].
func (t countedTLS) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := t.TransportCredentials.ServerHandshake(raw)
	below, counted := raw.(*connection)
	secured, isTLS := info.(credentials.TLSInfo)
	if err != nil || !counted || !isTLS {
		return conn, info, err
	}
	return plainConn{conn, below}, countedInfo{secured, below}, nil
}

// countedInfo is what the context of a request has about its connection.
type countedInfo struct {
	credentials.TLSInfo
	conn *connection
}

// followed says that a request is a stream that is followed, until done is called.
func followed(ctx context.Context) (done func()) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return func() {}
	}
	info, ok := p.AuthInfo.(countedInfo)
	if !ok {
		return func() {}
	}
	info.conn.change(func() int { return -1 })
	return func() { info.conn.change(func() int { return 1 }) }
}
