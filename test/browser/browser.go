// Package browser drives a headless Chromium, over pipes and with the DevTools protocol, so that it
// needs no port and no library.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// ErrNone means that there is no browser on this machine.
var ErrNone = errors.New("there is no chromium here (apt-get install chromium), and CHROMIUM does not name one")

// Browser is a headless Chromium with one page. It is safe for concurrent use.
type Browser struct {
	cmd     *exec.Cmd
	to      io.WriteCloser
	profile string
	stderr  bytes.Buffer
	session string
	ended   chan struct{} // closed when nothing more can be read

	mutex   sync.Mutex
	last    int
	answers map[int]chan answer
	events  []Event
	exited  error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Event is a notification of the browser.
type Event struct {
	Method string
	Params json.RawMessage
}

// find returns the path of a browser; "" without one.
func find() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			return found
		}
	}
	return ""
}

// Start starts a browser with an empty page. Every name but those of this machine leads nowhere.
func Start(ctx context.Context) (_ *Browser, err error) {
	path := find()
	if path == "" {
		return nil, ErrNone
	}
	b := &Browser{answers: map[int]chan answer{}, ended: make(chan struct{})}
	if b.profile, err = os.MkdirTemp("", "headstart-browser-"); err != nil {
		return nil, err
	}
	if err := b.start(path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.profile))
	}
	if err := b.attach(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// start starts the process. It reads commands from its file 3, and writes to its file 4.
func (b *Browser) start(path string) error {
	theirs, to, err := os.Pipe()
	if err != nil {
		return err
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		return errors.Join(err, theirs.Close(), to.Close())
	}
	b.cmd = exec.Command(path, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--hide-scrollbars",
		"--user-data-dir="+b.profile, "about:blank")
	b.cmd.ExtraFiles, b.cmd.Stderr, b.to = []*os.File{theirs, theirOut}, &b.stderr, to
	err = b.cmd.Start()
	err = errors.Join(err, theirs.Close(), theirOut.Close())
	if err != nil {
		return errors.Join(err, to.Close(), from.Close())
	}
	go func() {
		defer close(b.ended)
		b.listen(from)
		_ = from.Close()
	}()
	return nil
}

// attach makes a page.
func (b *Browser) attach(ctx context.Context) error {
	var target struct{ TargetID string }
	if err := b.Call(ctx, "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return err
	}
	var attached struct{ SessionID string }
	err := b.Call(ctx, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	if err != nil {
		return err
	}
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := b.Call(ctx, domain+".enable", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the browser, and removes its profile.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b.session = ""
	_ = b.Call(ctx, "Browser.close", nil, nil) // it may have ended
	_ = b.to.Close()
	killer := time.AfterFunc(10*time.Second, func() { _ = b.cmd.Process.Kill() })
	_ = b.cmd.Wait()
	killer.Stop()
	<-b.ended
	return os.RemoveAll(b.profile)
}

// Stderr is what the browser has written to its standard error. Call it after Close.
func (b *Browser) Stderr() string { return b.stderr.String() }

// listen reads messages. It passes answers to the calls that wait for them, and keeps events.
func (b *Browser) listen(r io.Reader) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		text, err := lines.ReadBytes(0)
		if err != nil {
			b.mutex.Lock()
			b.exited = fmt.Errorf("the browser has exited: %w", err)
			for id, waiting := range b.answers {
				close(waiting)
				delete(b.answers, id)
			}
			b.mutex.Unlock()
			return
		}
		var m struct {
			ID int
			answer
			Event
		}
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) != nil {
			continue
		}
		b.mutex.Lock()
		if waiting, ok := b.answers[m.ID]; ok && m.ID != 0 {
			delete(b.answers, m.ID)
			waiting <- m.answer
		} else if m.Method != "" {
			b.events = append(b.events, m.Event)
		}
		b.mutex.Unlock()
	}
}

// Call sends a command, and reads its answer into out, which may be nil.
func (b *Browser) Call(ctx context.Context, method string, params, out any) error {
	if params == nil {
		params = map[string]any{}
	}
	b.mutex.Lock()
	if b.exited != nil {
		b.mutex.Unlock()
		return b.exited
	}
	b.last++
	id, waiting := b.last, make(chan answer, 1)
	b.answers[id] = waiting
	b.mutex.Unlock()
	message := map[string]any{"id": id, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return err
	}
	select {
	case a, ok := <-waiting:
		switch {
		case !ok:
			return errors.New("the browser has exited")
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case out == nil:
			return nil
		}
		return json.Unmarshal(a.Result, out)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}
