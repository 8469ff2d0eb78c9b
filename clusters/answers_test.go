package clusters

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A cluster that accepts requests and does not answer them, or not in a size that fits, is away.
func TestBadAnswers(t *testing.T) {
	list := []byte(`{"apiVersion":"headstart.dev/v1alpha1","kind":"ForecastList",` +
		`"metadata":{"resourceVersion":"1"},"items":[`)
	endless := func(w http.ResponseWriter, r *http.Request, start []byte) {
		w.Header().Set("Content-Type", "application/json")
		part := bytes.Repeat([]byte(" "), 1<<20)
		_, err := w.Write(start)
		for err == nil && r.Context().Err() == nil {
			_, err = w.Write(part)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request, _ bool) { <-r.Context().Done() }
	cases := map[string]struct {
		reason string
		answer func(w http.ResponseWriter, r *http.Request, watches bool)
		want   string // in the error
	}{
		"Silent": {"it never answers", silent, "deadline"},
		"SilentWatch": {"it lists, and never begins the watch", func(w http.ResponseWriter, r *http.Request, watches bool) {
			if watches {
				silent(w, r, watches)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(append(slices.Clone(list), "]}"...))
		}, "no answer within"},
		"EndlessList": {"a list without end", func(w http.ResponseWriter, r *http.Request, _ bool) {
			endless(w, r, list)
		}, "larger than 32 MiB"},
		"Redirect": {"it leads elsewhere", func(w http.ResponseWriter, r *http.Request, _ bool) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "redirects"},
		"Elements": {"elements that decode to much", func(w http.ResponseWriter, _ *http.Request, _ bool) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(append(append(slices.Clone(list), bytes.Repeat([]byte("{},"), maxForecasts)...), "{}]}"...))
		}, "more than 10000 elements"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer(t)
			s.answer = tc.answer
			wait := time.Minute // longer than any answer takes on a busy machine
			if strings.HasPrefix(name, "Silent") {
				wait = time.Second
			}
			c := s.configure(t, wait)
			begin(t, c)
			of := Reference{"a", "shop", "web"}
			told := make(chan struct{}, 1)
			go func() {
				for {
					select {
					case <-t.Context().Done():
						return
					case <-c.Changes():
						select {
						case told <- struct{}{}:
						default:
						}
					}
				}
			}()
			var err error
			eventually(t, tc.reason+": it is not away", func() bool {
				r, problem := c.Of(here(0), of)
				if problem != nil {
					t.Fatal(problem)
				}
				_, problem = Interpret(r, of, Own{}, start)
				err = r.Err
				return KindOf(problem) == LinkAway
			})
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: the error is %v, want %q in it", tc.reason, err, tc.want)
			}
			<-told
		})
	}
}

// Forecasts there that nobody follows cost nothing here, however often they change.
func TestOthersAreNotTold(t *testing.T) {
	s := newAPIServer(t, "web", "other")
	c := s.configure(t, 0) // without Start nothing is sent, so that what waits is seen
	if _, err := c.Of(here(0), Reference{"a", "shop", "web"}); err != nil {
		t.Fatal(err)
	}
	w := c.watches[place{"a", "shop"}]
	event := remote()
	event.Name = "other"
	c.mu.Lock() // seen would wait for it
	w.seen(event, true)
	c.mu.Unlock()
	if now, _ := c.notices.due(); len(now) != 0 {
		t.Errorf("told of a Forecast that nobody follows: %v", now)
	}
	event.Name = "web"
	w.seen(event, true)
	if now, _ := c.notices.due(); len(now) != 1 || now[0] != here(0) {
		t.Errorf("told %v, want %v", now, here(0))
	}
	c.Forget(here(0))
	if len(c.watches)+len(c.followed.of)+len(c.followed.by)+len(w.names) > 1 {
		t.Errorf("something is left: %v %v", c.watches, c.followed)
	}
}
