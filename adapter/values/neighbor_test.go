package values

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/history"
)

// Forty queries of one namespace, each of which takes nearly as long as a poll may, do not drop a
// neighbour's floor. They would keep four workers busy for 200 s of every 30.
func TestSlowQueriesOfOneNamespaceKeepTheFloorOfAnother(t *testing.T) {
	for name, slow := range map[string]time.Duration{"answered late": 20 * time.Second, "never answered": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := NewObserver(nil, 30*time.Second, clock.RealClock{}, slog.New(slog.DiscardHandler))
				var mu sync.Mutex
				polls := map[string]int{}
				o.query = func(ctx context.Context, namespace string, _ Query, at time.Time) (history.Sample, error) {
					mu.Lock()
					polls[namespace]++
					mu.Unlock()
					if namespace == "shop" {
						return history.Sample{Value: 1, At: at}, nil
					}
					select {
					case <-time.After(slow):
						return history.Sample{Value: 1, At: at}, nil
					case <-ctx.Done():
						return history.Sample{}, ctx.Err()
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); _ = o.Start(ctx) }()
				for i := range 40 {
					key := types.NamespacedName{Namespace: "slow", Name: fmt.Sprint(i)}
					o.follow(key, Query{Expr: fmt.Sprint(i), Source: "s"})
				}
				time.Sleep(time.Minute)
				o.follow(named("fc"), Query{Expr: "q", Source: "s"})
				time.Sleep(2 * time.Second)
				began := time.Now()
				for time.Since(began) < time.Hour {
					if _, at := o.latest(named("fc")); time.Since(at) > 35*time.Second {
						t.Fatalf("after %s the neighbour's demand is %s old", time.Since(began), time.Since(at))
					}
					time.Sleep(time.Second)
				}
				mu.Lock()
				if n := polls["shop"]; n < 110 || n > 130 {
					t.Errorf("the neighbour was polled %d times within an hour, want 120", n)
				}
				if polls["slow"] < 200 {
					t.Errorf("the slow queries were polled %d times within an hour: workers stood idle", polls["slow"])
				}
				mu.Unlock()
				cancel()
				<-ended
			})
		})
	}
}
