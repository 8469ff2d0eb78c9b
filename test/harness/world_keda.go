package harness

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

// scalerName is the headless Service in front of Headstart's scaler.
const scalerName = "headstart-scaler." + Namespace + ".svc"

// startWithKEDA starts KEDA, and Headstart beside it without a metrics API group. As in a cluster,
// every replica has an address of its own, the scaler's port is the same, and the name of the
// headless Service leads to all of them. KEDA verifies the certificate for that name.
func (w *World) startWithKEDA(ctx context.Context) error {
	var err error
	if w.KEDA, err = StartKEDA(ctx, w.ControlPlane, w.Options.Layout); err != nil {
		return err
	}
	ports, err := controlplane.FreePorts(2)
	if err != nil {
		return err
	}
	if err := Install(ctx, w.ControlPlane, w.Options.Layout, "keda", ports[0]); err != nil {
		return err
	}
	if err := w.Apply(ctx, trustYAML); err != nil {
		return err
	}
	sources := map[string]string{}
	for name, p := range w.Sources {
		sources[name] = p.URL
	}
	var addresses []net.IP
	for i := range w.Options.Adapters {
		ip := net.IPv4(127, 0, 0, byte(1+i))
		o := CompressedTime(fmt.Sprintf("headstart-%d", i), ports[0], sources)
		o.HPASync, o.Host = w.Options.ControlPlane.HPASyncPeriod, ip.String()
		o.Doors = KEDADoor(ports[1])
		h, err := Serve(ctx, w.ControlPlane, w.Options.Layout, o)
		if err != nil {
			return err
		}
		w.serve, w.Adapters, addresses = append(w.serve, o), append(w.Adapters, h), append(addresses, ip)
	}
	if w.dns, err = ServeDNS(scalerName, func() []net.IP { return addresses }); err != nil {
		return fmt.Errorf("serve the name of the scaler: %w", err)
	}
	w.Scaler = fmt.Sprintf("dns://%s/%s:%d", w.dns.Address(), scalerName, ports[1])
	for _, h := range w.Adapters {
		if err := h.AwaitReady(ctx, 3*time.Minute); err != nil {
			return err
		}
	}
	return nil
}

// KEDADoor returns the flags of headstart serve that the overlay keda has, with a port for the
// scaler.
func KEDADoor(port int) []string {
	return []string{
		"--external-scaler", "--external-scaler-port=" + strconv.Itoa(port),
		"--external-scaler-ca-configmap=" + KEDANamespace + "/headstart-ca", "--scaled-objects",
	}
}

// trustYAML gives KEDA the CA of Headstart's certificate, as docs/keda.md says.
const trustYAML = `
apiVersion: keda.sh/v1alpha1
kind: ClusterTriggerAuthentication
metadata: {name: headstart}
spec:
  configMapTargetRef:
  - {parameter: caCert, name: headstart-ca, key: ca.crt}
`
