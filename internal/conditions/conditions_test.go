package conditions

import (
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
	Emit(recorder, &v1alpha1.Forecast{}, "Evaluate", s.List, func(metav1.Condition) bool { return false })
	if note := strings.TrimPrefix(<-recorder.Events, "Normal Reason "); len(note) > 1024 {
		t.Errorf("the note of the Event has %d bytes, and the API accepts 1024", len(note))
	}
}

// There is an Event for each condition whose status or reason changed.
func TestEmit(t *testing.T) {
	before := []metav1.Condition{
		{Type: "A", Status: metav1.ConditionTrue, Reason: "Ok", Message: "one"},
		{Type: "B", Status: metav1.ConditionTrue, Reason: "Ok"},
		{Type: "C", Status: metav1.ConditionTrue, Reason: "Ok"},
	}
	now := []metav1.Condition{
		{Type: "A", Status: metav1.ConditionTrue, Reason: "Ok", Message: "another message"},
		{Type: "B", Status: metav1.ConditionTrue, Reason: "Other"},
		{Type: "C", Status: metav1.ConditionFalse, Reason: "Ok"},
		{Type: "D", Status: metav1.ConditionTrue, Reason: "Ok", Message: "new"},
	}
	recorder := events.NewFakeRecorder(9)
	warns := func(c metav1.Condition) bool { return c.Status == metav1.ConditionFalse }
	Emit(recorder, &v1alpha1.WarmPool{}, "Warm", Changed(before, now), warns)
	close(recorder.Events)
	var got []string
	for e := range recorder.Events {
		got = append(got, e)
	}
	want := "Normal Other B is True: |Warning Ok C is False: |Normal Ok D is True: new"
	if all := strings.Join(got, "|"); all != want {
		t.Errorf("got %q, want %q", all, want)
	}
	Emit(nil, &v1alpha1.WarmPool{}, "Warm", now, warns)
}
