package harness

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Restart starts an adapter that has ended again, on its old port. It does not wait until it is
// ready.
func (w *World) Restart(ctx context.Context, i int) (*Headstart, error) {
	h, err := Serve(ctx, w.ControlPlane, w.Options.Layout, w.serve[i])
	if err == nil {
		w.Adapters[i] = h
	}
	return h, err
}

// Revive starts every adapter that has ended again, as a kubelet does, and waits until it is ready.
// A replica ends when it loses its lease because the machine stood still. It returns what ended, with
// the ends of the logs.
func (w *World) Revive(ctx context.Context) (ended []string, err error) {
	for i, h := range w.Adapters {
		select {
		case <-h.Done():
		default:
			continue
		}
		ended = append(ended, fmt.Sprintf("%s has ended, and is started again; the end of its log:\n%s", h.Name(), h.Tail()))
		again, err := w.Restart(ctx, i)
		if err != nil {
			return ended, err
		}
		if err := again.AwaitReady(ctx, 3*time.Minute); err != nil {
			return ended, err
		}
	}
	return ended, nil
}

// AwaitOwner waits for at most a minute until one of the adapters plans for a Forecast.
func (w *World) AwaitOwner(ctx context.Context, namespace, name string) (owner *Headstart, err error) {
	var last error
	err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			owner, last = Owner(ctx, w.Adapters, namespace, name)
			return last == nil, nil
		})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, last)
	}
	return owner, nil
}
