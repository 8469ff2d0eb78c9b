package render

import "headstart.dev/headstart/report"

// Stylesheet returns the stylesheet of the page, with that of uPlot. Another page that shows the
// same things looks the same.
func Stylesheet() string { return uplotCSS + pageCSS }

// UPlot returns the script that draws charts. It defines the global uPlot.
func UPlot() string { return uplotJS }

// UPlotLicense returns the licence of uPlot, which a page that has the script must show.
func UPlotLicense() string { return uplotLicense }

// Frontier returns the picture of the frontiers of a report as SVG of a width in pixels. It is empty
// if there is nothing to compare. The stylesheet has its colours.
func Frontier(r *report.Report, width float64) string { return string(frontierPicture(r, width)) }
