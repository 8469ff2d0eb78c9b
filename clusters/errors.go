package clusters

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Kind says what is wrong with an overflow. It is the reason of a condition.
type Kind string

// What can be wrong with an overflow.
const (
	// ClusterUnknown means that the configuration has no such cluster.
	ClusterUnknown Kind = "ClusterUnknown"
	// NamespaceRefused means that the configuration does not let the namespace read that one.
	NamespaceRefused Kind = "NamespaceRefused"
	// ClusterUnusable means that the kubeconfig of the cluster cannot be used.
	ClusterUnusable Kind = "ClusterUnusable"
	// ClusterForbidden means that the other cluster refuses the request.
	ClusterForbidden Kind = "ClusterForbidden"
	// OtherVersion means that the other cluster serves Forecasts in another version.
	OtherVersion Kind = "OtherVersion"
	// LinkAway means that the other cluster cannot be reached.
	LinkAway Kind = "LinkAway"
	// NotReadYet means that the other cluster has not answered yet.
	NotReadYet Kind = "Reading"
	// ForecastNotFound means that the Forecast there does not exist.
	ForecastNotFound Kind = "ForecastNotFound"
	// NoPlanThere means that the Forecast there has no plan yet.
	NoPlanThere Kind = "NoPlanThere"
	// TimelineInvalid means that the timeline cannot be read.
	TimelineInvalid Kind = "TimelineInvalid"
	// TimelineEnded means that the timeline has ended, and that there is no later one.
	TimelineEnded Kind = "TimelineEnded"
	// UnitDiffers means that the two Forecasts name different units.
	UnitDiffers Kind = "UnitDiffers"
	// Cycle means that the overflow would come back to the cluster that it is of.
	Cycle Kind = "Cycle"
	// ChainTooLong means that the overflow goes through more clusters than are followed.
	ChainTooLong Kind = "ChainTooLong"
	// ClockSkew means that the clocks of the two clusters differ. The overflow is used all the same.
	ClockSkew Kind = "ClockSkew"
)

// Error says why an overflow is not known, or is used with care, and what to do.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

func errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of an error of this package; empty for others.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// Refuses reports whether an overflow with this problem must not be planned for, even if it was
// known before. With the other problems the last timeline counts until it ends.
func (k Kind) Refuses() bool {
	switch k {
	case Cycle, ChainTooLong, UnitDiffers, ClusterUnknown, NamespaceRefused:
		return true
	}
	return false
}

// reasonOf returns what the error of a request means; empty for none.
func reasonOf(err error) Kind {
	switch {
	case err == nil:
		return ""
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return ClusterForbidden
	case apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
		return OtherVersion
	}
	return LinkAway
}
