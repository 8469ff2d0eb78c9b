package report

import (
	"errors"
	"fmt"
	"io"
	"os"

	"headstart.dev/headstart/scheduler/manifest"
)

// Peaks are the PeakSchedules and Calendars of a file.
type Peaks = manifest.Peaks

// OpenPeaks reads a file of PeakSchedules and Calendars, in the form in which they are applied to a
// cluster. All of the schedules apply to the replayed service, whichever Forecasts they select.
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

// ReadPeaks does the same as OpenPeaks for an open file.
func ReadPeaks(r io.Reader) (Peaks, error) {
	out, err := manifest.ReadPeaks(r)
	if err == nil && len(out.Schedules) == 0 && len(out.Calendars) == 0 {
		err = errors.New("there is no PeakSchedule and no Calendar in it")
	}
	return out, err
}
