package externalscaler

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"headstart.dev/headstart/adapter/externalscaler/pb"
)

// The keys of a trigger's metadata. KEDA sends a key that ends in FromEnv with the value of the
// target's environment variable, so each of these may end in FromEnv too.
const (
	// KeyForecast is the name of the Forecast.
	KeyForecast = "forecast"
	// KeyTarget is the demand that one replica serves.
	KeyTarget = "targetValue"
	// KeyThreshold is the demand above which a workload at zero replicas wakes; 0 by default.
	KeyThreshold = "activationThreshold"
)

const (
	fromEnv = "FromEnv"
	// minTarget is the smallest target that KEDA can send on to the HPA, which counts in
	// thousandths.
	minTarget = 0.001
	// maxTarget keeps a target in thousandths within 64 bits.
	maxTarget = 9e15
	// maxNamespace and maxName are the longest names that Kubernetes has.
	maxNamespace = 63
	maxName      = 253
	// maxShown bounds what a message repeats of other values.
	maxShown = 64
)

// trigger is what the metadata of a trigger says.
type trigger struct {
	namespace, forecast string
	// target is 0 when the metadata has none.
	target, threshold float64
}

// parseTrigger reads the metadata of a trigger. The error is a gRPC status that says what to change.
func parseTrigger(ref *pb.ScaledObjectRef) (trigger, error) {
	namespace, forecast := ref.GetNamespace(), lookup(ref, KeyForecast)
	switch {
	case namespace == "":
		return trigger{}, invalid("the call names no namespace")
	case len(namespace) > maxNamespace || len(forecast) > maxName:
		return trigger{}, invalid("the call names a namespace of %d bytes, and metadata.%s has %d: the longest names of "+
			"Kubernetes have %d and %d", len(namespace), KeyForecast, len(forecast), maxNamespace, maxName)
	case forecast == "":
		return trigger{}, invalid("the trigger of ScaledObject %s/%.*s names no Forecast: set metadata.%s to the name of "+
			"one in the same namespace", namespace, maxName, ref.GetName(), KeyForecast)
	case strings.Contains(forecast, "/"):
		return trigger{}, invalid("metadata.%s is %q: give the name alone; a trigger reads Forecasts of its own "+
			"namespace only", KeyForecast, forecast)
	}
	// A stream keeps the names: the copy is without the space that was around them.
	t := trigger{namespace: namespace, forecast: strings.Clone(forecast)}
	var err error
	if t.target, err = number(ref, KeyTarget, minTarget); err != nil {
		return t, err
	}
	t.threshold, err = number(ref, KeyThreshold, 0)
	return t, err
}

// lookup returns a value of the metadata, without the space around it.
func lookup(ref *pb.ScaledObjectRef, key string) string {
	metadata := ref.GetScalerMetadata()
	if v, ok := metadata[key]; ok {
		return strings.TrimSpace(v)
	}
	return strings.TrimSpace(metadata[key+fromEnv])
}

// number returns a number of the metadata, and 0 where there is none.
func number(ref *pb.ScaledObjectRef, key string, least float64) (float64, error) {
	text := lookup(ref, key)
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < least || v > maxTarget {
		return 0, invalid("metadata.%s is %.*q: give a number from %v to %v", key, maxShown, text, least, maxTarget)
	}
	return v, nil
}

func invalid(format string, args ...any) error {
	return status.Error(codes.InvalidArgument, fmt.Sprintf(format, args...))
}
