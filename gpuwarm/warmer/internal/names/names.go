// Package names has the labels, annotations and names of the objects that the warmer makes. Names
// of Forecasts and WarmPools can be longer than a label's value, so labels have hashes, and an
// annotation has the names.
package names

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// Labels and annotations.
const (
	LabelRole      = "headstart.dev/role"
	LabelPool      = "headstart.dev/warmpool-hash"
	LabelForecast  = "headstart.dev/forecast-hash"
	LabelShape     = "headstart.dev/shape-hash"
	LabelNode      = "headstart.dev/node-hash"
	LabelImage     = "headstart.dev/image-hash"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// AnnotationFor has the [Owner].
	AnnotationFor = "headstart.dev/for"

	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "headstart"
	// RolePlaceholder and RolePull are the values of LabelRole.
	RolePlaceholder = "placeholder"
	RolePull        = "image-pull"
	// PullContainer is the container that pulls, in a pull pod. Admission may add others.
	PullContainer = "pull"
)

// hashLength is how many characters a hash has, of 5 bits each. With 130 bits nobody finds two
// names of the same hash. With the 64 bits of a fast hash that takes minutes, and the placeholders
// of two tenants would have the same names and labels.
const hashLength = 26

var lowerCase = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Hash returns a short SHA-256 hash of the parts, in their order. It fits into names and labels.
func Hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		// The length before each part tells ("a", "bc") from ("ab", "c"). Writes to a hash never fail.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		_, _ = h.Write([]byte(p))
	}
	return lowerCase.EncodeToString(h.Sum(nil))[:hashLength]
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

// Owner says for whom an object was made: a WarmPool, and a Forecast of its namespace.
type Owner struct{ Namespace, Pool, Forecast string }

// String returns the value of AnnotationFor.
func (o Owner) String() string { return o.Namespace + "/" + o.Forecast + " by " + o.Pool }

// Key returns the value of LabelForecast.
func (o Owner) Key() string { return Forecast(o.Namespace, o.Forecast) }

// OwnerIn returns the owner that annotations name. ok is false where they name none. Names of
// objects have neither spaces nor slashes, so nothing else reads the same.
func OwnerIn(annotations map[string]string) (o Owner, ok bool) {
	forecast, pool, hasPool := strings.Cut(annotations[AnnotationFor], " by ")
	namespace, name, hasName := strings.Cut(forecast, "/")
	return Owner{namespace, pool, name}, hasPool && hasName
}
