// Package conditions writes the conditions of objects, and Events about them, in one way for all
// reconcilers.
package conditions

import (
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
// at most 1,024 bytes. Type and status before the message take up to 30 of them.
const MaxMessage = 960

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
func (s *Set) Merge(into *[]metav1.Condition) (changed []metav1.Condition) {
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
func Changed(before, now []metav1.Condition) []metav1.Condition {
	var out []metav1.Condition
	for _, c := range now {
		was := meta.FindStatusCondition(before, c.Type)
		if was == nil || was.Status != c.Status || was.Reason != c.Reason {
			out = append(out, c)
		}
	}
	return out
}

// Emit writes an Event about an object for each of the conditions. isWarning reports whether a
// condition asks for somebody's attention. The recorder may be nil.
func Emit(
	recorder events.EventRecorder, about runtime.Object, action string, changed []metav1.Condition,
	isWarning func(metav1.Condition) bool,
) {
	if recorder == nil {
		return
	}
	for _, c := range changed {
		kind := corev1.EventTypeNormal
		if isWarning(c) {
			kind = corev1.EventTypeWarning
		}
		recorder.Eventf(about, nil, kind, c.Reason, action, "%s is %s: %s", c.Type, c.Status, c.Message)
	}
}
