package adapter

import (
	"net/http"
	"testing"
	"time"
)

// broken panics for one Forecast.
type broken struct{ Metrics }

func (b broken) Value(namespace, name string, now time.Time) (Value, error) {
	if name == "broken" {
		panic("this Forecast is broken")
	}
	return b.Metrics.Value(namespace, name, now)
}

// A panic ends its request, and no other. The API machinery sees to that for the metrics APIs.
func TestPanics(t *testing.T) {
	w := start(t)
	w.server.provider.metrics = broken{w.metrics}
	w.metrics.set("shop", "llm", answer{value: Value{Milli: 1000, ComputedAt: noon}})
	for _, path := range []string{
		externalRoot + "shop/broken", customRoot + "shop/forecasts.headstart.dev/broken/demand",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+goodToken)
		if resp, err := w.client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < http.StatusInternalServerError {
				t.Errorf("%s: %s, want an error", path, resp.Status)
			}
		}
	}
	for _, path := range []string{externalRoot + "shop/llm", customRoot + "shop/forecasts.headstart.dev/llm/demand"} {
		if resp, body := w.get(path, ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s after a panic: %s: %s", path, resp.Status, body)
		}
	}
}
