package render

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium. It is driven over pipes, with the DevTools protocol, so that it
// needs no port and no library.
type browser struct {
	t       *testing.T
	to      io.Writer
	session string

	mutex   sync.Mutex
	last    int
	answers map[int]chan answer
	events  []event
	exited  error
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// event is a notification from the browser.
type event struct {
	Method string
	Params json.RawMessage
}

// chromium returns the path of a browser, or "" if there is none.
func chromium() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			return found
		}
	}
	return ""
}

// openBrowser starts a browser with an empty page. It skips the test if tests are to be short. If
// there is no browser, it skips the test, and fails it in CI.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes longer than the other tests of this package")
	}
	path := chromium()
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no chromium, and CHROMIUM does not name one: in CI the page has to be seen in a browser")
		}
		t.Skip("NOT SEEN IN A BROWSER: there is no chromium here (apt-get install chromium), and CHROMIUM does not name one")
	}
	read, theirWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	theirRead, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirRead, theirWrite}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirRead.Close(), theirWrite.Close()
	b := &browser{t: t, to: write, answers: map[int]chan answer{}}
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		b.listen(read)
	}()
	t.Cleanup(func() {
		b.session = ""
		_, _ = b.try("Browser.close", nil)
		_ = write.Close()
		killer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		killer.Stop()
		_ = read.Close()
		<-listened
		if t.Failed() {
			t.Logf("the browser's standard error ends with: %s", tail(stderr.String(), 2000))
		}
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// listen reads messages. It passes answers to the calls that wait for them, and keeps events.
func (b *browser) listen(r io.Reader) {
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
			event
		}
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) != nil {
			continue
		}
		b.mutex.Lock()
		if waiting, ok := b.answers[m.ID]; ok && m.ID != 0 {
			delete(b.answers, m.ID)
			waiting <- m.answer
		} else if m.Method != "" {
			b.events = append(b.events, m.event)
		}
		b.mutex.Unlock()
	}
}

// try sends a command and waits for its answer.
func (b *browser) try(method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = map[string]any{}
	}
	b.mutex.Lock()
	if b.exited != nil {
		b.mutex.Unlock()
		return nil, b.exited
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
		return nil, err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return nil, err
	}
	select {
	case a, ok := <-waiting:
		if !ok {
			return nil, errors.New("the browser has exited")
		}
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-time.After(2 * time.Minute):
		return nil, fmt.Errorf("%s: no answer", method)
	}
}

// call sends a command and reads its answer into out. An error fails the test.
func (b *browser) call(method string, params, out any) {
	b.t.Helper()
	result, err := b.try(method, params)
	if err == nil && out != nil {
		err = json.Unmarshal(result, out)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// open loads a file, with a width in pixels and a colour scheme.
func (b *browser) open(path string, width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.scheme(scheme)
	b.call("Page.navigate", map[string]any{"url": "file://" + path}, nil)
	b.until(`document.readyState === "complete" && location.protocol === "file:" &&
		document.querySelectorAll(".uplot canvas").length > 0`)
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	features := []map[string]string{{"name": "prefers-color-scheme", "value": name}}
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": features}, nil)
}

// eval runs a script in the page and reads its value into out.
func (b *browser) eval(script string, out any) {
	b.t.Helper()
	var answered struct {
		Result struct {
			Value json.RawMessage
		}
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate",
		map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}, &answered)
	if e := answered.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s %s", script, e.Text, e.Exception.Description)
	}
	if out != nil {
		if err := json.Unmarshal(answered.Result.Value, out); err != nil {
			b.t.Fatalf("%s: %v in %s", script, err, answered.Result.Value)
		}
	}
}

// until waits until a condition is true in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var met bool
		if b.eval("Boolean("+condition+")", &met); met {
			return
		}
	}
	b.t.Fatalf("after two minutes, this is still not true: %s", condition)
}

// text returns the text of an element.
func (b *browser) text(selector string) (text string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("document.querySelector(%q).textContent", selector), &text)
	return text
}

// mouse moves the pointer, or presses or releases the button, at a point of the viewport.
func (b *browser) mouse(kind string, x, y float64, pressed bool) {
	b.t.Helper()
	params := map[string]any{"type": kind, "x": x, "y": y}
	if pressed {
		params["button"], params["clickCount"] = "left", 1
		if kind == "mouseMoved" {
			params["buttons"] = 1
		}
	}
	b.call("Input.dispatchMouseEvent", params, nil)
}

// key presses and releases a key.
func (b *browser) key(name string) {
	b.t.Helper()
	press := map[string]any{"type": "keyDown", "key": name}
	if len(name) == 1 {
		press["text"] = name
	}
	b.call("Input.dispatchKeyEvent", press, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name}, nil)
}

// screenshot saves an image of the whole page.
func (b *browser) screenshot(path string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(path, image, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// problems returns errors and warnings of the page, and requests for anything but its own file.
func (b *browser) problems(page string) []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var out []string
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled":
			out = append(out, e.Method+" "+string(e.Params))
		case "Network.requestWillBeSent":
			var sent struct{ Request struct{ URL string } }
			err := json.Unmarshal(e.Params, &sent)
			own := sent.Request.URL == "file://"+page || strings.HasPrefix(sent.Request.URL, "data:")
			if err != nil || !own {
				out = append(out, e.Method+" "+sent.Request.URL)
			}
		}
	}
	return out
}
