package history

import "sync"

// minSharedConcurrency is the least concurrency of a source at which the requests of a namespace
// are bounded.
const minSharedConcurrency = 3

// namespaceSlots bounds the concurrent requests of each namespace to one source, so that the slow
// queries of one namespace leave a slot for the others. A namespace can have all slots but one, and
// its reads of history all but two, so that they leave a slot for its own polls.
type namespaceSlots struct {
	mu    sync.Mutex
	slots map[string]*namespaceSemaphores // by namespace
}

// namespaceSemaphores bound the requests of one namespace.
type namespaceSemaphores struct {
	all     semaphore
	history semaphore // reads of history
}

// of returns the semaphores of a namespace, for a source with the given concurrency. A command has
// no namespace, and no bound besides the concurrency.
func (n *namespaceSlots) of(namespace string, concurrency int) *namespaceSemaphores {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, ok := n.slots[namespace]; ok {
		return s
	}
	all, history := concurrency, concurrency
	if namespace != "" && concurrency >= minSharedConcurrency {
		all, history = concurrency-1, concurrency-2
	}
	if n.slots == nil {
		n.slots = map[string]*namespaceSemaphores{}
	}
	s := &namespaceSemaphores{all: make(semaphore, all), history: make(semaphore, history)}
	n.slots[namespace] = s
	return s
}
