package history_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/history"
)

// However many slow polls and reads a namespace has, another one's poll and read find a slot.
func TestSlowNamespaceLeavesSlotsForOthers(t *testing.T) {
	for _, concurrency := range []int{3, 4, 10} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			answers := &fakePrometheus{value: one}
			slow := make(chan string, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _ = r.ParseForm(); strings.Contains(r.Form.Get("query"), "slow") {
					slow <- r.URL.Path
					<-r.Context().Done()
					return
				}
				answers.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			sources, err := history.LoadSources(write(t, "sources.yaml", fmt.Sprintf(
				"sources: [{name: default, url: %q, namespaces: [\"*\"], concurrency: %d}]", server.URL, concurrency)))
			if err != nil {
				t.Fatal(err)
			}
			of := func(namespace string) *history.Source {
				s, err := sources.For(namespace, "default")
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { _, _, _ = of("greedy").Range(ctx, "slow", from, from.Add(time.Hour), time.Minute, nil) })
			}
			for range concurrency - 2 {
				<-slow // the reads have all that they can have
			}
			for range 20 {
				all.Go(func() { _, _ = of("greedy").Latest(ctx, "slow", from) })
			}
			if path := <-slow; path != "/api/v1/query" {
				t.Errorf("a request to %s, want a poll: reads leave a slot for the polls of their own namespace", path)
			}
			began := time.Now()
			if _, err := of("modest").Latest(ctx, "up", from); err != nil {
				t.Errorf("a poll beside a slow namespace: %v", err)
			}
			if _, _, err := of("modest").Range(ctx, "up", from, from.Add(time.Hour), time.Minute, nil); err != nil {
				t.Errorf("a read beside a slow namespace: %v", err)
			}
			if took := time.Since(began); took > 15*time.Second { // the slow requests end after 30 s
				t.Errorf("it took %s", took)
			}
			if n := len(slow); n != 0 {
				t.Errorf("the slow namespace has %d requests more than its bound", n)
			}
			cancel()
			all.Wait()
		})
	}
}
