// Package ui serves a page on which one sees what Headstart knows: all Forecasts, one of them, the
// week of declared peaks, and what another setting would have led to. It is served to the user of
// this machine alone, and it only reads.
package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/explain"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
	"headstart.dev/headstart/gpuwarm"
)

// Cluster is what the page shows.
type Cluster interface {
	// Snapshot returns what is known now. Nobody changes it.
	Snapshot() model.Objects
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Options of the page.
type Options struct {
	// Cluster follows the cluster, and Context names it.
	Cluster Cluster
	Context string
	// Conditions explain conditions.
	Conditions *explain.Table
	// Starts reads the starts of the pods of a Forecast's target.
	Starts func(context.Context, *v1alpha1.Forecast) (gpuwarm.Breakdown, error)
	// Study reads the history of demand and replays it.
	Study *whatif.Study
	// Now is the clock.
	Now func() time.Time
}

func (o Options) validate() error {
	if o.Cluster == nil || o.Conditions == nil || o.Starts == nil || o.Study == nil || o.Now == nil {
		return errors.New("the page needs a cluster, conditions, starts, a study and a clock")
	}
	return nil
}

// maxStreams bounds the pages that are open at the same time.
const maxStreams = 32

// server answers the page.
type server struct {
	o       Options
	builder *model.Builder
	streams chan struct{}
	turn    turn
}

// Serve serves the page at a listener until ctx ends. The token is the first part of its path.
func Serve(ctx context.Context, l net.Listener, token string, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	handler, err := newHandler(l.Addr(), token, o)
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := context.AfterFunc(ctx, func() { _ = web.Close() })
	defer ended()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newHandler returns the guarded handler for an address.
func newHandler(address net.Addr, token string, o Options) (http.Handler, error) {
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, err
	}
	s := &server{o: o, builder: model.NewBuilder(o.Conditions), streams: make(chan struct{}, maxStreams)}
	mux := http.NewServeMux()
	if err := serveAssets(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /api/about", s.about)
	mux.HandleFunc("GET /api/fleet", func(w http.ResponseWriter, r *http.Request) { s.stream(w, r, s.fleet()) })
	mux.HandleFunc("GET /api/service", func(w http.ResponseWriter, r *http.Request) {
		s.stream(w, r, s.service(r.FormValue("forecast")))
	})
	mux.HandleFunc("GET /api/week", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.week(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.stream(w, r, v)
	})
	mux.HandleFunc("GET /api/starts", s.starts)
	mux.HandleFunc("GET /api/demand", s.demand)
	mux.HandleFunc("GET /api/whatif", s.whatIf)
	return &guard{token: token, hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, next: mux}, nil
}

// about says which cluster this is, and where history comes from.
func (s *server) about(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"context": s.o.Context, "history": s.o.Study.From()})
}

// forecast returns the Forecast that a request names. Without one, it answers the request.
func (s *server) forecast(w http.ResponseWriter, r *http.Request) *v1alpha1.Forecast {
	id := r.FormValue("forecast")
	for _, fc := range s.o.Cluster.Snapshot().Forecasts {
		if fc.Namespace+"/"+fc.Name == id {
			return fc.DeepCopy()
		}
	}
	http.Error(w, fmt.Sprintf("there is no Forecast %q that you may see", id), http.StatusNotFound)
	return nil
}

// startsWithin bounds the reading of pods.
const startsWithin = 30 * time.Second

// starts answers with the phases of the starts of existing pods.
func (s *server) starts(w http.ResponseWriter, r *http.Request) {
	fc := s.forecast(w, r)
	if fc == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), startsWithin)
	defer cancel()
	found, err := s.o.Starts(ctx, fc)
	if err != nil {
		writeJSON(w, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, model.StartsOf(found))
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the page is gone, so nobody can read an error
}

// instant reads seconds since 1970; the zero time for "".
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	const first, last = 31536000, 7226582400 // 1971 to 2198, as schedules are evaluated
	if err != nil || n < first || n > last {
		return time.Time{}, fmt.Errorf("%q is not a time from 1971 to 2198, in seconds since 1970", text)
	}
	return time.Unix(n, 0), nil
}
