package externalscaler

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// streamLimits bounds the open streams of the process and of each namespace. KEDA polls whether or
// not it has a stream, so a ScaledObject beyond the bound only hears of changes later.
type streamLimits struct {
	all, perNamespace int

	mu     sync.Mutex
	open   int
	openIn map[string]int
}

func newStreamLimits(all, perNamespace int) *streamLimits {
	return &streamLimits{all: all, perNamespace: perNamespace, openIn: map[string]int{}}
}

// acquire counts one more stream of a namespace until release is called.
func (l *streamLimits) acquire(namespace string) (release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.all {
		return nil, status.Errorf(codes.ResourceExhausted,
			"%d streams are open, which is the limit of a replica; the trigger is still polled", l.all)
	}
	if l.openIn[namespace] >= l.perNamespace {
		return nil, status.Errorf(codes.ResourceExhausted,
			"namespace %s has %d streams open, which is its limit; the trigger is still polled", namespace, l.perNamespace)
	}
	l.open++
	l.openIn[namespace]++
	return sync.OnceFunc(func() { l.release(namespace) }), nil
}

func (l *streamLimits) release(namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.openIn[namespace]--; l.openIn[namespace] == 0 {
		delete(l.openIn, namespace)
	}
}

// count returns how many streams are open.
func (l *streamLimits) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}
