package report

import (
	"errors"
	"fmt"
	"io"
	"os"

	"headstart.dev/headstart/scheduler/manifest"
)

// Peaks are what a file of PeakSchedules and Calendars declares.
type Peaks = manifest.Peaks

// OpenPeaks reads a file of PeakSchedules and Calendars, as one would apply it to a cluster. Which Forecasts a PeakSchedule
// selects is not looked at: all of them lift the replayed service.
func OpenPeaks(path string) (Peaks, error) {
	f, err := os.Open(path)
	if err != nil {
		return Peaks{}, fmt.Errorf("reading peaks: %w", err)
	}
	defer f.Close()
	p, err := ReadPeaks(f)
	if err != nil {
		return Peaks{}, fmt.Errorf("reading peaks from %s: %w", path, err)
	}
	return p, nil
}

// ReadPeaks is OpenPeaks for what is open already.
func ReadPeaks(r io.Reader) (Peaks, error) {
	out, err := manifest.ReadPeaks(r)
	if err == nil && len(out.Schedules) == 0 && len(out.Calendars) == 0 {
		err = errors.New("no PeakSchedule in it")
	}
	return out, err
}
