// Package overload knows how short of memory the process is.
package overload

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/internal/memory"
)

// age is how long a level counts before memory is looked at again.
const age = 5 * time.Second

// Memory knows how much the process goes without because of its memory. It is safe for concurrent
// use. A nil *Memory goes without nothing.
type Memory struct {
	use   func() memory.Use
	clock clock.PassiveClock

	mu    sync.Mutex
	level memory.Level
	seen  memory.Use
	at    time.Time
}

// New returns one that looks at use, with its metric. use is that of the process when it is
// nil.
func New(use func() memory.Use, c clock.PassiveClock, r prometheus.Registerer) *Memory {
	if use == nil {
		use = memory.OfProcess
	}
	o := &Memory{use: use, clock: c}
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "headstart_controller_overload_level",
		Help: "What the process goes without because of its memory: 0 nothing, 1 its largest models, " +
			"2 frequent fits, 3 new Forecasts.",
	}, func() float64 { level, _ := o.Now(); return float64(level) })
	return o
}

// Now returns the level, and the use that it follows from.
func (o *Memory) Now() (memory.Level, memory.Use) {
	if o == nil {
		return memory.Enough, memory.Use{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.clock.Now(); o.at.IsZero() || now.Sub(o.at) >= age {
		o.at, o.seen = now, o.use()
		o.level = memory.Next(o.level, o.seen)
	}
	return o.level, o.seen
}
