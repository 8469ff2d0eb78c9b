package conditions

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"headstart.dev/headstart/api/v1alpha1"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A condition has the generation that it is about, and keeps the time of its last transition.
func TestPut(t *testing.T) {
	s := Set{Generation: 1, Now: start}
	s.Put("Ready", metav1.ConditionFalse, "Failed", "first")
	s.Generation, s.Now = 2, start.Add(time.Minute)
	s.Put("Ready", metav1.ConditionFalse, "Denied", strings.Repeat("ü", MaxMessage))
	c := s.Get("Ready")
	if c.Reason != "Denied" || c.ObservedGeneration != 2 || !c.LastTransitionTime.Time.Equal(start) {
		t.Errorf("%+v", c)
	}
	if len(c.Message) > MaxMessage || !utf8.ValidString(c.Message) {
		t.Errorf("a message of %d bytes", len(c.Message))
	}
	s.Put("Ready", Status(true), "Ok", "")
	if c = s.Get("Ready"); !c.LastTransitionTime.Time.Equal(s.Now) {
		t.Errorf("%+v", c)
	}
}

// The longest message fits into an Event, with the longest type of a condition.
func TestLongestMessageFitsIntoAnEvent(t *testing.T) {
	var s Set
	s.Put(v1alpha1.ConditionWithinMaxReplicas, metav1.ConditionUnknown, "Reason", strings.Repeat("x", 2*MaxMessage))
	recorder := events.NewFakeRecorder(1)
	Emit(recorder, &v1alpha1.Forecast{}, "Evaluate", Changed([]metav1.Condition{
		{Type: v1alpha1.ConditionWithinMaxReplicas, Status: metav1.ConditionTrue},
	}, s.List), func(metav1.Condition) bool { return false })
	if note := strings.TrimPrefix(<-recorder.Events, "Normal Reason "); len(note) > 1024 {
		t.Errorf("the note of the Event has %d bytes, and the API accepts 1024", len(note))
	}
}

// There is one Event about all that asks for attention, and one about all else that is news.
func TestEmit(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "message"}
	}
	before := []metav1.Condition{
		condition("A", metav1.ConditionTrue, "Ok"), condition("B", metav1.ConditionTrue, "Ok"),
		condition("C", metav1.ConditionTrue, "Ok"), condition("D", metav1.ConditionFalse, "Bad"),
	}
	for name, tc := range map[string]struct {
		reason string
		now    []metav1.Condition
		want   []string
	}{
		"nothing": {"what stays is no news", before, nil},
		"another reason": {
			"it may be what somebody waits for",
			[]metav1.Condition{condition("A", metav1.ConditionTrue, "Other")},
			[]string{"Normal Other A is True: message"},
		},
		"two that are bad": {
			"one Event for both",
			[]metav1.Condition{condition("A", metav1.ConditionFalse, "Bad"), condition("B", metav1.ConditionFalse, "Bad2")},
			[]string{"Warning Bad A is False: message; B is False: message"},
		},
		"better, and Ready": {
			"Ready comes first, and all is in one Event",
			[]metav1.Condition{condition("D", metav1.ConditionTrue, "Ok"), condition("Ready", metav1.ConditionTrue, "Serving")},
			[]string{"Normal Serving Ready is True: message; D is True: message"},
		},
		"bad and good": {
			"they have different types",
			[]metav1.Condition{condition("A", metav1.ConditionFalse, "Bad"), condition("D", metav1.ConditionTrue, "Ok")},
			[]string{"Warning Bad A is False: message", "Normal Ok D is True: message"},
		},
		"new": {
			"the status has it, and nobody waits for it",
			[]metav1.Condition{condition("New", metav1.ConditionTrue, "Ok")},
			nil,
		},
		"new and bad": {
			"it asks for attention",
			[]metav1.Condition{condition("New", metav1.ConditionFalse, "Bad")},
			[]string{"Warning Bad New is False: message"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(9)
			warns := func(c metav1.Condition) bool { return c.Status == metav1.ConditionFalse }
			Emit(recorder, &v1alpha1.WarmPool{}, "Warm", Changed(before, tc.now), warns)
			close(recorder.Events)
			var got []string
			for e := range recorder.Events {
				got = append(got, e)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q: %s", got, tc.want, tc.reason)
			}
			Emit(nil, &v1alpha1.WarmPool{}, "Warm", Changed(before, tc.now), warns)
		})
	}
}

// Many long messages fit into one Event.
func TestManyLongMessagesFitIntoAnEvent(t *testing.T) {
	var s Set
	for _, kind := range []string{"A", "B", "C"} {
		s.Put(kind, metav1.ConditionFalse, "Bad", strings.Repeat("ü", MaxMessage))
	}
	recorder := events.NewFakeRecorder(9)
	Emit(recorder, &v1alpha1.Forecast{}, "Evaluate", Changed(nil, s.List), func(metav1.Condition) bool { return true })
	if note := strings.TrimPrefix(<-recorder.Events, "Warning Bad "); len(note) > maxNote || !utf8.ValidString(note) {
		t.Errorf("the note of the Event has %d bytes", len(note))
	}
	if len(recorder.Events) > 0 {
		t.Error("a second Event")
	}
}
