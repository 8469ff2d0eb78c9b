package externalscaler

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// dialRaw returns a connection that speaks HTTP/2 by hand.
func (f *fixture) dialRaw(t *testing.T) *tls.Conn {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", f.address, &tls.Config{
		RootCAs: f.authority.pool(), ServerName: "scaler.test", MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// holdCalls makes calls that do not end: their message is missing, or the client takes no answers,
// because its window is 0.
func (f *fixture) holdCalls(t *testing.T, calls int, finished bool) *tls.Conn {
	t.Helper()
	conn := f.dialRaw(t)
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	message, err := proto.Marshal(ref("shop", "forecast", "llm"))
	if err != nil {
		t.Fatal(err)
	}
	body := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for i := range calls {
		head.Reset()
		for _, h := range [][2]string{
			{":method", "POST"},
			{":scheme", "https"},
			{":authority", "scaler.test"},
			{":path", "/externalscaler.ExternalScaler/IsActive"},
			{"content-type", "application/grpc"},
			{"te", "trailers"},
		} {
			if err := encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
				t.Fatal(err)
			}
		}
		stream := uint32(2*i + 1)
		if err := framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: head.Bytes(), EndHeaders: true,
		}); err != nil {
			t.Fatal(err)
		}
		if !finished {
			continue
		}
		if err := framer.WriteData(stream, true, body); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = conn.Write(out.Bytes()) // It fails when the server has closed the connection meanwhile.
	return conn
}

// unfinished waits until the server counts so many unfinished requests.
func (f *fixture) unfinished(t *testing.T, want int64) {
	t.Helper()
	count := &f.server.listener.unfinished
	for deadline := time.Now().Add(time.Minute); count.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are counted as unfinished, want %d", count.Load(), want)
		}
	}
}

// A client that takes no answers is cut off, and its answers are not kept. Others keep their calls
// and streams.
func TestAnswersThatNobodyTakes(t *testing.T) {
	f := start(t, func(o *Options) { o.maxUnfinished = 100 })
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	c, trigger := f.client(t), ref("shop", "forecast", "llm")
	stream := f.activity(t, trigger)
	stream.next()

	f.holdCalls(t, 90, true)
	f.unfinished(t, 90) // They are within the bound.
	awaitClosed(t, f.holdCalls(t, 500, true))
	f.unfinished(t, 0)
	if n := testutil.ToFloat64(f.server.listener.closed.WithLabelValues("unfinished")); n != 2 {
		t.Errorf("%g connections are counted as closed, want 2", n)
	}
	for range 20 {
		if _, err := c.IsActive(t.Context(), trigger); err != nil {
			t.Errorf("a call of another connection: %v", err)
		}
	}
	stream.nothing() // It has not ended.
}

// Streams that are followed are not unfinished requests, however many there are.
func TestFollowedStreamsAreFinished(t *testing.T) {
	f := start(t, func(o *Options) { o.maxUnfinished = 5 })
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	var streams []receiver[bool]
	c := f.client(t)
	for range 20 {
		stream, err := c.StreamIsActive(t.Context(), ref("shop", "forecast", "llm"))
		if err != nil {
			t.Fatal(err)
		}
		r := receive(t, stream.Recv, (*pb.IsActiveResponse).GetResult)
		r.next()
		streams = append(streams, r)
	}
	f.unfinished(t, 0)
	for _, r := range streams {
		r.nothing()
	}
}

// A connection too many costs the one that was silent for longest, and a client address cannot take
// those of others.
func TestConnectionLimit(t *testing.T) {
	f := start(t, func(o *Options) { o.maxConnections = 6 }) // 3 of one address
	f.set(func(f *fakeForecasts) { f.value, f.capacity = 1, 1 })
	c, trigger := f.client(t), ref("shop", "forecast", "llm")
	call := func() {
		t.Helper()
		if _, err := c.IsActive(t.Context(), trigger); err != nil {
			t.Errorf("a call of a connection that is in use: %v", err)
		}
	}
	call()
	var idle []*tls.Conn
	for range 4 {
		idle = append(idle, f.dialRaw(t))
		call()
	}
	for _, conn := range idle[:2] {
		awaitClosed(t, conn) // There are two newer ones.
	}
	if n := f.server.listener.size(); n != 3 {
		t.Errorf("%d connections are open, want 3", n)
	}
	if n := testutil.ToFloat64(f.server.listener.closed.WithLabelValues("connections")); n != 2 {
		t.Errorf("%g connections are counted as closed, want 2", n)
	}
}

// awaitClosed waits until the server closes a connection.
func awaitClosed(t *testing.T, conn *tls.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := io.Copy(io.Discard, conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // it is not wrapped
		t.Errorf("the connection from %s is still open after a minute", conn.LocalAddr())
	}
}

// size returns how many connections are open.
func (c *connections) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// Several addresses: the one with the most connections loses one.
func TestConnectionsOfManyAddresses(t *testing.T) {
	c := newConnections(nil, Options{maxConnections: 4}, nil)
	add := func(host string, lastRead int64) (closed string) {
		conn := &connection{all: c, host: host}
		conn.lastRead.Store(lastRead)
		old := c.add(conn)
		if old == nil {
			return ""
		}
		c.remove(old)
		return old.host
	}
	for i, step := range []struct{ host, closes string }{
		{"a", ""},
		{"b", ""},
		{"b", ""},
		{"b", "b"}, // half of 4 is the most of one address
		{"c", ""},
		{"d", "b"},
		{"d", "d"}, // one each: the new one is of those with the most
	} {
		if got := add(step.host, int64(i)); got != step.closes {
			t.Errorf("step %d, a connection of %s closes one of %q, want %q", i, step.host, got, step.closes)
		}
	}
}

// Heads are found however the bytes are cut.
func TestFramesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		framer := http2.NewFramer(&out, nil)
		var want []frame
		for i := range rapid.IntRange(0, 20).Draw(t, "frames") {
			id := uint32(2*i + 1)
			switch rapid.SampledFrom([]string{"headers", "data", "reset"}).Draw(t, "kind") {
			case "headers":
				end := rapid.Bool().Draw(t, "end")
				fragment := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "fragment")
				_ = framer.WriteHeaders(http2.HeadersFrameParam{
					StreamID: id, BlockFragment: fragment, EndHeaders: true, EndStream: end,
				})
				flags := byte(http2.FlagHeadersEndHeaders)
				if end {
					flags |= flagEndStream
				}
				want = append(want, frame{frameHeaders, flags, id})
			case "data":
				_ = framer.WriteData(id, false, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data"))
				want = append(want, frame{byte(http2.FrameData), 0, id})
			case "reset":
				_ = framer.WriteRSTStream(id, http2.ErrCodeCancel)
				want = append(want, frame{frameRSTStream, 0, id})
			}
		}
		var f frames
		var got []frame
		for all := out.Bytes(); len(all) > 0; {
			n := rapid.IntRange(1, len(all)).Draw(t, "cut")
			f.scan(all[:n], func(found frame) { got = append(got, found) })
			all = all[n:]
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
	})
}
