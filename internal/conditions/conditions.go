// Package conditions writes the conditions of objects, and Events about them, in one way for all
// reconcilers.
package conditions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// MaxMessage is the longest message of a condition, in bytes. Conditions become Events, which have
// at most maxNote bytes. Type and status before the message take up to 30 of them.
const MaxMessage = 960

// maxNote is the longest note of an Event, in bytes.
const maxNote = 1024

// ready is the type of the condition that sums the others up.
const ready = "Ready"

// Change is a condition whose status or reason has changed.
type Change struct {
	metav1.Condition
	// Before is what it was; nil for a new condition.
	Before *metav1.Condition
}

// Set collects the conditions of one object.
type Set struct {
	// List has the conditions.
	List []metav1.Condition
	// Generation of the object that they are about.
	Generation int64
	// Now is the time of a condition whose status changes.
	Now time.Time
}

// Put sets a condition. A message that is too long is clipped.
func (s *Set) Put(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.List, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: Clip(message, MaxMessage),
		ObservedGeneration: s.Generation, LastTransitionTime: metav1.NewTime(s.Now),
	})
}

// Get returns the condition of a type; nil where there is none.
func (s *Set) Get(kind string) *metav1.Condition { return meta.FindStatusCondition(s.List, kind) }

// SetTrue sets a condition to True.
func (s *Set) SetTrue(kind, reason, format string, args ...any) {
	s.Put(kind, metav1.ConditionTrue, reason, fmt.Sprintf(format, args...))
}

// SetFalse sets a condition to False.
func (s *Set) SetFalse(kind, reason, format string, args ...any) {
	s.Put(kind, metav1.ConditionFalse, reason, fmt.Sprintf(format, args...))
}

// SetUnknown sets a condition to Unknown.
func (s *Set) SetUnknown(kind, reason, format string, args ...any) {
	s.Put(kind, metav1.ConditionUnknown, reason, fmt.Sprintf(format, args...))
}

// Merge replaces the conditions in into by the collected ones. A condition whose status did not
// change keeps its LastTransitionTime. It returns the conditions whose status or reason changed.
func (s *Set) Merge(into *[]metav1.Condition) (changed []Change) {
	changed = Changed(*into, s.List)
	for _, c := range s.List {
		meta.SetStatusCondition(into, c)
	}
	*into = slices.DeleteFunc(*into, func(c metav1.Condition) bool { return s.Get(c.Type) == nil })
	return changed
}

// Status returns True or False.
func Status(ok bool) metav1.ConditionStatus {
	if ok {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// Clip shortens a text to so many bytes, and leaves it valid UTF-8.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "..."
}

// Changed returns the conditions of now whose status or reason differs from before, or that are
// new.
func Changed(before, now []metav1.Condition) []Change {
	var out []Change
	for _, c := range now {
		was := meta.FindStatusCondition(before, c.Type)
		if was == nil || was.Status != c.Status || was.Reason != c.Reason {
			out = append(out, Change{c, was.DeepCopy()})
		}
	}
	return out
}

// Emit writes at most two Events about an object: a Warning about the conditions that ask for
// somebody's attention now, and a Normal one about the others. It writes no Normal one where all of
// these are new and Ready is not among them: the status has them, and nobody waits for them.
// isWarning reports whether a condition asks for somebody's attention. The recorder may be nil.
func Emit(
	recorder events.EventRecorder, about runtime.Object, action string, changed []Change,
	isWarning func(metav1.Condition) bool,
) {
	var warnings, others []metav1.Condition
	worth := false
	for _, c := range changed {
		if isWarning(c.Condition) {
			warnings = append(warnings, c.Condition)
			continue
		}
		others = append(others, c.Condition)
		worth = worth || c.Before != nil || c.Type == ready
	}
	emit(recorder, about, corev1.EventTypeWarning, action, warnings)
	if worth {
		emit(recorder, about, corev1.EventTypeNormal, action, others)
	}
}

// emit writes one Event about all of these conditions. Its reason is that of Ready, or of the first
// one.
func emit(recorder events.EventRecorder, about runtime.Object, kind, action string, list []metav1.Condition) {
	if recorder == nil || len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b metav1.Condition) int {
		return cmp.Compare(rank(a), rank(b))
	})
	notes := make([]string, 0, len(list))
	for _, c := range list {
		notes = append(notes, fmt.Sprintf("%s is %s: %s", c.Type, c.Status, c.Message))
	}
	recorder.Eventf(about, nil, kind, list[0].Reason, action, "%s", Clip(strings.Join(notes, "; "), maxNote))
}

// rank is lower for what an Event names first.
func rank(c metav1.Condition) int {
	if c.Type == ready {
		return 0
	}
	return 1
}
