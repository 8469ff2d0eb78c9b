package harness_test

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// echo is a server that sends a name on each connection, and then what it receives.
func echo(t *testing.T, name string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, name)
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l
}

func TestForwarder(t *testing.T) {
	a, b := echo(t, "a"), echo(t, "b")
	t.Cleanup(func() { _ = b.Close() })
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := harness.Forward(ports[0], a.Addr().String(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])))
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(c, "!")
		buf := make([]byte, 2)
		if _, err := io.ReadFull(c, buf); err != nil {
			return err.Error()
		}
		return string(buf)
	}
	seen := map[string]bool{}
	for range 4 {
		seen[ask()] = true
	}
	if !seen["a!"] || !seen["b!"] || len(seen) != 2 {
		t.Errorf("four connections see %v, want both backends", seen)
	}
	_ = a.Close()
	for range 4 {
		if got := ask(); got != "b!" {
			t.Errorf("a connection past a dead backend sees %q, want b!", got)
		}
	}
	f.Close()
	if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))); err != nil {
		t.Errorf("the port is held after Close: %v", err)
	} else {
		_ = l.Close()
	}
}

func TestForwarderCut(t *testing.T) {
	a := echo(t, "a")
	t.Cleanup(func() { _ = a.Close() })
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := harness.Forward(ports[0], a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	dial := func() (net.Conn, error) {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = io.ReadFull(c, make([]byte, 1))
		return c, err
	}
	open, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	f.Cut()
	if _, err := io.ReadFull(open, make([]byte, 1)); err == nil {
		t.Error("a connection outlives the cut")
	}
	if _, err := dial(); err == nil {
		t.Error("a new connection was let through a cut")
	}
	f.Restore()
	if _, err := dial(); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}
