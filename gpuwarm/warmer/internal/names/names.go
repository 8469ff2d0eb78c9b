// Package names has the labels, annotations and names of the objects that the warmer makes. Names
// of Forecasts and WarmPools can be longer than a label's value, so labels have hashes, and an
// annotation has the names.
package names

import (
	"hash/fnv"
	"strconv"
)

// Labels and annotations.
const (
	LabelRole     = "headstart.dev/role"
	LabelPool     = "headstart.dev/warmpool-hash"
	LabelForecast = "headstart.dev/forecast-hash"
	LabelShape    = "headstart.dev/shape-hash"
	LabelNode     = "headstart.dev/node-hash"
	LabelImage    = "headstart.dev/image-hash"

	AnnotationFor = "headstart.dev/for"

	// RolePlaceholder and RolePull are the values of LabelRole.
	RolePlaceholder = "placeholder"
	RolePull        = "image-pull"
	// PullContainer is the container that pulls, in a pull pod. Admission may add others.
	PullContainer = "pull"
)

// Hash returns a short hash of the parts, in their order.
func Hash(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00")) // never fails
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Pool returns the value of LabelPool.
func Pool(namespace, name string) string { return Hash("pool", namespace, name) }

// Forecast returns the value of LabelForecast.
func Forecast(namespace, name string) string { return Hash("forecast", namespace, name) }

// Object returns the name of an object that a WarmPool has for one Forecast, in the Forecast's
// namespace.
func Object(namespace, pool, forecast string) string {
	return "headstart-" + Hash(namespace, pool, forecast)
}
