package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"time"
)

// Open loads an address, in a window of a width in pixels and in a colour scheme: light or dark. It
// does not wait for the page.
func (b *Browser) Open(ctx context.Context, address string, width int, scheme string) error {
	if err := b.Resize(ctx, width, scheme); err != nil {
		return err
	}
	var loaded struct{ ErrorText string }
	if err := b.Call(ctx, "Page.navigate", map[string]any{"url": address}, &loaded); err != nil {
		return err
	}
	if loaded.ErrorText != "" {
		return fmt.Errorf("open %s: %s", address, loaded.ErrorText)
	}
	return nil
}

// Resize sets the width of the window and the colour scheme.
func (b *Browser) Resize(ctx context.Context, width int, scheme string) error {
	metrics := map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
	if err := b.Call(ctx, "Emulation.setDeviceMetricsOverride", metrics, nil); err != nil {
		return err
	}
	features := []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}
	return b.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": features}, nil)
}

// Eval runs a script in the page, and reads its value into out, which may be nil.
func (b *Browser) Eval(ctx context.Context, script string, out any) error {
	var answered struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	params := map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}
	if err := b.Call(ctx, "Runtime.evaluate", params, &answered); err != nil {
		return err
	}
	if e := answered.ExceptionDetails; e != nil {
		return fmt.Errorf("%s: %s %s", script, e.Text, e.Exception.Description)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answered.Result.Value, out); err != nil {
		return fmt.Errorf("%s: %w in %s", script, err, answered.Result.Value)
	}
	return nil
}

// Until waits until a condition is true in the page.
func (b *Browser) Until(ctx context.Context, condition string) error {
	for {
		var met bool
		if err := b.Eval(ctx, "Boolean("+condition+")", &met); err != nil || met {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("this is still not true: %s: %w", condition, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Key presses and releases a key.
func (b *Browser) Key(ctx context.Context, name string) error {
	press := map[string]any{"type": "keyDown", "key": name}
	if len(name) == 1 {
		press["text"] = name
	}
	switch name { // what the browser itself does on these keys goes by their numbers
	case "Enter":
		press["text"], press["windowsVirtualKeyCode"] = "\r", 13
	case "Escape":
		press["windowsVirtualKeyCode"] = 27
	}
	if err := b.Call(ctx, "Input.dispatchKeyEvent", press, nil); err != nil {
		return err
	}
	return b.Call(ctx, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name}, nil)
}

// Screenshot saves an image of the whole page.
func (b *Browser) Screenshot(ctx context.Context, path string) error {
	var shot struct{ Data string }
	params := map[string]any{"format": "png", "captureBeyondViewport": true}
	if err := b.Call(ctx, "Page.captureScreenshot", params, &shot); err != nil {
		return err
	}
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		return err
	}
	return os.WriteFile(path, image, 0o644)
}

// Problems returns the errors and warnings of the page so far, and the requests for anything but a
// host.
func (b *Browser) Problems(host string) []string {
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
			if u, parseErr := url.Parse(sent.Request.URL); err != nil || parseErr != nil || u.Host != host {
				out = append(out, e.Method+" "+sent.Request.URL)
			}
		}
	}
	return out
}

// Forget forgets the problems so far.
func (b *Browser) Forget() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.events = nil
}
