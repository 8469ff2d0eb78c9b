package controlplane

import (
	"context"
	"slices"
)

// KillAPIServer kills kube-apiserver, as a crash would. [ControlPlane.Failed] reports it until
// [ControlPlane.StartAPIServer].
func (c *ControlPlane) KillAPIServer() {
	if p := c.process(c.apiServer.name); p != nil {
		p.Kill()
	}
}

// StartAPIServer starts kube-apiserver again after [ControlPlane.KillAPIServer], on the same port
// and with the same state, and waits until it is ready.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	c.forget(c.apiServer.name)
	p, err := c.run(c.apiServer, apiServerGrace)
	if err != nil {
		return err
	}
	return c.awaitAPIServer(ctx, p)
}

// PauseAPIServer stops kube-apiserver from running until [ControlPlane.ResumeAPIServer]:
// connections stay open, and nothing answers.
func (c *ControlPlane) PauseAPIServer() { c.process(c.apiServer.name).Pause() }

// ResumeAPIServer ends [ControlPlane.PauseAPIServer].
func (c *ControlPlane) ResumeAPIServer() { c.process(c.apiServer.name).Resume() }

// process returns the last process of a name that was started, and nil without one.
func (c *ControlPlane) process(name string) *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Backward(c.running) {
		if p.name == name {
			return p.Process
		}
	}
	return nil
}

// forget removes processes of a name that have ended from those that run.
func (c *ControlPlane) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = slices.DeleteFunc(c.running, func(p *running) bool {
		select {
		case <-p.done:
			return p.name == name
		default:
			return false
		}
	})
}
