package adapter

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// goawayInterval is the least time between two GOAWAYs of a replica. A new connection takes some
// milliseconds, which requests wait for.
const goawayInterval = 15 * time.Second

// goaway ends the connection of an HTTP/2 client after some of its requests. An API server keeps one
// connection, and would keep to one replica. Busy clients get most of the GOAWAYs.
type goaway struct {
	http.Handler
	chance float64 // of each request
	clock  clock.PassiveClock
	last   atomic.Int64 // in nanoseconds since 1970
}

// ServeHTTP implements [http.Handler].
func (g *goaway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	//nolint:gosec // spreads load, guards nothing
	if r.ProtoMajor == 2 && rand.Float64() < g.chance && g.due() {
		w.Header().Set("Connection", "close") // HTTP/2 makes a GOAWAY of it
	}
	g.Handler.ServeHTTP(w, r)
}

// due reports whether the last GOAWAY was long enough ago, once for each.
func (g *goaway) due() bool {
	now, last := g.clock.Now().UnixNano(), g.last.Load()
	return now-last >= int64(goawayInterval) && g.last.CompareAndSwap(last, now)
}
