package invariants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// value is what a door answered.
type value struct {
	Value     resource.Quantity `json:"value"`
	Timestamp metav1.Time       `json:"timestamp"`
}

var errItems = errors.New("an answer without exactly one item")

// get reads a page of a replica.
func (w *Watch) get(ctx context.Context, r Replica, path string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.Address()+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	resp, err := w.http().Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", resp.Status, body)
	}
	return body, err
}

// ask reads the value of a service at one door of a replica.
func (w *Watch) ask(ctx context.Context, r Replica, path string) (value, error) {
	body, err := w.get(ctx, r, path, 1<<16)
	if err != nil {
		return value{}, err
	}
	var list struct{ Items []value }
	if err := json.Unmarshal(body, &list); err != nil {
		return value{}, fmt.Errorf("%w in %.200s", err, body)
	}
	if len(list.Items) != 1 {
		return value{}, fmt.Errorf("%w: %d", errItems, len(list.Items))
	}
	return list.Items[0], nil
}

func doors(s Service) map[string]string {
	return map[string]string{
		"external": "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.Namespace + "/" + s.Name,
		"object": "/apis/custom.metrics.k8s.io/v1beta1/namespaces/" + s.Namespace + "/forecasts.headstart.dev/" +
			s.Name + "/demand",
	}
}

// Doors asks random services at both doors of every replica, until ctx ends.
func (w *Watch) Doors(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		for _, r := range w.Replicas {
			s := w.Services[rng.IntN(len(w.Services))]
			for door, path := range doors(s) {
				w.check(ctx, r, s, door, path)
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// check asks one door once.
func (w *Watch) check(ctx context.Context, r Replica, s Service, door, path string) {
	asked := time.Now()
	v, err := w.ask(ctx, r, path)
	if ctx.Err() != nil {
		return
	}
	which := fmt.Sprintf("%s, %s door, %s", r.Name(), door, s)
	if errors.Is(err, errItems) {
		w.add(NeverNothing, "%s: %v", which, err)
	}
	if err != nil {
		w.see(func(seen *Seen) { seen.Failures++ })
		if since, calm := w.Shared(); calm && asked.Sub(since) > w.Limits.CalmAfter && !s.Rogue {
			w.add(TenantsApart, "%s: %v", which, err)
		}
		return
	}
	w.see(func(seen *Seen) { seen.Answers++ })
	if !w.right(s, v) {
		w.add(NeverWrong, "%s: %s, want about %g", which, &v.Value, s.Demand)
	}
	if age := asked.Sub(v.Timestamp.Time); age > w.Limits.Oldest || age < -w.Limits.Newest {
		w.add(NeverStale, "%s: a value of %s", which, v.Timestamp)
	}
}

func (w *Watch) right(s Service, v value) bool {
	got := v.Value.AsApproximateFloat64()
	return got >= w.Limits.Lowest*s.Demand && got <= w.Limits.Highest*s.Demand
}
