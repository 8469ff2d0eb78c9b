package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/model"
)

const (
	// gather is how long to wait for more changes after one.
	gather = 100 * time.Millisecond
	// tick is how often what depends on the time alone is looked at again.
	tick = 10 * time.Second
	// writeWithin bounds one write to a page that does not read.
	writeWithin = 30 * time.Second
)

// events writes server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// newEvents begins a stream of events. The page hears at once that it has begun.
func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	e := &events{w, http.NewResponseController(w)}
	_ = e.write(": welcome\n\n") // if the page is gone, the next event fails too
	return e
}

// send writes one event.
func (e *events) send(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", name, data))
}

func (e *events) write(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

// view sends what has changed since its last call.
type view func(e *events, now time.Time) error

// stream sends a view at once, and again after each change of the cluster.
func (s *server) stream(w http.ResponseWriter, r *http.Request, v view) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		http.Error(w, fmt.Sprintf("more than %d pages are open: close some", maxStreams), http.StatusTooManyRequests)
		return
	}
	e := newEvents(w)
	timer := time.NewTicker(tick)
	defer timer.Stop()
	for {
		changed := s.o.Cluster.Changed()
		began := time.Now()
		if err := v(e, s.o.Now()); err != nil {
			return // the page is gone
		}
		// A large fleet takes longer, and changes more often. It must not fill a processor.
		pause := max(gather, 5*time.Since(began))
		select {
		case <-r.Context().Done():
			return
		case <-timer.C:
		case <-changed:
			time.Sleep(pause)
		}
	}
}

// fleetChange is what has changed in the fleet. Full says that the rows are all there are.
type fleetChange struct {
	Now    int64             `json:"now"`
	Full   bool              `json:"full"`
	Rows   []json.RawMessage `json:"rows"`
	Gone   []string          `json:"gone"`
	Access []model.Access    `json:"access"`
}

// fleet returns the view of all Forecasts. It sends the rows that have changed.
func (s *server) fleet() view {
	var sent map[string][]byte
	return func(e *events, now time.Time) error {
		fleet := s.builder.Fleet(s.o.Cluster.Snapshot(), now)
		change := fleetChange{
			Now: now.Unix(), Full: sent == nil, Access: fleet.Access, Rows: []json.RawMessage{}, Gone: []string{},
		}
		fresh := make(map[string][]byte, len(fleet.Rows))
		for _, r := range fleet.Rows {
			data, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fresh[r.ID] = data
			if !bytes.Equal(sent[r.ID], data) {
				change.Rows = append(change.Rows, data)
			}
		}
		for id := range sent {
			if fresh[id] == nil {
				change.Gone = append(change.Gone, id)
			}
		}
		sent = fresh
		return e.send("fleet", change)
	}
}

// service returns the view of one Forecast.
func (s *server) service(id string) view {
	var sent []byte
	return func(e *events, now time.Time) error {
		objects := s.o.Cluster.Snapshot()
		found, ok := s.builder.Service(objects, id, now)
		if !ok {
			sent = nil
			return e.send("missing", map[string]any{"id": id, "access": objects.Access})
		}
		return sendChanged(e, "service", found, &sent)
	}
}

// week returns the view of the week that has an instant.
func (s *server) week(r *http.Request) (view, error) {
	zone, err := v1alpha1.TimeZone(r.FormValue("zone")).Location()
	if err != nil {
		return nil, err
	}
	at, err := instant(r.FormValue("from"))
	if err != nil {
		return nil, err
	}
	var sent []byte
	return func(e *events, now time.Time) error {
		from := now
		if !at.IsZero() {
			from = at
		}
		return sendChanged(e, "week", s.builder.Week(s.o.Cluster.Snapshot(), from, zone), &sent)
	}, nil
}

// sendChanged sends a value if it is not the one that was sent last. Otherwise it sends a sign of
// life.
func sendChanged(e *events, name string, value any, sent *[]byte) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if bytes.Equal(data, *sent) {
		return e.write(": the same\n\n")
	}
	*sent = data
	return e.send(name, json.RawMessage(data))
}
