package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"testing"
)

// TestRamp checks what the README says beside the figure.
func TestRamp(t *testing.T) {
	r, err := replay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.reactive.unserved < 0.02 {
		t.Errorf("the reactive service leaves %.2f %% unserved: too little to show anything", 100*r.reactive.unserved)
	}
	if r.ahead.unserved > r.reactive.unserved/5 {
		t.Errorf("ahead leaves %.2f %% unserved, reactive %.2f %%: want at most a fifth", 100*r.ahead.unserved,
			100*r.reactive.unserved)
	}
	checkXML(t, "drawn", drawRamp(r))
}

// TestCommittedFigure: an SVG that does not parse is shown as a broken image.
func TestCommittedFigure(t *testing.T) {
	data, err := os.ReadFile("../../docs/images/ramp.svg")
	if err != nil {
		t.Fatalf("%v: run make figures", err)
	}
	checkXML(t, "docs/images/ramp.svg", data)
}

// TestFollow counts the closed loop by hand.
func TestFollow(t *testing.T) {
	demand, wish := make([]float64, 20), make([]int, 20)
	for i := range demand {
		demand[i], wish[i] = 10, 1
		if i >= 2 {
			wish[i] = 2
		}
	}
	// From step 2 on two replicas are desired, and they serve from step 12 on. Until then one serves 5
	// of 10.
	c := follow(demand, wish, 10)
	if got, want := c.unserved, 10.0/100; got != want {
		t.Errorf("unserved = %v, want %v", got, want)
	}
	if got, want := c.ready[1:3], []float64{5, 10}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("ready around step 12 = %v, want %v", got, want)
	}
}

func checkXML(t *testing.T, name string, data []byte) {
	t.Helper()
	decoder, paths := xml.NewDecoder(bytes.NewReader(data)), 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "path" {
			paths++
		}
	}
	if paths < 6 {
		t.Errorf("%s has %d paths, want at least demand, ready and unserved of two panels", name, paths)
	}
}
